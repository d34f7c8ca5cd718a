//! What came to a lane in the last day as a picture: one bar for each hour, the newest on the right.

use maud::{Markup, html};

use super::parts::count;
use crate::activity::Hour;

/// The width of a bar and the space beside it, and the height of the picture, in its own units.
const STEP: usize = 6;
const BAR: usize = 4;
const HEIGHT: i64 = 32;

/// The picture, with the same in words for those who do not see it.
pub fn day(hours: &[Hour]) -> Markup {
    let sum = |of: fn(&Hour) -> i64| hours.iter().map(of).fold(0_i64, i64::saturating_add);
    let (all, failed, waiting) =
        (sum(Hour::received), sum(|hour| hour.failed), sum(|hour| hour.waiting));
    let most = hours.iter().map(Hour::received).max().unwrap_or_default();
    if all == 0 {
        return html! { span.muted { "Nothing came" } };
    }
    let mut summary = count(all, "delivery");
    for (number, words) in [(failed, "failed"), (waiting, "waiting")] {
        if number > 0 {
            summary.push_str(&format!(", {number} {words}"));
        }
    }
    let width = hours.len().saturating_mul(STEP);
    html! {
        svg.chart role="img" viewBox={ "0 0 " (width) " " (HEIGHT) }
            aria-label={ "Came in the last 24 hours: " (summary) "; at most " (most) " in an hour" } {
            @for (index, hour) in hours.iter().enumerate() {
                (bar(index.saturating_mul(STEP), hour, most))
            }
        }
        span.muted aria-hidden="true" { (summary) }
    }
}

/// What failed stands below what waits, and that below the rest.
fn bar(x: usize, hour: &Hour, most: i64) -> Markup {
    let unsettled = hour.failed.saturating_add(hour.waiting);
    let parts = [("good", hour.received()), ("waiting", unsettled), ("bad", hour.failed)]
        .map(|(class, up)| (class, height(up, most)));
    html! {
        rect.base x=(x) y=(HEIGHT.saturating_sub(1)) width=(BAR) height="1" {}
        @for (class, height) in parts {
            @if height > 0 {
                rect class=(class) x=(x) y=(HEIGHT.saturating_sub(height)) width=(BAR) height=(height) {}
            }
        }
    }
}

/// The height of a bar; what is not zero can be seen.
fn height(number: i64, most: i64) -> i64 {
    let scaled = number.saturating_mul(HEIGHT).checked_div(most).unwrap_or_default();
    if number > 0 { scaled.max(2) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Timestamp;

    #[test]
    fn a_day_has_a_bar_for_each_hour_and_says_the_same_in_words() {
        let (at, none) = (Timestamp(0), 0);
        let quiet = Hour {
            at,
            confirmed: none,
            failed: none,
            discarded: none,
            not_applicable: none,
            waiting: none,
        };
        let mut hours = [quiet; 24];
        hours[22] = Hour { confirmed: 60, ..quiet };
        hours[23] = Hour { confirmed: 1, failed: 2, waiting: 3, ..quiet };
        let html = day(&hours).into_string();
        let words =
            "Came in the last 24 hours: 66 deliveries, 2 failed, 3 waiting; at most 60 in an hour";
        assert!(html.contains(words), "{html}");
        let bars = |class: &str| html.matches(&format!("class=\"{class}\"")).count();
        assert_eq!((bars("good"), bars("waiting"), bars("bad"), bars("base")), (2, 1, 1, 24));
        assert!(html.contains(r#"x="132" y="0" width="4" height="32""#), "{html}");
        assert!(html.contains(r#"viewBox="0 0 144 32""#), "{html}");
        assert!(day(&[quiet; 24]).into_string().contains("Nothing came"));
    }
}
