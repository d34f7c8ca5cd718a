//! A lane that may not call keeps what waits, and looks again by itself.

use erasure_relay::receipt::{Outcome, State};

use crate::world::*;

/// A lane whose account is refused, with so many rows behind the one that was.
fn blocked(behind: usize) -> World {
    let mut world = World::new();
    world.backlog(behind + 1);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, refused());
    world
}

fn count(world: &World, condition: &str) -> i64 {
    world.store.number(&format!("SELECT COUNT(*) FROM delivery WHERE {condition}"))
}

#[test]
fn a_blocked_lane_keeps_every_row_and_shows_those_behind_as_blocked() {
    let world = blocked(30);
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.waiting, status.breaker), (31, "blocked"));
    assert_eq!(status.reason.as_deref(), Some("said so"));
    assert_eq!(count(&world, "person IS NOT NULL AND due_at IS NOT NULL"), 31);
    for number in 0..31 {
        assert_eq!(world.outcome(&format!("backlog-{number}")), Outcome::Blocked);
    }
    assert_eq!(world.lane.list(Some(State::Attention), None, 100).unwrap().len(), 31);
}

#[test]
fn a_blocked_lane_probes_with_one_row_at_a_time() {
    let mut world = blocked(30);
    for _ in 0..5 {
        assert!(world.claim(6).is_empty());
        assert!(world.accept("new", &["new@example.com"]).claims.is_empty());
        assert_eq!(world.wakes_in(), 300);
        world.pass(300);
        let claims = world.claim(6);
        assert_eq!(claims.len(), 1);
        assert!(world.claim(6).is_empty(), "one probe at a time");
        world.settle(&claims[0], refused());
    }
}

#[test]
fn a_probe_that_is_lost_is_sent_again_once_its_lease_ran_out() {
    let mut world = blocked(3);
    world.pass(300);
    world.claim(6);
    world.reopen();
    assert_eq!(world.wakes_in(), 45);
    world.pass(45);
    assert_eq!(world.claim(6).len(), 1);
}

#[test]
fn a_probe_that_succeeds_lets_everything_be_sent() {
    let mut world = blocked(9);
    world.pass(300);
    let probe = world.claim(6).remove(0);
    world.settle(&probe, accepted());
    assert_eq!(world.lane.status(world.now).unwrap().breaker, "closed");
    assert_eq!(count(&world, "outcome = 'blocked'"), 0);
    assert_eq!(world.claim(20).len(), 9);
}

#[test]
fn an_operator_resumes_at_once() {
    let mut world = blocked(9);
    world.lane.resume(world.now).unwrap();
    assert_eq!(world.lane.status(world.now).unwrap().breaker, "closed");
    world.pass(1);
    assert_eq!(world.claim(20).len(), 10);
}

#[test]
fn the_breaker_survives_an_eviction() {
    let mut world = blocked(9);
    world.reopen();
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.breaker, status.reason.as_deref()), ("blocked", Some("said so")));
    assert!(world.claim(6).is_empty());
}

#[test]
fn what_is_under_way_is_not_sent_a_second_time_by_resuming_or_replaying() {
    for replay in [false, true] {
        let mut world = blocked(0);
        world.pass(300);
        let probe = world.claim(6).remove(0);
        if replay {
            world.lane.replay("consent", "backlog-0", world.now).unwrap();
        }
        world.lane.resume(world.now).unwrap();
        assert!(world.claim(6).is_empty(), "the probe is under way");
        world.settle(&probe, accepted());
        assert_eq!(world.outcome("backlog-0"), Outcome::Accepted);
    }
}

#[test]
fn what_is_under_way_is_not_sent_a_second_time_when_the_account_recovers() {
    let mut world = World::new();
    let lone = world.claim_new("lone");
    world.settle(&lone, verdict(Outcome::Blocked, 404, None));
    let late = world.claim_new("other");
    world.pass(3600);
    world.clean();
    let claims = world.claim(6);
    assert_eq!(claims.len(), 2);
    let other = claims.iter().find(|claim| claim.record.request_id == "other").unwrap();
    // Too late for the row, and true of the account.
    assert!(world.settle(&late, refused()).record.is_none());
    assert_eq!(world.lane.status(world.now).unwrap().breaker, "blocked");
    world.settle(other, accepted());
    assert_eq!(world.lane.status(world.now).unwrap().breaker, "closed");
    assert!(world.claim(6).is_empty(), "both are under way or done");
}

#[test]
fn a_refusal_of_one_identifier_blocks_its_row_and_not_the_lane() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, verdict(Outcome::Blocked, 404, None));
    assert_eq!(world.outcome("r"), Outcome::Blocked);
    assert_eq!(world.lane.status(world.now).unwrap().breaker, "closed");
    assert_eq!(world.accept("s", &["s@example.com"]).claims.len(), 1);
    world.lane.replay("consent", "r", world.now).unwrap();
    assert_eq!(world.claim(6).len(), 1);
}

#[test]
fn a_vendor_that_fails_is_probed_and_its_backlog_is_kept() {
    let mut world = World::new();
    world.backlog(40);
    for claim in world.claim(6) {
        world.settle(&claim, silence());
    }
    let mut probes = 0;
    for _ in 0..20 {
        assert_eq!(world.lane.status(world.now).unwrap().breaker, "probing");
        world.now = world.wake().unwrap().max(world.now);
        let claims = world.claim(6);
        assert_eq!(claims.len(), 1);
        world.settle(&claims[0], silence());
        probes += 1;
    }
    assert_eq!((probes, world.lane.status(world.now).unwrap().waiting), (20, 40));
    world.now = world.wake().unwrap().max(world.now);
    let probe = world.claim(6).remove(0);
    world.settle(&probe, accepted());
    assert_eq!(world.claim(6).len(), 6);
}

#[test]
fn what_was_blocked_is_sent_once_the_vendor_merely_throttles() {
    let mut world = blocked(5);
    world.pass(300);
    let probe = world.claim(6).remove(0);
    world.settle(&probe, throttled(20));
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.breaker, status.reason), ("resting", None));
    world.pass(20);
    assert!(world.claim(6).len() >= 5);
}

#[test]
fn an_eviction_does_not_shorten_a_rest_that_the_vendor_asked_for() {
    let mut policy = policy();
    policy.retry.longest = std::time::Duration::from_secs(60);
    let mut world = World::with(policy);
    let claim = world.claim_new("r");
    world.settle(&claim, throttled(3600));
    world.accept("s", &["s@example.com"]);
    world.reopen();
    world.pass(3599);
    assert!(world.claim(6).is_empty());
    world.pass(1);
    assert_eq!(world.claim(6).len(), 2);
}

#[test]
fn silences_do_not_shorten_a_rest_that_the_vendor_asked_for() {
    let mut world = World::new();
    world.backlog(6);
    let claims = world.claim(6);
    world.settle(&claims[0], throttled(600));
    for claim in &claims[1..] {
        world.settle(claim, silence());
    }
    world.pass(599);
    assert!(world.claim(6).is_empty());
}
