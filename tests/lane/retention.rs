//! Receipts and identifiers go when their time is over.

use std::time::Duration;

use erasure_relay::receipt::Outcome;

use crate::world::*;

#[test]
fn a_receipt_goes_after_its_time_and_what_waits_stays() {
    let mut world = World::new();
    let done = world.lease("done");
    world.settle(done, accepted());
    let stuck = world.lease("stuck");
    world.settle(stuck, verdict(Outcome::Blocked, 404, None));
    world.pass(730 * DAY - 1);
    world.lane.sweep(world.now).unwrap();
    assert_eq!(world.rows(), 2);
    world.pass(1);
    world.lane.sweep(world.now).unwrap();
    assert_eq!((world.find("done").len(), world.find("stuck").len()), (0, 1));
}

#[test]
fn identifiers_kept_for_a_replay_go_after_their_time_and_the_receipt_stays() {
    let mut world = World::new();
    let lease = world.lease("r");
    world.settle(lease, verdict(Outcome::Uncertain, 200, None));
    assert_eq!(world.wake(), Some(START.after(Duration::from_secs(30 * DAY))));
    world.pass(30 * DAY - 1);
    world.lane.sweep(world.now).unwrap();
    assert!(world.person_is_stored(lease.id));
    world.pass(1);
    world.lane.sweep(world.now).unwrap();
    assert!(!world.person_is_stored(lease.id));
    assert_eq!(world.outcome("r"), Outcome::Uncertain);
    assert_eq!(world.wake(), Some(START.after(Duration::from_secs(730 * DAY))));
}

#[test]
fn a_sweep_is_bounded_and_the_wake_asks_for_the_next() {
    let mut world = World::new();
    for number in 0..1200 {
        let lease = world.lease(&format!("{number}"));
        world.settle(lease, accepted());
        world.now.0 += 100;
    }
    world.pass(731 * DAY);
    let mut sweeps = 0;
    while world.wake().is_some() {
        assert!(world.wake().unwrap() <= world.now);
        let before = world.rows();
        world.lane.sweep(world.now).unwrap();
        assert!((1..=500).contains(&(before - world.rows())));
        sweeps += 1;
    }
    assert_eq!((sweeps, world.rows()), (3, 0));
}

#[test]
fn what_waits_is_never_swept() {
    let mut world = World::new();
    world.backlog(30);
    world.pass(1000 * DAY);
    world.lane.sweep(world.now).unwrap();
    assert_eq!(world.rows(), 30);
    assert_eq!(world.claim(6).len(), 6);
}
