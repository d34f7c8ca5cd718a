//! Whether a lane may call its vendor at all.
//!
//! | the vendor | the lane |
//! |---|---|
//! | answers about one call, or rejects it | calls |
//! | throttles (429, or names a pause) | rests until then, then goes on |
//! | fails for several erasures in a row | rests, then tries one call; the pause doubles |
//! | rejects the credentials or the configuration | is blocked: another erasure's call is tried at once, then one call at intervals |
//! | rejects a call, and it is unclear whether the account is meant | tries other erasures, one call at a time; the third that is rejected blocks the lane |
//!
//! What a vendor's table says of an answer is a first guess; evidence overrules it. Each probe takes an
//! erasure that has not failed (a *suspect*), and where its call succeeds, the account works: the
//! rejection was about the one call. Nothing is dropped: what waits goes on waiting.

use std::borrow::Cow;
use std::time::Duration;

use super::retry::Retry;
use crate::receipt::{Outcome, Timestamp};
use crate::settings::Settings;
use crate::vendor::{Scope, Verdict};

/// Erasures whose rejection in a row, each unclear, blocks the lane.
const UNCLEAR_REJECTIONS: u32 = 3;

/// How many suspects are remembered.
const SUSPECTS: usize = 8;

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

/// Names an erasure: its source and its id.
pub type Erasure = (String, String);

/// The state of one account's breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Failures in a row, those of one erasure counted once until the breaker opens.
    pub failures: u32,
    /// The erasures that they were of, the last ones. A probe takes another where one is due.
    pub suspects: Vec<Erasure>,
    /// While calls go one at a time, suspects are not called before this.
    pub suspects_rest_until: Timestamp,
    /// What a person must correct.
    pub blocked: Option<Cow<'static, str>>,
    /// While calls go one at a time, none is made before this.
    pub probe_at: Timestamp,
    /// The vendor has asked not to be called before this.
    pub quiet_until: Timestamp,
    /// Since when calls go one at a time, as probes; `None` while the breaker is closed.
    pub opened_at: Option<Timestamp>,
    /// When the last probe was claimed. An answer to an earlier one does not let the next one go. It
    /// is not stored: leases end with the object.
    pub last_probe_at: Timestamp,
}

/// What came of one call, as far as the breaker looks.
#[derive(Debug, Clone, Copy)]
pub struct Result<'a> {
    /// Whose call it was.
    pub erasure: (&'a str, &'a str),
    /// What the answer means.
    pub verdict: &'a Verdict,
    /// When the call was claimed: only what was claimed after the breaker opened says how the account
    /// is now.
    pub claimed_at: Timestamp,
    /// The call was rejected before, and other erasures were not: a rejection is about it alone.
    pub is_alone: bool,
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
        if now < self.rests_until() {
            Leave::RestUntil(self.rests_until())
        } else if self.is_open() {
            Leave::Probe
        } else {
            Leave::Free
        }
    }

    /// No call is made before this; long past where there is nothing to wait for.
    pub fn rests_until(&self) -> Timestamp {
        self.probe_at.max(self.quiet_until)
    }

    /// Whether calls go one at a time.
    pub fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    /// A probe goes out; the next one waits until its lease has run out.
    pub fn probe_sent(&mut self, lease_until: Timestamp, now: Timestamp) {
        self.last_probe_at = now;
        self.probe_at = lease_until;
    }

    /// Records what a call came to.
    pub fn note(
        &mut self,
        result: &Result<'_>,
        limits: &Limits,
        retry: &Retry,
        now: Timestamp,
        random: u32,
    ) {
        let Result { erasure, verdict, claimed_at, is_alone } = *result;
        if let Some(pause) = verdict.retry_after.filter(|_| !verdict.outcome.is_final()) {
            self.quiet_until = self.quiet_until.max(now.after(pause));
        }
        let is_evidence = self.opened_at.is_none_or(|opened_at| claimed_at >= opened_at);
        let is_probe = is_evidence && (!self.is_open() || claimed_at >= self.last_probe_at);
        match (verdict.outcome, verdict.scope) {
            (Outcome::Blocked, Scope::Account | Scope::Unclear) if is_alone => {}
            (Outcome::Blocked, scope @ (Scope::Account | Scope::Unclear)) => {
                let is_first = !self.is_open();
                let is_known = self.suspect(erasure);
                if !is_evidence {
                    return;
                }
                self.failures = self.failures.saturating_add(u32::from(!is_known));
                let is_blocked = scope == Scope::Account || self.blocked.is_some();
                if is_blocked || self.failures >= UNCLEAR_REJECTIONS {
                    self.blocked = Some(verdict.detail.clone().unwrap_or("rejected".into()));
                }
                let later = now.after(limits.probe);
                self.suspects_rest_until = later;
                // Another erasure is tried at once; where that one is rejected too, the lane rests.
                let rests = self.blocked.is_some() && !is_first && !is_known;
                if is_probe {
                    self.open(if rests { later } else { now }, now);
                }
            }
            // It confirms nothing, not even that the vendor has read the request.
            (Outcome::Uncertain, _) => {}
            (Outcome::Scheduled, Scope::Account) => {
                // Throttled: the account must not be called for a while. Whether its credentials
                // are valid is not known from that.
                let pause = verdict.retry_after.unwrap_or(retry.first);
                if is_probe && self.blocked.is_none() {
                    self.close();
                }
                self.quiet_until = self.quiet_until.max(now.after(pause));
                if is_probe {
                    self.probe_at = self.probe_at.min(self.quiet_until);
                }
            }
            (Outcome::Scheduled, Scope::Call | Scope::Unclear) => {
                let is_known = self.suspect(erasure);
                if !is_probe || (is_known && !self.is_open()) {
                    return;
                }
                self.failures = self.failures.saturating_add(1);
                if self.failures < limits.failures && !self.is_open() {
                    return;
                }
                let beyond = self.failures.saturating_sub(limits.failures).saturating_add(1);
                let within = Retry { longest: limits.probe, ..*retry };
                let pause = within.pause(beyond, random);
                self.open(Timestamp(now.0.saturating_add(pause)), now);
            }
            // The vendor has decided about a call, and so the account works.
            _ if is_evidence => self.close(),
            _ => {}
        }
    }

    /// A clock that went backwards must not stop the lane for that long.
    pub fn at_most(&mut self, longest: Duration, now: Timestamp) {
        self.probe_at = self.probe_at.min(now.after(longest));
        self.quiet_until = self.quiet_until.min(now.after(longest));
        self.suspects_rest_until = self.suspects_rest_until.min(now.after(longest));
    }

    fn open(&mut self, probe_at: Timestamp, now: Timestamp) {
        self.probe_at = probe_at;
        self.opened_at.get_or_insert(now);
    }

    /// Calls flow again. What the vendor asked for holds: answers to calls that were under way then do
    /// not shorten it.
    fn close(&mut self) {
        *self = Self { quiet_until: self.quiet_until, ..Self::default() };
    }

    /// Remembers an erasure whose call failed, and tells whether it was known.
    fn suspect(&mut self, (source, request_id): (&str, &str)) -> bool {
        let known = self.suspects.len();
        self.suspects.retain(|(known, id)| (known.as_str(), id.as_str()) != (source, request_id));
        let is_known = self.suspects.len() < known;
        if self.suspects.len() >= SUSPECTS {
            self.suspects.remove(0);
        }
        self.suspects.push((source.to_owned(), request_id.to_owned()));
        is_known
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

    fn verdict(outcome: Outcome, scope: Scope) -> Verdict {
        Verdict { outcome, scope, detail: None, status: Some(400), retry_after: None, trace: None }
    }

    fn rejected() -> Verdict {
        verdict(Outcome::Blocked, Scope::Account)
    }

    fn unclear() -> Verdict {
        verdict(Outcome::Blocked, Scope::Unclear)
    }

    fn good() -> Verdict {
        verdict(Outcome::Accepted, Scope::Call)
    }

    impl Breaker {
        /// A call of this erasure that was claimed at `at` came to `verdict` then.
        fn see(&mut self, request_id: &str, verdict: &Verdict, at: Timestamp) {
            let erasure = ("consent", request_id);
            let result = Result { erasure, verdict, claimed_at: at, is_alone: false };
            self.note(&result, &LIMITS, &RETRY, at, u32::MAX);
        }
    }

    /// After calls of different erasures.
    fn after(verdicts: &[Verdict]) -> Breaker {
        let mut breaker = Breaker::default();
        for (number, verdict) in verdicts.iter().enumerate() {
            breaker.see(&number.to_string(), verdict, NOW);
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
    fn rejected_credentials_block_until_a_call_succeeds() {
        let mut breaker = after(&[rejected()]);
        assert!(breaker.blocked.is_some());
        assert_eq!(breaker.leave(NOW), Leave::Probe, "of another erasure, at once");
        breaker.see("another", &rejected(), NOW);
        assert_eq!(rest(&breaker), 300);
        let later = NOW.after(LIMITS.probe);
        assert_eq!(breaker.leave(later), Leave::Probe);
        breaker.probe_sent(later.after(Duration::from_secs(45)), later);
        assert!(matches!(breaker.leave(later), Leave::RestUntil(_)), "one probe at a time");
        breaker.see("a third", &good(), later);
        assert_eq!((breaker.blocked.clone(), breaker.leave(later)), (None, Leave::Free));
    }

    #[test]
    fn only_a_call_that_was_claimed_since_tells_that_the_account_works() {
        let mut breaker = after(&[rejected()]);
        let erasure = ("consent", "another");
        let claimed_at = Timestamp(NOW.0 - 1);
        let verdict = &good();
        let late = Result { erasure, verdict, claimed_at, is_alone: false };
        breaker.note(&late, &LIMITS, &RETRY, NOW, 0);
        assert!(breaker.blocked.is_some());
        breaker.note(&Result { claimed_at: NOW, ..late }, &LIMITS, &RETRY, NOW, 0);
        assert!(breaker.blocked.is_none());
    }

    #[test]
    fn an_answer_to_an_earlier_call_does_not_let_a_second_probe_go() {
        let throttled = verdict(Outcome::Scheduled, Scope::Account);
        for late in [Verdict::from(Failure::Timeout), throttled] {
            for rejection in [rejected(), unclear()] {
                let mut breaker = after(&[rejection]);
                let lease_until = NOW.after(Duration::from_secs(45));
                breaker.probe_sent(lease_until, NOW);
                let erasure = ("consent", "another");
                let claimed_at = Timestamp(NOW.0 - 1);
                let earlier = Result { erasure, verdict: &late, claimed_at, is_alone: false };
                breaker.note(&earlier, &LIMITS, &RETRY, NOW, 0);
                assert_eq!(breaker.leave(NOW), Leave::RestUntil(lease_until), "{late:?}");
                assert!(breaker.is_open());
            }
        }
    }

    #[test]
    fn an_answer_to_an_earlier_probe_does_not_let_another_go() {
        let mut breaker = after(&[rejected()]);
        breaker.probe_sent(NOW.after(Duration::from_secs(45)), NOW);
        let later = NOW.after(Duration::from_secs(46));
        let lease_until = later.after(Duration::from_secs(45));
        breaker.probe_sent(lease_until, later);
        breaker.see("0", &rejected(), NOW);
        assert_eq!(breaker.leave(later), Leave::RestUntil(lease_until));
        let mut works = breaker.clone();
        works.see("1", &good(), NOW);
        assert!(!works.is_open(), "it was claimed since the breaker opened");
    }

    #[test]
    fn what_may_be_about_the_call_blocks_the_account_after_three_erasures() {
        let mut breaker = after(&[unclear(), unclear()]);
        assert_eq!((breaker.blocked.clone(), breaker.leave(NOW)), (None, Leave::Probe));
        breaker.see("1", &unclear(), NOW);
        assert!(breaker.blocked.is_none(), "one erasure counts once");
        breaker.see("third", &unclear(), NOW);
        assert!(breaker.blocked.is_some());
        assert_eq!(rest(&breaker), 300);
        let mut passing = after(&[unclear(), unclear()]);
        passing.see("good", &good(), NOW);
        assert_eq!(passing, Breaker::default());
    }

    #[test]
    fn a_rejection_of_what_is_known_to_be_rejected_alone_changes_nothing() {
        let mut breaker = Breaker::default();
        for verdict in [rejected(), unclear()] {
            let erasure = ("consent", "r");
            let alone = Result { erasure, verdict: &verdict, claimed_at: NOW, is_alone: true };
            breaker.note(&alone, &LIMITS, &RETRY, NOW, 0);
        }
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn rejections_of_single_identifiers_do_not_block_the_others() {
        let rejection = verdict(Outcome::Blocked, Scope::Call);
        assert_eq!(after(&vec![rejection; 100]).leave(NOW), Leave::Free);
    }

    #[test]
    fn failures_of_erasures_in_a_row_rest_the_lane_ever_longer() {
        let failure = Verdict::from(Failure::Timeout);
        let rests: Vec<i64> = (2..=8).map(|n| rest(&after(&vec![failure.clone(); n]))).collect();
        assert_eq!(rests, [0, 30, 60, 120, 240, 300, 300]);
        let recovered = after(&[failure.clone(), failure.clone(), failure, good()]);
        assert_eq!(recovered, Breaker::default());
    }

    #[test]
    fn failures_of_one_erasure_count_once() {
        let mut breaker = Breaker::default();
        let failure = Verdict::from(Failure::Timeout);
        for _ in 0..100 {
            breaker.see("r", &failure, NOW);
            breaker.see("s", &failure, NOW);
        }
        assert_eq!((breaker.failures, breaker.leave(NOW)), (2, Leave::Free));
    }

    #[test]
    fn a_throttled_lane_rests_as_long_as_the_vendor_asks() {
        let throttled = |pause: Option<u64>| Verdict {
            retry_after: pause.map(Duration::from_secs),
            ..verdict(Outcome::Scheduled, Scope::Account)
        };
        let breaker = after(&[throttled(Some(7))]);
        assert_eq!((rest(&breaker), breaker.is_open()), (7, false));
        assert_eq!(rest(&after(&[throttled(None)])), 30);
        let blocked = after(&[rejected(), throttled(Some(7))]);
        assert_eq!((rest(&blocked), blocked.blocked.is_some()), (7, true));
    }

    #[test]
    fn a_clock_that_goes_back_does_not_rest_the_lane_for_ever() {
        let mut breaker = after(&[rejected(), rejected()]);
        let before = Timestamp(NOW.0 - 86_400_000);
        breaker.at_most(LIMITS.probe, before);
        assert_eq!(breaker.rests_until(), before.after(LIMITS.probe));
    }
}
