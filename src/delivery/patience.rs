//! When the rest of an account's calls are not made.
//!
//! Once an answer concerns the account and not the one identifier (credentials, rate), the calls
//! that are left would fare alike, and a throttled vendor is not pressed on. So it is after two
//! calls in a row without an answer of the vendor's own. One silence may be the identifier's doing,
//! and must not keep the others waiting for ever.

use crate::receipt::Outcome;
use crate::vendor::Verdict;

/// What the calls to one account have come to so far.
#[derive(Default)]
pub struct Patience {
    silences: u32,
    halted: Option<Outcome>,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The one identifier.
    Call,
    /// Either: there was no answer, or one from what stands before the vendor.
    Unclear,
    /// The credentials, the configuration or the rate.
    Account,
}

impl Patience {
    /// The outcome that the remaining calls share with the last one; `None` while they are made.
    pub fn halted(&self) -> Option<Outcome> {
        self.halted
    }

    /// Takes in what a call came to.
    pub fn note(&mut self, verdict: &Verdict) {
        self.silences = match about(verdict) {
            About::Call => 0,
            About::Unclear => self.silences.saturating_add(1),
            About::Account => u32::MAX,
        };
        self.halted = (self.silences > 1).then_some(verdict.outcome);
    }
}

/// What an answer is about: the one identifier, or the account.
pub fn about(verdict: &Verdict) -> About {
    if verdict.outcome.is_final() {
        return About::Call;
    }
    match verdict.status {
        _ if verdict.retry_after.is_some() => About::Account,
        Some(300..=399 | 401 | 403 | 429) => About::Account,
        None if verdict.outcome == Outcome::Blocked => About::Account,
        None | Some(408 | 502..=504 | 520..=529) => About::Unclear,
        Some(_) => About::Call,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whether these answers in a row halt the rest: outcome, status, `Retry-After`.
    fn halts(answers: &[(Outcome, Option<u16>, bool)]) -> bool {
        let mut patience = Patience::default();
        for (outcome, status, retry_after) in answers {
            patience.note(&Verdict {
                outcome: *outcome,
                detail: None,
                status: *status,
                retry_after: retry_after.then_some(Duration::from_secs(9)),
                trace: None,
            });
        }
        patience.halted().is_some()
    }

    #[test]
    fn an_answer_about_the_account_halts_the_rest() {
        use Outcome::{Blocked, Scheduled};
        for status in [301, 401, 403] {
            assert!(halts(&[(Blocked, Some(status), false)]), "{status}");
        }
        assert!(halts(&[(Scheduled, Some(429), false)]));
        assert!(halts(&[(Scheduled, Some(500), true)]));
        assert!(halts(&[(Blocked, None, false)]), "no token");
    }

    #[test]
    fn an_answer_about_one_identifier_does_not() {
        use Outcome::{Accepted, Blocked, Rejected, Scheduled, Uncertain};
        for answer in [
            (Accepted, Some(200), false),
            (Uncertain, Some(200), false),
            (Rejected, Some(400), true),
            (Blocked, Some(400), false),
            (Blocked, Some(404), false),
            (Scheduled, Some(500), false),
        ] {
            assert!(!halts(&[answer; 3]), "{answer:?}");
        }
    }

    #[test]
    fn silence_halts_when_it_comes_twice_in_a_row() {
        let good = (Outcome::Accepted, Some(200), false);
        for status in [None, Some(408), Some(502), Some(504), Some(520)] {
            let silence = (Outcome::Scheduled, status, false);
            assert!(!halts(&[silence]));
            assert!(!halts(&[silence, good, silence]));
            assert!(halts(&[silence, silence]));
        }
    }
}
