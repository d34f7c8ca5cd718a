//! What is due, and may be sent, is claimed.

use std::collections::HashSet;

use erasure_relay::delivery::policy::Policy;
use erasure_relay::vendor::Pace;

use crate::world::*;

#[test]
fn the_longest_waiting_and_the_last_due_are_claimed_in_turns() {
    let mut world = World::new();
    world.backlog(20);
    assert!(world.claim(0).is_empty());
    let mut order = Vec::new();
    for _ in 0..4 {
        let claims = world.claim(6);
        assert!(claims.len() <= 6);
        order.extend(claims.into_iter().map(|claim| claim.record.request_id));
        world.pass(1);
    }
    let expected = (0..10).flat_map(|number| [number, 19 - number]);
    let expected: Vec<_> = expected.map(|number| format!("backlog-{number}")).collect();
    assert_eq!(order, expected);
    assert!(world.claim(6).is_empty(), "all are leased");
}

#[test]
fn a_claim_says_whom_it_is_about() {
    let mut world = World::new();
    let mut call = identity("a@example.com");
    call.alternatives = vec![identity("other \"name\" \u{e9}@example.com").identifier];
    let mut claims = world.arrive("r", vec![part(call)]).claims;
    world.reopen();
    claims.extend(world.claim(1)); // as it was stored
    assert_eq!(claims.len(), 2);
    for claim in claims {
        let call = &claim.call;
        assert_eq!((call.name, call.identifier.expose()), (IDENTITY, "a@example.com"));
        assert_eq!(call.alternatives[0].expose(), "other \"name\" \u{e9}@example.com");
        let record = &claim.record;
        assert_eq!((&*record.source, &*record.request_id), ("consent", "r"));
        assert_eq!((record.received_at, claim.claimed_at), (START, START));
    }
}

#[test]
fn claims_keep_the_pace_in_every_closed_window() {
    let pace = Some(Pace { calls: 40, per_seconds: 10 });
    let mut world = World::with(Policy { pace, ..policy() });
    let parts = (0..300).map(|number| part(identity(&format!("{number}@example.com"))));
    let first = world.arrive("r", parts.collect()).claims;
    let mut times = vec![world.now.0; first.len()];
    first.iter().for_each(|claim| drop(world.settle(claim, accepted())));
    while let Some(wake) = world.wake().filter(|_| times.len() < 300) {
        world.now = wake.max(world.now);
        let claims = world.claim(6);
        assert!(!claims.is_empty(), "a wake for nothing");
        for claim in claims {
            times.push(world.now.0);
            world.settle(&claim, accepted());
        }
    }
    for (index, start) in times.iter().enumerate() {
        let within = times[index..].iter().take_while(|time| **time <= start + 10_000);
        assert!(within.count() <= 40);
    }
    let seconds = (times[299] - times[0]) / 1000;
    assert!(seconds <= 300 / 4 + 5, "the allowance is used: {seconds} s");
}

#[test]
fn a_lease_that_ran_out_is_granted_again_and_not_before() {
    let mut world = World::new();
    let first = world.claim_new("r");
    world.pass(44);
    world.clean();
    assert!(world.claim(6).is_empty());
    world.pass(1);
    world.clean();
    let claims = world.claim(6);
    assert_eq!(claims.len(), 1);
    assert!(world.settle(&first, failed()).record.is_none());
    assert!(world.settle(&claims[0], accepted()).record.is_some());
}

#[test]
fn opening_the_lane_ends_the_leases_of_the_instance_before() {
    let mut world = World::new();
    let former = world.claim_new("r");
    world.pass(1);
    world.reopen();
    assert_eq!(world.wake(), Some(world.now), "due at once");
    let before = world.find("r");
    assert_eq!(before[0].due_at, Some(world.now));
    assert!(world.settle(&former, failed()).record.is_none(), "its claim is void");
    assert_eq!(world.find("r")[0].due_at, before[0].due_at);
    let claims = world.claim(6);
    assert_eq!(claims.len(), 1);
    assert!(world.settle(&former, failed()).record.is_none());
    assert!(world.settle(&claims[0], accepted()).record.is_some());
}

#[test]
fn no_row_is_leased_to_two_at_once() {
    let mut world = World::new();
    world.backlog(50);
    let mut seen = HashSet::new();
    for _ in 0..20 {
        world.clean();
        for claim in world.claim(6) {
            assert!(seen.insert(claim.record.request_id));
        }
        world.now.0 += 400;
    }
    assert_eq!(seen.len(), 50);
}

#[test]
fn a_backlog_of_one_call_leaves_the_other_its_turn() {
    let pace = Some(Pace { calls: 1, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let claim = world.claim_new("r");
    world.settle_and_follow(&claim, profile("r@example.com"));
    world.accept("s", &["s@example.com"]);
    world.accept("t", &["t@example.com"]);
    world.reopen();
    world.pass(100);
    let names: Vec<_> = world.claim(6).iter().map(|claim| claim.call.name).collect();
    assert_eq!(names, [IDENTITY, PROFILE]);
}

/// So many rows of each call, one after the other, all of them due.
fn backlog_of_both_calls(world: &mut World, count: usize) {
    for number in 0..count {
        let claim = world.claim_new(&format!("followed-{number}"));
        let address = format!("followed-{number}@example.com");
        let next = world.settle_and_follow(&claim, profile(&address)).unwrap();
        world.lane.give_back(&next, world.now).unwrap();
        world.pass(1);
    }
    world.backlog(count);
}

#[test]
fn one_call_at_a_time_is_claimed_for_each_kind_of_call_in_turns() {
    let mut world = World::new();
    backlog_of_both_calls(&mut world, 8);
    let claims: Vec<_> = (0..8).flat_map(|_| world.claim(1)).collect();
    for (call, before) in [(IDENTITY, "backlog"), (PROFILE, "followed")] {
        let ids = claims.iter().filter(|claim| claim.call.name == call);
        let ids: Vec<_> = ids.map(|claim| claim.record.request_id.as_str()).collect();
        let expected = [0, 7, 1, 6].map(|number| format!("{before}-{number}"));
        assert_eq!(ids, expected);
    }
}
