//! A lane's last day as a picture: one bar for each hour, the newest on the right.

use maud::{Markup, html};

use super::parts::count;

/// What a lane did in an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hour {
    /// Calls after which the vendor had accepted, or known nobody.
    pub good: u32,
    /// All other calls.
    pub other: u32,
}

impl Hour {
    fn all(self) -> u32 {
        self.good.saturating_add(self.other)
    }
}

/// The width of a bar and the space beside it, and the height of the picture, in its own units.
const STEP: usize = 6;
const BAR: usize = 4;
const HEIGHT: u32 = 32;

/// The picture, with the same in words for those who do not see it.
pub fn day(hours: &[Hour]) -> Markup {
    let sum = |of: fn(&Hour) -> u32| hours.iter().map(of).fold(0_u32, u32::saturating_add);
    let (all, other) = (sum(|hour| hour.all()), sum(|hour| hour.other));
    let most = hours.iter().map(|hour| hour.all()).max().unwrap_or_default();
    let summary = format!("{}, {other} not accepted", count(all.into(), "call"));
    if all == 0 {
        return html! { span.muted { "No calls" } };
    }
    let width = hours.len().saturating_mul(STEP);
    html! {
        svg.chart role="img" viewBox={ "0 0 " (width) " " (HEIGHT) }
            aria-label={ "Last 24 hours: " (summary) ", at most " (most) " in an hour" } {
            @for (index, hour) in hours.iter().enumerate() {
                @let x = index.saturating_mul(STEP);
                @let (all, other) = (height(hour.all(), most), height(hour.other, most));
                rect.base x=(x) y=(HEIGHT.saturating_sub(1)) width=(BAR) height="1" {}
                @if all > 0 {
                    rect.good x=(x) y=(HEIGHT.saturating_sub(all)) width=(BAR) height=(all) {}
                }
                @if other > 0 {
                    rect.bad x=(x) y=(HEIGHT.saturating_sub(other)) width=(BAR) height=(other) {}
                }
            }
        }
        span.muted { (summary) }
    }
}

/// The height of a bar; what is not zero can be seen.
fn height(calls: u32, most: u32) -> u32 {
    let scaled = calls.saturating_mul(HEIGHT).checked_div(most).unwrap_or_default();
    if calls > 0 { scaled.max(2) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_a_bar_for_each_hour_and_says_the_same_in_words() {
        let mut hours = [Hour::default(); 24];
        hours[22] = Hour { good: 60, other: 0 };
        hours[23] = Hour { good: 1, other: 2 };
        let html = day(&hours).into_string();
        assert!(html.contains("Last 24 hours: 63 calls, 2 not accepted, at most 60 in an hour"));
        let bars = |class: &str| html.matches(&format!("class=\"{class}\"")).count();
        assert_eq!((bars("good"), bars("bad"), bars("base")), (2, 1, 24), "{html}");
        assert!(html.contains(r#"x="132" y="0" width="4" height="32""#), "{html}");
        assert!(html.contains(r#"viewBox="0 0 144 32""#), "{html}");
        assert!(day(&[Hour::default(); 24]).into_string().contains("No calls"));
    }
}
