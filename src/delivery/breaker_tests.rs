//! What opens and closes the breaker, and which call may go meanwhile.

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
