//! What several pages show.

use std::fmt::Write;

use maud::{Markup, html};

use super::path;
use crate::receipt::{CallbackState, Outcome, Receipt, State, Timestamp};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A time to the minute.
pub fn time(at: Timestamp) -> Markup {
    let machine = at.to_string();
    let shown = machine.get(..16).unwrap_or_default().replace('T', " ");
    html! { time datetime=(machine) { (shown) } }
}

/// A time to the second.
pub fn exact_time(at: Timestamp) -> Markup {
    let machine = at.to_string();
    let shown = machine.get(..19).unwrap_or_default().replace('T', " ");
    html! { time datetime=(machine) { (shown) } }
}

/// A time, and how long ago it was, or how long it is until then.
pub fn time_and_distance(at: Timestamp, now: Timestamp) -> Markup {
    html! { (time(at)) " " span.muted { (distance(at, now)) } }
}

/// How long ago a time was, or how long it is until then, in its largest unit.
pub fn distance(at: Timestamp, now: Timestamp) -> String {
    let (past, future) = (now.since(at).as_secs(), at.since(now).as_secs());
    let seconds = past.max(future);
    let (number, unit) = match seconds {
        0..MINUTE => return "now".to_owned(),
        MINUTE..HOUR => (seconds / MINUTE, "min"),
        HOUR..DAY => (seconds / HOUR, "h"),
        _ => (seconds / DAY, if seconds < 2 * DAY { "day" } else { "days" }),
    };
    if past > 0 { format!("{number} {unit} ago") } else { format!("in {number} {unit}") }
}

/// A name of the API as words: `already_absent` becomes `Already absent`.
pub fn words(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// A number of things: `1 request`, `2 requests`.
pub fn count(number: i64, thing: &str) -> String {
    let plural = match (number, thing) {
        (1, _) => "",
        _ => "s",
    };
    let thing = if plural.is_empty() { thing.to_owned() } else { plural_of(thing) };
    format!("{number} {thing}")
}

fn plural_of(thing: &str) -> String {
    match thing.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{thing}s"),
    }
}

/// How something stands, which decides on its colour. The words say it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// It waits.
    Waiting,
    /// A person must look.
    Bad,
    /// It needs nobody.
    Quiet,
}

impl Tone {
    /// The class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }

    /// That of a state.
    pub fn of(state: State) -> Self {
        match state {
            State::Done => Self::Good,
            State::Pending => Self::Waiting,
            State::Attention => Self::Bad,
            State::Discarded | State::Acknowledged => Self::Quiet,
        }
    }

    /// That of a message to the platform.
    pub fn of_callback(state: CallbackState) -> Self {
        match state {
            CallbackState::Delivered | CallbackState::ClosedThere => Self::Good,
            CallbackState::Scheduled => Self::Waiting,
            CallbackState::Blocked | CallbackState::Failed => Self::Bad,
            CallbackState::Superseded => Self::Quiet,
        }
    }
}

/// A short text in the colour of `tone`.
pub fn badge(text: &str, tone: Tone) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (text) } }
}

/// The state of a request.
pub fn state(state: State) -> Markup {
    let text = if state == State::Attention { "Needs attention" } else { &words(state.name()) };
    badge(text, Tone::of(state))
}

/// What is known of a delivery, in the colour of its part of the request's state.
pub fn outcome(outcome: Outcome, state: State) -> Markup {
    badge(&words(outcome.name()), Tone::of(state))
}

/// A cell of a table, whose column is named beside it on narrow screens.
pub fn cell(column: &str, content: &Markup) -> Markup {
    html! { td data-label=(column) { (content) } }
}

/// A text as content.
pub fn text(text: &str) -> Markup {
    html! { (text) }
}

/// The names of a table's columns.
pub fn columns(names: &[&str]) -> Markup {
    html! { thead { tr { @for name in names { th scope="col" { (name) } } } } }
}

/// Requests as a table, described by `caption`.
pub fn requests(caption: &str, receipts: &[Receipt], now: Timestamp) -> Markup {
    html! {
        table {
            caption { (caption) }
            (columns(&["Request", "Source", "State", "Received", "Due", "Deliveries"]))
            tbody { @for receipt in receipts { (row(receipt, now)) } }
        }
    }
}

fn row(receipt: &Receipt, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" {
                a.id href=(path::request(&receipt.source, &receipt.request_id)) {
                    (receipt.request_id)
                }
            }
            (cell("Source", &text(&receipt.source)))
            (cell("State", &state(receipt.state)))
            (cell("Received", &time_and_distance(receipt.received_at, now)))
            (cell("Due", &due(receipt, now)))
            (cell("Deliveries", &text(&summary(receipt))))
        }
    }
}

/// By when a request must be answered, while it is open.
pub fn due(receipt: &Receipt, now: Timestamp) -> Markup {
    match receipt.due_by {
        Some(due_by) if receipt.state.is_over() => time(due_by),
        Some(due_by) if due_by < now => html! {
            (time(due_by)) " " (badge("Overdue", Tone::Bad))
        },
        Some(due_by) => time_and_distance(due_by, now),
        None => text("–"),
    }
}

/// How many deliveries have each outcome.
pub fn summary(receipt: &Receipt) -> String {
    let mut counts: Vec<(Outcome, u32)> = Vec::new();
    for delivery in &receipt.deliveries {
        match counts.iter_mut().find(|(outcome, _)| *outcome == delivery.outcome) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((delivery.outcome, 1)),
        }
    }
    let mut summary = String::new();
    for (outcome, count) in counts {
        let before = if summary.is_empty() { "" } else { ", " };
        // A String takes every write.
        let _ = write!(summary, "{before}{count} {}", outcome.name().replace('_', " "));
    }
    summary
}

/// A field of a form in which one of `choices`, value and words, is chosen.
pub fn select(name: &str, label: &str, choices: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, words) in choices {
                    option value=(value) selected[*value == chosen] { (words) }
                }
            }
        }
    }
}

/// A date of a form.
pub fn day(name: &str, label: &str, value: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input type="date" id=(name) name=(name) value=(value);
        }
    }
}

/// A field in which one of `names` is chosen, or any.
pub fn select_name(name: &str, label: &str, names: &[&str], chosen: &str) -> Markup {
    let choices: Vec<(&str, &str)> =
        std::iter::once(("", "Any")).chain(names.iter().map(|name| (*name, *name))).collect();
    select(name, label, &choices, chosen)
}

/// The link to the next page of a list.
pub fn next_page(path: &str, label: &str) -> Markup {
    html! { nav aria-label="Pages" { a.button href=(path) { (label) } } }
}

/// The field in which an operator says why.
pub fn note() -> Markup {
    html! {
        div.field {
            label for="note" { "Note" }
            textarea id="note" name="note" rows="2" maxlength="200" required
                aria-describedby="note-hint" {}
            p.hint #note-hint {
                "Why, in at most 200 bytes (200 characters without accents). The receipt and the log show it: "
                strong { "no personal data." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::tests::delivery;

    #[test]
    fn times_are_for_people_and_for_machines() {
        let at = Timestamp(1_795_325_400_999);
        let html = r#"<time datetime="2026-11-22T05:30:00Z">2026-11-22 05:30</time>"#;
        assert_eq!(time(at).into_string(), html);
        for (seconds, past, future) in [
            (0, "now", "now"),
            (59, "now", "now"),
            (60, "1 min ago", "in 1 min"),
            (7_199, "1 h ago", "in 1 h"),
            (86_400, "1 day ago", "in 1 day"),
            (172_800, "2 days ago", "in 2 days"),
        ] {
            let later = at.after(std::time::Duration::from_secs(seconds));
            assert_eq!(distance(at, later), past);
            assert_eq!(distance(later, at), future);
        }
    }

    #[test]
    fn names_become_words() {
        assert_eq!(words("already_absent"), "Already absent");
        assert_eq!(words(""), "");
        assert_eq!(words("é"), "é");
        assert_eq!(count(1, "delivery"), "1 delivery");
        assert_eq!(count(2, "delivery"), "2 deliveries");
        assert_eq!(count(0, "request"), "0 requests");
    }

    #[test]
    fn a_row_shows_what_is_due_and_escapes_what_came_from_outside() {
        let deliveries = [Outcome::Accepted, Outcome::Rejected, Outcome::Accepted];
        let deliveries = deliveries.map(delivery).to_vec();
        let mut receipt = Receipt::new("<b>'\"&", "consent", Timestamp(0), deliveries);
        receipt.due_by = Some(Timestamp(1));
        let html = requests("All", std::slice::from_ref(&receipt), Timestamp(2)).into_string();
        assert!(html.contains("&lt;b&gt;'&quot;&amp;"), "{html}");
        assert!(html.contains("/requests/consent/%3Cb%3E%27%22%26"), "{html}");
        assert!(html.contains("Overdue") && html.contains("2 accepted, 1 rejected"), "{html}");
        receipt.state = State::Done;
        assert!(!due(&receipt, Timestamp(2)).into_string().contains("Overdue"));
    }
}
