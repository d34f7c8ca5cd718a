//! When the remaining calls of an account are not made, where nothing is stored.

use crate::receipt::Outcome;
use crate::vendor::{Scope, Verdict};

/// Decides when the remaining calls of an account are not made: after an
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
        self.unclear = match verdict.scope {
            Scope::Call => 0,
            Scope::Unclear => self.unclear.saturating_add(1),
            Scope::Account => u32::MAX,
        };
        self.halted = (self.unclear > 1).then_some(verdict.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these answers in a row halt the rest.
    fn halts(answers: &[(Outcome, Scope)]) -> bool {
        let mut guard = CallGuard::default();
        for (outcome, scope) in answers {
            guard.record(&Verdict::without_answer(*outcome, "").about(*scope));
        }
        guard.halted().is_some()
    }

    #[test]
    fn an_answer_about_the_account_halts_the_rest() {
        for outcome in [Outcome::Blocked, Outcome::Scheduled] {
            assert!(halts(&[(outcome, Scope::Account)]), "{outcome:?}");
        }
    }

    #[test]
    fn an_answer_about_one_call_does_not() {
        use Outcome::{Accepted, Blocked, Rejected, Scheduled, Uncertain};
        for outcome in [Accepted, Uncertain, Rejected, Blocked, Scheduled] {
            assert!(!halts(&[(outcome, Scope::Call); 3]), "{outcome:?}");
        }
    }

    #[test]
    fn what_is_unclear_halts_when_it_comes_twice_in_a_row() {
        for outcome in [Outcome::Scheduled, Outcome::Blocked] {
            let (unclear, good) = ((outcome, Scope::Unclear), (Outcome::Accepted, Scope::Call));
            assert!(!halts(&[unclear]));
            assert!(!halts(&[unclear, good, unclear]));
            assert!(halts(&[unclear, unclear]));
        }
    }
}
