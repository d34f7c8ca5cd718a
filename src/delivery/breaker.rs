//! Whether a lane may call its vendor at all.
//!
//! | the vendor | the lane |
//! |---|---|
//! | answers about one identifier, or refuses it | calls |
//! | throttles (429, or names a pause) | rests until then, then goes on |
//! | fails several times in a row | rests, then tries one call; the pause doubles |
//! | refuses the credentials or the configuration | is blocked: one call at intervals, until a person has fixed it |
//!
//! Nothing is dropped: what waits goes on waiting.

use std::borrow::Cow;
use std::time::Duration;

use super::retry::Retry;
use super::scope::{Scope, scope};
use crate::receipt::{Outcome, Timestamp};
use crate::settings::Settings;
use crate::vendor::Verdict;

/// When a lane stops calling, and how often it looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures in a row that stop the lane.
    pub failures: u32,
    /// Between two probes of a blocked account; the longest between two of one that fails.
    pub probe: Duration,
}

impl Limits {
    /// Reads the table `breaker`: `{ failures = 5, probe_seconds = 300 }`.
    pub fn configure(settings: &mut Settings<'_>) -> Self {
        let (mut failures, mut probe) = (5, 300);
        if let Some(mut table) = settings.table("breaker") {
            failures = table.number("failures", failures, 1..=1000);
            probe = table.number("probe_seconds", probe, 1..=86_400);
            table.finish();
        }
        Self { failures, probe: Duration::from_secs(probe.into()) }
    }
}

/// The state of one account's breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// What a person must fix.
    pub blocked: Option<Cow<'static, str>>,
    /// No call before this; zero where there is nothing to wait for.
    pub rests_until: Timestamp,
    /// Once it has rested, one call goes as a probe.
    pub open: bool,
}

/// How many calls may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// As many as the pace allows.
    Free,
    /// One, to see how the vendor answers.
    Probe,
    /// None before this.
    RestUntil(Timestamp),
}

impl Breaker {
    /// What may be done at `now`.
    pub fn leave(&self, now: Timestamp) -> Leave {
        if now < self.rests_until {
            Leave::RestUntil(self.rests_until)
        } else if self.open {
            Leave::Probe
        } else {
            Leave::Free
        }
    }

    /// A probe goes out; the next one waits until its lease has run out.
    pub fn probe_sent(&mut self, lease_until: Timestamp) {
        self.rests_until = lease_until;
    }

    /// Records what a call came to.
    pub fn note(
        &mut self,
        verdict: &Verdict,
        limits: &Limits,
        retry: &Retry,
        now: Timestamp,
        random: u32,
    ) {
        let refused = verdict.outcome == Outcome::Blocked;
        match scope(verdict) {
            Scope::Call if verdict.outcome.is_final() => {
                *self = Self { rests_until: self.asked_for(), ..Self::default() };
            }
            Scope::Account if !refused => {
                // Throttled: the account works, and must not be called for a while.
                let pause = verdict.retry_after.unwrap_or(retry.first);
                let rests_until = now.after(pause).max(self.asked_for());
                *self = Self { rests_until, ..Self::default() };
            }
            Scope::Account => self.block(verdict, limits, now),
            // One identifier's refusal says nothing of the others: its row waits alone.
            Scope::Call if refused => {}
            Scope::Call | Scope::Unclear => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < limits.failures {
                    return;
                }
                let beyond = self.failures.saturating_sub(limits.failures).saturating_add(1);
                let within = Retry { longest: limits.probe, ..*retry };
                let pause = within.pause(beyond, random);
                self.rests_until = Timestamp(now.0.saturating_add(pause)).max(self.asked_for());
                self.open = true;
            }
        }
    }

    /// A clock that went backwards must not stop the lane for that long.
    pub fn at_most(&mut self, longest: Duration, now: Timestamp) {
        self.rests_until = self.rests_until.min(now.after(longest));
    }

    fn block(&mut self, verdict: &Verdict, limits: &Limits, now: Timestamp) {
        self.blocked = Some(verdict.detail.clone().unwrap_or("refused".into()));
        self.rests_until = now.after(limits.probe).max(self.asked_for());
        self.open = true;
    }

    /// Until when the vendor asked to be left alone: answers to calls that were under way then do
    /// not shorten it.
    fn asked_for(&self) -> Timestamp {
        if self.open { Timestamp::default() } else { self.rests_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::Failure;

    const LIMITS: Limits = Limits { failures: 3, probe: Duration::from_secs(300) };
    const RETRY: Retry = Retry {
        first: Duration::from_secs(30),
        longest: Duration::from_secs(3600),
        deadline: Duration::from_secs(3600),
    };
    const NOW: Timestamp = Timestamp(1_795_325_400_000);

    fn verdict(outcome: Outcome, status: u16, retry_after: Option<u64>) -> Verdict {
        Verdict {
            outcome,
            detail: None,
            status: Some(status),
            retry_after: retry_after.map(Duration::from_secs),
            trace: None,
        }
    }

    fn after(verdicts: &[Verdict]) -> Breaker {
        let mut breaker = Breaker::default();
        for verdict in verdicts {
            breaker.note(verdict, &LIMITS, &RETRY, NOW, u32::MAX);
        }
        breaker
    }

    fn rest(breaker: &Breaker) -> i64 {
        match breaker.leave(NOW) {
            Leave::RestUntil(until) => (until.0 - NOW.0 + 500) / 1000,
            Leave::Free | Leave::Probe => 0,
        }
    }

    #[test]
    fn refused_credentials_block_until_a_call_goes_well() {
        let mut breaker = after(&[verdict(Outcome::Blocked, 401, None)]);
        assert!(breaker.blocked.is_some());
        assert_eq!(rest(&breaker), 300);
        let later = NOW.after(LIMITS.probe);
        assert_eq!(breaker.leave(later), Leave::Probe);
        breaker.probe_sent(later.after(Duration::from_secs(45)));
        assert!(matches!(breaker.leave(later), Leave::RestUntil(_)), "one probe at a time");
        breaker.note(&verdict(Outcome::Accepted, 200, None), &LIMITS, &RETRY, later, 0);
        assert_eq!((breaker.blocked.clone(), breaker.leave(later)), (None, Leave::Free));
    }

    #[test]
    fn refusals_of_single_identifiers_do_not_block_the_others() {
        let refusal = verdict(Outcome::Blocked, 400, None);
        assert_eq!(after(&vec![refusal; 100]).leave(NOW), Leave::Free);
    }

    #[test]
    fn failures_in_a_row_rest_the_lane_ever_longer() {
        let failure = Verdict::from(Failure::Timeout);
        let rests: Vec<i64> = (2..=8).map(|n| rest(&after(&vec![failure.clone(); n]))).collect();
        assert_eq!(rests, [0, 30, 60, 120, 240, 300, 300]);
        let good = verdict(Outcome::Accepted, 200, None);
        let recovered = after(&[failure.clone(), failure.clone(), failure, good]);
        assert_eq!(recovered, Breaker::default());
    }

    #[test]
    fn a_throttled_lane_rests_as_long_as_the_vendor_asks() {
        let breaker = after(&[verdict(Outcome::Scheduled, 429, Some(7))]);
        assert_eq!((rest(&breaker), breaker.open), (7, false));
        assert_eq!(rest(&after(&[verdict(Outcome::Scheduled, 429, None)])), 30);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_rest_the_lane_for_ever() {
        let mut breaker = after(&[verdict(Outcome::Blocked, 401, None)]);
        let before = Timestamp(NOW.0 - 86_400_000);
        breaker.at_most(LIMITS.probe, before);
        assert_eq!(breaker.rests_until, before.after(LIMITS.probe));
    }
}
