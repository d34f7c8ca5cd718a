//! How an erasure stands, as far as its platform is concerned.

use super::Reply;
use crate::receipt::{ClosureOutcome, Outcome, Receipt, Timestamp};

/// What a word is chosen from.
pub struct Progress<'a> {
    /// What is known of the erasure.
    pub receipt: &'a Receipt,
    /// How it stands.
    pub standing: Standing,
    /// Where messages go.
    pub reply: &'a Reply,
    /// Now.
    pub now: Timestamp,
}

/// How an erasure stands: the worst of its deliveries decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Something waits, or is not known yet.
    UnderWay,
    /// A person must look, and can still change the end: by a replay, or by closing the request.
    Attention,
    /// A person must look, and nothing can be tried again: the identifiers are gone.
    Failed,
    /// No delivery has an identifier that its vendor takes.
    Unidentified,
    /// Every vendor has accepted the request, or does not have the person; at least one has accepted.
    Done,
    /// The same, and a profile of the person is left at a vendor, which the operator does not count as
    /// fulfilled (`partial_erasure`).
    Partial,
    /// No vendor has the person.
    Absent,
}

impl Standing {
    /// How the erasure of this receipt stands. `is_complete` says whether every vendor has been asked,
    /// `is_over` whether no operator can replay anything any more, `is_partial` whether what was accepted
    /// leaves a profile and may not, `closed` how an operator has closed the request.
    pub fn of(
        receipt: &Receipt,
        is_complete: bool,
        is_over: bool,
        is_partial: bool,
        closed: Option<ClosureOutcome>,
    ) -> Self {
        match closed {
            Some(ClosureOutcome::Completed) => return Standing::Done,
            Some(ClosureOutcome::NotFound) => return Standing::Absent,
            Some(ClosureOutcome::Failed) => return Standing::Failed,
            None => {}
        }
        let outcomes = || receipt.deliveries.iter().map(|delivery| delivery.outcome);
        let is_waiting = |outcome: Outcome| !outcome.is_final();
        let is_fine = |outcome: Outcome| outcome.is_good() || outcome == Outcome::NotApplicable;
        if !is_complete || outcomes().any(is_waiting) {
            return Standing::UnderWay;
        }
        let unusable = |outcome| outcome == Outcome::InsufficientIdentification;
        if outcomes().all(|outcome| unusable(outcome) || outcome == Outcome::NotApplicable) {
            return Standing::Unidentified;
        }
        if !outcomes().all(is_fine) {
            return if is_over { Standing::Failed } else { Standing::Attention };
        }
        let is_accepted = |outcome| outcome == Outcome::Accepted;
        match outcomes().any(is_accepted) {
            true if is_partial => Standing::Partial,
            true => Standing::Done,
            false => Standing::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::tests::delivery;

    fn standing(outcomes: &[Outcome], is_complete: bool, is_over: bool) -> Standing {
        let deliveries = outcomes.iter().copied().map(delivery).collect();
        let receipt = Receipt::new("r", "consent", Timestamp(0), deliveries);
        Standing::of(&receipt, is_complete, is_over, false, None)
    }

    #[test]
    fn the_worst_delivery_decides() {
        use Outcome::*;
        for (outcomes, expected) in [
            (&[Accepted, Scheduled][..], Standing::UnderWay),
            (&[Rejected, Blocked], Standing::UnderWay),
            (&[Accepted, NotErased], Standing::Attention),
            (&[Accepted, Rejected], Standing::Attention),
            (&[Accepted, Uncertain], Standing::Attention),
            (&[Accepted, Exhausted], Standing::Attention),
            (&[Accepted, Discarded], Standing::Attention),
            (&[Accepted, InsufficientIdentification], Standing::Attention),
            (&[InsufficientIdentification, NotApplicable], Standing::Unidentified),
            (&[Accepted, NotApplicable], Standing::Done),
            (&[Accepted, AlreadyAbsent], Standing::Done),
            (&[AlreadyAbsent, NotApplicable], Standing::Absent),
        ] {
            assert_eq!(standing(outcomes, true, false), expected, "{outcomes:?}");
            assert_eq!(standing(outcomes, false, false), Standing::UnderWay);
        }
        assert_eq!(standing(&[Accepted, Rejected], true, true), Standing::Failed);
    }
}
