//! What a failure is about: one call, or the whole account.
//!
//! An answer about the account (credentials, configuration, rate) would be the same for every other
//! call. An answer about one identifier says nothing about the others. Silence may be either: one may
//! be caused by the identifier, and must not hold up the others for ever.

use crate::receipt::Outcome;
use crate::vendor::Verdict;

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The one call, and the identifier in it.
    Call,
    /// Either: there was no answer, or one from a proxy in front of the vendor.
    Unclear,
    /// The credentials, the configuration or the rate of the account.
    Account,
}

/// What an answer is about.
pub fn scope(verdict: &Verdict) -> Scope {
    if verdict.outcome.is_final() {
        return Scope::Call;
    }
    match verdict.status {
        _ if verdict.retry_after.is_some() => Scope::Account,
        Some(300..=399 | 401 | 403 | 429) => Scope::Account,
        None if verdict.outcome == Outcome::Blocked => Scope::Account,
        None | Some(408 | 502..=504 | 520..=529) => Scope::Unclear,
        Some(_) => Scope::Call,
    }
}

/// Decides, where nothing is stored, when the remaining calls of an account are not made: after an
/// answer about the account, and after two calls in a row whose scope is unclear.
#[derive(Default)]
pub struct CallGuard {
    unclear: u32,
    halted: Option<Outcome>,
}

impl CallGuard {
    /// The outcome that the remaining calls share with the last one; `None` while they are made.
    pub fn halted(&self) -> Option<Outcome> {
        self.halted
    }

    /// Records what a call came to.
    pub fn record(&mut self, verdict: &Verdict) {
        self.unclear = match scope(verdict) {
            Scope::Call => 0,
            Scope::Unclear => self.unclear.saturating_add(1),
            Scope::Account => u32::MAX,
        };
        self.halted = (self.unclear > 1).then_some(verdict.outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whether these answers in a row halt the rest: outcome, status, `Retry-After`.
    fn halts(answers: &[(Outcome, Option<u16>, bool)]) -> bool {
        let mut guard = CallGuard::default();
        for (outcome, status, retry_after) in answers {
            guard.record(&Verdict {
                outcome: *outcome,
                detail: None,
                status: *status,
                retry_after: retry_after.then_some(Duration::from_secs(9)),
                trace: None,
            });
        }
        guard.halted().is_some()
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
