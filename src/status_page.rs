//! The page on which a person sees the state of their request, in words, as Meta demands it: with the
//! reason where the request was not fulfilled. It shows no personal data, and loads and runs nothing.

use maud::{DOCTYPE, Markup, html};

use crate::callback::Standing;
use crate::dashboard::layout;
use crate::receipt::{Outcome, Receipt, Timestamp};

/// The length of a code: 128 bits as hexadecimal digits.
const CODE_DIGITS: usize = 32;

/// Whether this can be the code of a request.
pub fn is_code(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == CODE_DIGITS && text.bytes().all(is_digit)
}

/// What the page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<'a> {
    /// The state, in a few words.
    state: &'static str,
    /// What that means.
    meaning: &'static str,
    /// Why the request was not fulfilled, in an operator's words.
    reason: Option<&'a str>,
    /// When the request came, and by when it must be answered where it has not been.
    times: Option<(Timestamp, Option<Timestamp>)>,
}

/// What a page says that asks a person to be patient.
const LOOKED_AT: &str = "Not every service that may hold your data has confirmed the deletion yet. \
                         Our staff are looking at your request.";

impl Page<'static> {
    /// The page for a code that no request has.
    pub const UNKNOWN: Self = Self::bare(
        "Not found",
        "There is no request with this code. Check that the address is complete. The state of a \
         request is kept for a limited time.",
    );

    /// The page where the state cannot be read now.
    pub const UNAVAILABLE: Self =
        Self::bare("Not available", "The state cannot be shown at the moment. Try again later.");

    const fn bare(state: &'static str, meaning: &'static str) -> Self {
        Self { state, meaning, reason: None, times: None }
    }
}

impl<'a> Page<'a> {
    /// The page of a request. `is_partial` says whether what was accepted leaves a profile of the
    /// person and does not count as fulfilled.
    pub fn of(receipt: &'a Receipt, is_partial: bool) -> Self {
        let closed = receipt.closed.as_ref();
        let outcome = closed.map(|closed| closed.outcome);
        let outcomes = || receipt.deliveries.iter().map(|delivery| delivery.outcome);
        let (state, meaning) = match Standing::of(receipt, true, false, is_partial, outcome) {
            Standing::Done if closed.is_some() => ("Completed", "Your data was deleted."),
            Standing::Done => (
                "Completed",
                "Every service that may hold your data has accepted to delete it, or has none.",
            ),
            Standing::Absent => ("Completed", "We found no data of yours to delete."),
            Standing::UnderWay if outcomes().any(|outcome| outcome == Outcome::Blocked) => {
                ("In progress", LOOKED_AT)
            }
            Standing::UnderWay => (
                "In progress",
                "The services that may hold your data are being asked to delete it.",
            ),
            Standing::Unidentified => (
                "Not fulfilled",
                "The request does not say whose data is meant in a way that lets us find it.",
            ),
            Standing::Failed => ("Not fulfilled", "Your data was not deleted, or not all of it."),
            Standing::Attention if is_ended(receipt) => {
                ("Not fulfilled", "Your data was not deleted, or not all of it.")
            }
            Standing::Attention | Standing::Partial => ("In progress", LOOKED_AT),
        };
        let (is_refused, is_open) = (state == "Not fulfilled", state == "In progress");
        let reason = closed.map(|closed| closed.note.as_str()).or_else(|| ended_because(receipt));
        let due_by = receipt.due_by.filter(|_| is_open);
        let times = Some((receipt.received_at, due_by));
        Self { state, meaning, reason: reason.filter(|_| is_refused), times }
    }
}

/// Whether an operator has ended what was not done, and nothing else is left to try.
fn is_ended(receipt: &Receipt) -> bool {
    let is_open = |outcome: Outcome| outcome.can_be_replayed() || outcome == Outcome::NotErased;
    receipt.deliveries.iter().any(|one| one.outcome == Outcome::Discarded)
        && !receipt.deliveries.iter().any(|one| is_open(one.outcome))
}

/// The operator's note of a delivery that was ended.
fn ended_because(receipt: &Receipt) -> Option<&str> {
    let ended = receipt.deliveries.iter().find(|one| one.outcome == Outcome::Discarded);
    ended?.detail.as_deref()
}

impl Page<'_> {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let Self { state, meaning, reason, times } = self;
        let title = "Your data deletion request";
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (layout::head(title, None))
                body {
                    main {
                        h1 { (title) }
                        p { "State: " strong { (state) } }
                        p { (meaning) }
                        @if let Some(reason) = reason { p { "Reason: " (reason) } }
                        @if let Some((received_at, due_by)) = times {
                            p { "Received: " (day(*received_at)) }
                            @if let Some(due_by) = due_by {
                                p { "You will have an answer by: " (day(*due_by)) }
                            }
                        }
                    }
                }
            }
        };
        page.into_string()
    }
}

/// The day of a time, in UTC.
fn day(at: Timestamp) -> Markup {
    let text = at.to_string();
    let day = text.get(..10).unwrap_or_default();
    html! { time datetime=(day) { (day) } }
}

#[cfg(test)]
mod tests {
    use Outcome::*;

    use super::*;
    use crate::receipt::tests::delivery;
    use crate::receipt::{Closed, ClosureOutcome};

    fn receipt(outcomes: &[Outcome]) -> Receipt {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        let mut receipt = Receipt::new("r", "meta", Timestamp(0), deliveries);
        receipt.due_by = Some(Timestamp(86_400_000));
        receipt
    }

    #[test]
    fn every_state_is_said_in_words() {
        for (outcomes, state) in [
            (&[Accepted, AlreadyAbsent][..], "Completed"),
            (&[AlreadyAbsent], "Completed"),
            (&[Accepted, Scheduled], "In progress"),
            (&[Blocked], "In progress"),
            (&[Accepted, Rejected], "In progress"),
            (&[Uncertain], "In progress"),
            (&[Exhausted], "In progress"),
            (&[NotErased], "In progress"),
            (&[Accepted, InsufficientIdentification], "In progress"),
            (&[InsufficientIdentification], "Not fulfilled"),
            (&[Accepted, Discarded], "Not fulfilled"),
            (&[Discarded, Rejected], "In progress"),
        ] {
            let receipt = receipt(outcomes);
            let page = Page::of(&receipt, false);
            assert_eq!(page.state, state, "{outcomes:?}");
            let html = page.html();
            assert!(html.contains(state) && html.contains("1970-01-01"), "{html}");
            assert_eq!(html.contains("1970-01-02"), state == "In progress", "{html}");
        }
        assert_eq!(Page::of(&receipt(&[Accepted]), true).state, "In progress");
    }

    #[test]
    fn the_reason_of_a_refusal_is_the_operators_and_is_text_alone() {
        let mut ended = receipt(&[Discarded]);
        ended.deliveries[0].detail = Some("a <b>contract</b> & 'more'".into());
        let html = Page::of(&ended, false).html();
        let reason = "Reason: a &lt;b&gt;contract&lt;/b&gt; &amp; 'more'";
        assert!(html.contains(reason), "{html}");
        for (outcome, state) in [
            (ClosureOutcome::Completed, "Completed"),
            (ClosureOutcome::NotFound, "Completed"),
            (ClosureOutcome::Failed, "Not fulfilled"),
        ] {
            let mut closed = receipt(&[Rejected]);
            closed.closed = Some(Closed { outcome, note: "kept by law".into(), at: Timestamp(0) });
            let html = Page::of(&closed, false).html();
            assert!(html.contains(state), "{html}");
            // What is a reason for a refusal alone is not shown otherwise.
            let is_refused = outcome == ClosureOutcome::Failed;
            assert_eq!(html.contains("kept by law"), is_refused, "{html}");
        }
    }

    #[test]
    fn a_code_is_an_id_that_was_made() {
        assert!(is_code("00112233445566778899aabbccddeeff"));
        for bad in
            ["", "00112233445566778899AABBCCDDEEFF", "r-1", "00112233445566778899aabbccddeef\u{e9}"]
        {
            assert!(!is_code(bad), "{bad}");
        }
    }
}
