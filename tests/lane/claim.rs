//! What is due, and may go, is leased to the lane's own alarm.

use std::collections::HashSet;

use erasure_relay::delivery::policy::Policy;
use erasure_relay::vendor::Pace;

use crate::world::*;

#[test]
fn the_longest_waiting_goes_first_and_no_more_than_asked_for() {
    let mut world = World::new();
    world.backlog(20);
    assert!(world.claim(0).is_empty());
    let mut order = Vec::new();
    for _ in 0..4 {
        let claims = world.claim(6);
        assert!(claims.len() <= 6);
        order.extend(claims.into_iter().map(|claim| claim.call.identifier.expose().to_owned()));
        world.pass(1);
    }
    let expected: Vec<_> = (0..20).map(|number| format!("b{number}@example.com")).collect();
    assert_eq!(order, expected);
    assert!(world.claim(6).is_empty(), "all are leased");
}

#[test]
fn a_claim_says_whom_it_is_about() {
    let mut world = World::new();
    let mut call = identity("a@example.com");
    call.alternatives = vec![identity("other \"name\" \u{e9}@example.com").identifier];
    world.arrive("r", vec![part(call)]);
    world.pass(45);
    let claims = world.claim(1);
    let call = &claims[0].call;
    assert_eq!((call.name, call.identifier.expose()), (IDENTITY, "a@example.com"));
    assert_eq!(call.alternatives[0].expose(), "other \"name\" \u{e9}@example.com");
}

#[test]
fn claims_keep_the_pace_in_every_closed_window() {
    let pace = Some(Pace { calls: 40, per_seconds: 10 });
    let mut world = World::with(Policy { pace, ..policy() });
    let emails: Vec<_> = (0..300).map(|number| format!("{number}@example.com")).collect();
    let emails: Vec<_> = emails.iter().map(String::as_str).collect();
    let mut times = vec![world.now.0; world.accept("r", &emails).leases.len()];
    while let Some(wake) = world.wake().filter(|_| times.len() < 300) {
        world.now = wake.max(world.now);
        let claims = world.claim(6);
        assert!(!claims.is_empty(), "a wake for nothing");
        times.extend(claims.iter().map(|_| world.now.0));
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
    let first = world.lease("r");
    world.pass(44);
    assert!(world.claim(6).is_empty());
    world.reopen();
    world.pass(1);
    let claims = world.claim(6);
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].lease.id, claims[0].lease.number), (first.id, first.number + 1));
}

#[test]
fn no_row_is_leased_to_two_at_once() {
    let mut world = World::new();
    world.backlog(50);
    let mut seen = HashSet::new();
    for _ in 0..20 {
        for claim in world.claim(6) {
            assert!(seen.insert(claim.lease.id));
        }
        world.now.0 += 400;
        world.reopen();
    }
    assert_eq!(seen.len(), 50);
}

#[test]
fn a_backlog_of_one_call_leaves_the_other_its_turn() {
    let pace = Some(Pace { calls: 1, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let lease = world.lease("r");
    world.settle_and_follow(lease, profile("r@example.com"));
    world.accept("s", &["s@example.com"]);
    world.accept("t", &["t@example.com"]);
    world.pass(100);
    let names: Vec<_> = world.claim(6).iter().map(|claim| claim.call.name).collect();
    assert_eq!(names, [IDENTITY, PROFILE]);
}
