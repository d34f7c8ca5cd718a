//! What came of a claim.

use std::time::Duration;

use erasure_relay::delivery::lane::Record;
use erasure_relay::delivery::lane::Settlement;
use erasure_relay::delivery::policy::Policy;
use erasure_relay::receipt::Outcome;
use erasure_relay::vendor::Pace;

use crate::world::*;

#[test]
fn a_final_outcome_is_recorded_and_the_identifiers_go_unless_it_can_be_replayed() {
    for (outcome, status, kept) in [
        (Outcome::Accepted, 200, false),
        (Outcome::AlreadyAbsent, 404, false),
        (Outcome::NotErased, 400, false),
        (Outcome::Rejected, 422, true),
        (Outcome::Uncertain, 200, true),
    ] {
        let mut world = World::new();
        let claim = world.claim_new("r");
        assert!(world.person_is_stored("r"));
        world.pass(2);
        world.settle(&claim, verdict(outcome, status, None));
        let record = &world.find("r")[0];
        assert_eq!((record.outcome, record.status), (outcome, Some(status)));
        assert_eq!((record.attempts, record.due_at, record.updated_at), (1, None, world.now));
        assert_eq!(record.detail.as_deref(), Some("said so"));
        assert_eq!(record.trace.as_deref(), Some("trace-1"));
        assert_eq!(world.person_is_stored("r"), kept, "{outcome:?}");
        world.pass(7200);
        assert!(world.claim(6).is_empty());
    }
}

#[test]
fn a_failure_is_tried_again_after_ever_longer_pauses() {
    let mut world = World::new();
    let mut claim = world.claim_new("r");
    for (failures, longest) in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600].iter().enumerate() {
        world.settle(&claim, failed());
        let record = &world.find("r")[0];
        assert_eq!(record.attempts as usize, failures + 1);
        assert_eq!(record.outcome, Outcome::Scheduled);
        world.lane.resume(world.now).unwrap(); // the breaker is not what this is about
        let due = world.find("r")[0].due_at.unwrap();
        assert!(due >= world.now && due <= world.now.after(Duration::from_secs(*longest)));
        world.now = due;
        claim = world.claim(6).remove(0);
    }
}

#[test]
fn whoever_comes_too_late_changes_nothing() {
    let mut world = World::new();
    let first = world.claim_new("r");
    world.pass(45);
    world.clean();
    let second = world.claim(6).remove(0);
    let before = world.find("r");
    for (asked, late) in [(1, failed()), (2, verdict(Outcome::Rejected, 400, None))] {
        let settled = world.settle(&first, late);
        assert!(settled.record.is_none() && settled.next.is_none());
        let after = Record { attempts: asked, ..before[0].clone() };
        assert_eq!(world.find("r"), [after], "only how often the vendor was asked");
    }
    world.settle(&second, accepted());
    assert_eq!(world.outcome("r"), Outcome::Accepted);
    world.settle(&first, failed());
    assert_eq!(world.outcome("r"), Outcome::Accepted);
}

#[test]
fn a_late_answer_counts_as_long_as_its_lease_was_not_ended() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.pass(3000);
    world.settle(&claim, accepted());
    assert_eq!(world.outcome("r"), Outcome::Accepted);
}

#[test]
fn the_same_settlement_is_recorded_once() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, failed());
    let before = world.find("r")[0].clone();
    world.settle(&claim, failed());
    assert_eq!(world.find("r"), [Record { attempts: 2, ..before }]);
    let claim = world.claim_new("s");
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    world.lane.replay("consent", "s", world.now).unwrap();
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    assert_eq!(world.outcome("s"), Outcome::Scheduled, "the replay is not over");
}

#[test]
fn a_settlement_of_a_call_that_was_followed_is_not_one_of_the_call_that_follows() {
    let pace = Some(Pace { calls: 1, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let claim = world.claim_new("r");
    assert!(world.settle_and_follow(&claim, identity("other@example.com")).is_none());
    world.settle(&claim, verdict(Outcome::NotErased, 400, None));
    assert_eq!(world.outcome("r"), Outcome::Scheduled);
}

#[test]
fn the_call_that_follows_goes_at_once_where_its_own_pace_allows() {
    let pace = Some(Pace { calls: 1, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let first = world.claim_new("r");
    let next = world.settle_and_follow(&first, profile("r@example.com")).unwrap();
    assert_eq!((next.call.name, next.claimed_at), (PROFILE, world.now));
    assert!(world.settle(&first, failed()).record.is_none(), "the first claim is void");
    let record = &world.find("r")[0];
    assert_eq!(record.call.as_deref(), Some(PROFILE));
    assert_eq!((record.outcome, record.attempts), (Outcome::Scheduled, 2));
    assert!(world.person_is_stored("r"));
    world.settle(&next, accepted());
    let record = &world.find("r")[0];
    assert_eq!((record.outcome, record.attempts), (Outcome::Accepted, 3));
    assert!(!world.person_is_stored("r"));
    assert_eq!(world.rows(), 1);
}

#[test]
fn the_call_that_follows_waits_where_its_pace_does_not_allow() {
    let pace = Some(Pace { calls: 1, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let claim = world.claim_new("r");
    assert!(world.settle_and_follow(&claim, identity("other@example.com")).is_none());
    assert!(world.claim(6).is_empty());
    world.now = world.wake().unwrap();
    let claims = world.claim(6);
    assert_eq!(claims[0].call.identifier.expose(), "other@example.com");
}

#[test]
fn the_same_webhook_after_a_follow_up_adds_nothing() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    let next = world.settle_and_follow(&claim, profile("r@example.com")).unwrap();
    assert!(world.accept("r", &["r@example.com"]).claims.is_empty());
    world.settle(&next, accepted());
    assert!(world.accept("r", &["r@example.com"]).claims.is_empty());
    assert_eq!(world.rows(), 1);
}

#[test]
fn retry_after_slows_the_whole_lane() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, throttled(600));
    assert!(world.accept("s", &["s@example.com"]).claims.is_empty());
    assert_eq!(world.wakes_in(), 600);
    world.pass(599);
    assert!(world.claim(6).is_empty());
    world.pass(1);
    assert_eq!(world.claim(6).len(), 2);
}

#[test]
fn answers_to_calls_under_way_do_not_shorten_a_rest_that_the_vendor_asked_for() {
    for later in [accepted(), throttled(1), verdict(Outcome::Scheduled, 429, None)] {
        let mut world = World::new();
        let (first, second) = (world.claim_new("r"), world.claim_new("s"));
        world.settle(&first, throttled(600));
        world.settle(&second, later);
        assert!(world.accept("t", &["t@example.com"]).claims.is_empty());
        world.pass(599);
        assert!(world.claim(6).is_empty());
        world.pass(1);
        assert!(!world.claim(6).is_empty());
    }
}

#[test]
fn a_row_is_exhausted_by_a_failure_after_its_deadline_and_never_by_waiting() {
    let mut world = World::new();
    world.backlog(20);
    world.pass(80 * 3600);
    let claims = world.claim(20);
    assert!(claims.len() >= 10);
    for claim in &claims {
        world.settle(claim, accepted());
    }
    world.pass(60);
    let last = world.claim(20).remove(0);
    world.settle(&last, failed());
    let statement = "SELECT COUNT(*) FROM delivery WHERE outcome = 'exhausted'";
    assert_eq!(world.store.number(statement), 1);
    assert!(world.person_is_stored(&last.record.request_id), "it can be replayed");
}

#[test]
fn calls_made_without_asking_are_taken_from_the_pace() {
    let pace = Some(Pace { calls: 60, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let claim = world.claim_new("r");
    let settlement = Settlement { attempts: 6, ..settlement(&claim, accepted(), world.now) };
    world.lane.settle(&settlement, world.now).unwrap();
    assert_eq!(world.find("r")[0].attempts, 6);
    world.pass(5);
    assert!(world.accept("s", &["s@example.com"]).claims.is_empty(), "five calls too many");
    world.pass(2);
    assert_eq!(world.claim(6).len(), 1);
}

#[test]
fn a_settlement_tells_the_row_as_it_was_stored() {
    for verdict in [accepted(), failed(), refused(), throttled(60), silence()] {
        let mut world = World::new();
        let claim = world.claim_new("r");
        world.pass(1);
        let told = settlement(&claim, verdict.clone(), world.now).concluded();
        let record = world.settle(&claim, verdict.clone()).record;
        assert_eq!(record.as_ref(), world.find("r").first());
        assert_eq!(
            told,
            record.filter(|_| verdict.outcome.is_final()),
            "told before it was stored"
        );
    }
}

#[test]
fn the_time_of_the_answer_is_recorded_and_not_that_of_the_record() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    let at = world.now.after(Duration::from_secs(2));
    world.pass(3);
    world.lane.settle(&settlement(&claim, accepted(), at), world.now).unwrap();
    assert_eq!(world.find("r")[0].updated_at, at);
}
