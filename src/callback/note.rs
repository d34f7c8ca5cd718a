//! What is told to the people who work with the platform, beside its word: no personal data.

use std::fmt::Write;

use super::{Progress, Standing};
use crate::receipt::{Outcome, Receipt, State};

/// The maximum length of a note, in bytes: that of Osano's `internalNotes`, the shortest.
const MAX_BYTES: usize = 500;

/// How many of the vendor requests are done.
pub(super) fn summary(receipt: &Receipt) -> String {
    let all = receipt.deliveries.len();
    let of = |outcome: Outcome| outcome.state() == State::Done;
    let done = receipt.deliveries.iter().filter(|one| of(one.outcome)).count();
    format!("{done} of {all} vendor requests are done")
}

/// The same, and what became of the others, by the names of accounts and outcomes; with the operator's
/// note where the request was closed.
pub(super) fn note(progress: &Progress<'_>) -> String {
    let Progress { receipt, standing, .. } = progress;
    let mut note = format!("Erasure Relay: {}", summary(receipt));
    let others = receipt.deliveries.iter().filter(|one| one.outcome.state() != State::Done);
    for (index, delivery) in others.enumerate() {
        let before = if index == 0 { "; " } else { ", " };
        // A String takes every write.
        let _ = write!(note, "{before}{}: {}", delivery.vendor, delivery.outcome.name());
    }
    match (&receipt.closed, standing) {
        (Some(closed), _) => {
            let _ = write!(note, ". Closed by an operator: {}", closed.note);
        }
        (None, Standing::Partial) => note.push_str(". A vendor keeps a profile of the person"),
        (None, Standing::Attention) => note.push_str(". The relay's operator must look at it"),
        (None, _) => {}
    }
    note.truncate(note.floor_char_boundary(MAX_BYTES));
    note
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Callback, Reply, Word};
    use super::*;
    use crate::receipt::tests::delivery;
    use crate::receipt::{Closed, ClosureOutcome, Timestamp};

    /// The word for these outcomes, each with a call that was made, and its body.
    pub(in super::super) fn word(
        callback: &dyn Callback,
        outcomes: &[Outcome],
        standing: Standing,
        closed: Option<ClosureOutcome>,
    ) -> Option<(Word, serde_json::Value)> {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        let mut receipt = Receipt::new("r-1", "desk", Timestamp(0), deliveries);
        receipt.closed = closed.map(|outcome| Closed {
            outcome,
            note: "kept by law".to_owned(),
            at: Timestamp(1),
        });
        let reply = Reply::default();
        let progress = Progress { receipt: &receipt, standing, reply: &reply, now: Timestamp(2) };
        let word = callback.word(&progress)?;
        let body = serde_json::from_str(&word.body).unwrap();
        Some((word, body))
    }

    #[test]
    fn a_note_names_accounts_and_outcomes_and_is_short() {
        let mut receipt = Receipt::new("r", "s", Timestamp(0), Vec::new());
        let told = |receipt: &Receipt, standing| {
            let reply = Reply::default();
            note(&Progress { receipt, standing, reply: &reply, now: Timestamp(0) })
        };
        receipt.deliveries = vec![delivery(Outcome::Accepted), delivery(Outcome::Rejected)];
        assert_eq!(
            told(&receipt, Standing::Attention),
            "Erasure Relay: 1 of 2 vendor requests are done; instacart: rejected. \
             The relay's operator must look at it"
        );
        receipt.deliveries = vec![delivery(Outcome::Rejected); 100];
        let outcome = ClosureOutcome::Failed;
        receipt.closed = Some(Closed { outcome, note: "ü".repeat(100), at: Timestamp(0) });
        assert!(told(&receipt, Standing::Failed).len() <= MAX_BYTES);
    }
}
