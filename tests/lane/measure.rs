//! What a lane counts for a monitoring system.

use std::time::Duration;

use erasure_relay::delivery::lane::BreakerState;
use erasure_relay::receipt::Outcome;
use erasure_relay::vendor::Scope;

use crate::world::*;

fn ended(world: &mut World, id: &str, outcome: Outcome) {
    world.pass(1);
    let claim = world.claim_new(id);
    world.settle(&claim, verdict(outcome, 400, None).about(Scope::Call));
}

fn attention(world: &World) -> i64 {
    let status = world.lane.status(world.now).unwrap();
    world.lane.attention(&status).unwrap()
}

/// The outcomes of the last 24 hours by name, and whether there are more.
fn recent(world: &World) -> (Vec<(&'static str, i64)>, bool) {
    let status = world.lane.status(world.now).unwrap();
    let recent = world.lane.recent(&status, world.now).unwrap();
    let mut outcomes: Vec<_> =
        recent.outcomes.iter().map(|(outcome, count)| (outcome.name(), *count)).collect();
    outcomes.sort_unstable();
    (outcomes, recent.is_cut)
}

#[test]
fn what_ended_and_needs_a_person_is_counted() {
    let mut world = World::new();
    assert_eq!((attention(&world), recent(&world)), (0, (vec![], false)));
    for (id, outcome) in [
        ("a", Outcome::Accepted),
        ("b", Outcome::Rejected),
        ("c", Outcome::Uncertain),
        ("d", Outcome::AlreadyAbsent),
    ] {
        ended(&mut world, id, outcome);
    }
    world.wait("e");
    assert_eq!(attention(&world), 2);
    let expected = vec![
        ("accepted", 1),
        ("already_absent", 1),
        ("rejected", 1),
        ("scheduled", 1),
        ("uncertain", 1),
    ];
    assert_eq!(recent(&world), (expected, false));
    // What an operator has ended or acknowledged needs nobody.
    world.lane.discard("consent", "b", "by hand", world.now).unwrap();
    assert_eq!(attention(&world), 1);
    world.lane.acknowledge("consent", "c", "seen", world.now).unwrap();
    assert_eq!(attention(&world), 0);
}

#[test]
fn what_came_more_than_a_day_ago_is_not_recent() {
    let mut world = World::new();
    ended(&mut world, "a", Outcome::Rejected);
    world.wait("b");
    world.pass(24 * 3600 - 2);
    assert_eq!(recent(&world).0.len(), 2);
    world.pass(5);
    assert_eq!(recent(&world), (vec![], false));
    assert_eq!(attention(&world), 1, "it still needs a person");
}

#[test]
fn all_that_waits_in_a_blocked_lane_needs_a_person() {
    let mut world = World::new();
    ended(&mut world, "a", Outcome::Rejected);
    world.pass(1);
    let claim = world.claim_new("b");
    world.settle(&claim, refused());
    world.wait("c");
    world.wait("d");
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.breaker, status.waiting), (BreakerState::Blocked, 3));
    assert_eq!(attention(&world), 4, "each once");
    assert_eq!(recent(&world), (vec![("blocked", 3), ("rejected", 1)], false));
}

#[test]
fn counts_look_at_a_bounded_number_of_rows() {
    let mut world = World::new();
    world.backlog(5200);
    let started = std::time::Instant::now();
    let (outcomes, is_cut) = recent(&world);
    assert_eq!((outcomes, is_cut), (vec![("scheduled", 5000)], true));
    assert!(started.elapsed() < Duration::from_secs(5));
}
