//! Receipts and identifiers go when their time is over.

use std::time::Duration;

use erasure_relay::receipt::Outcome;

use crate::world::*;

#[test]
fn a_receipt_goes_after_its_time_and_what_waits_stays() {
    let mut world = World::new();
    let done = world.claim_new("done");
    world.settle(&done, accepted());
    let stuck = world.claim_new("stuck");
    world.settle(&stuck, not_enabled());
    world.pass(731 * DAY - 1);
    world.clean();
    assert_eq!(world.rows(), 2);
    world.wait("new");
    world.pass(1);
    world.clean();
    assert_eq!((world.find("done").len(), world.find("new").len()), (0, 1));
}

#[test]
fn identifiers_kept_for_a_replay_go_after_their_time_and_the_receipt_stays() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, verdict(Outcome::Uncertain, 200, None));
    assert_eq!(world.wake(), Some(START.after(Duration::from_secs(30 * DAY))));
    world.pass(30 * DAY - 1);
    world.clean();
    assert!(world.person_is_stored("r"));
    world.pass(1);
    world.clean();
    assert!(!world.person_is_stored("r"));
    assert_eq!(world.outcome("r"), Outcome::Uncertain);
    assert_eq!(world.wake(), Some(START.after(Duration::from_secs(731 * DAY))));
}

#[test]
fn a_cleaning_is_bounded_and_the_wake_asks_for_the_next() {
    let mut world = World::new();
    for number in 0..1200 {
        let claim = world.claim_new(&format!("{number}"));
        world.settle(&claim, accepted());
        world.now.0 += 100;
    }
    world.pass(731 * DAY);
    let mut cleanings = 0;
    while world.wake().is_some() {
        assert!(world.wake().unwrap() <= world.now);
        let before = world.rows();
        world.clean();
        assert!((1..=500).contains(&(before - world.rows())));
        cleanings += 1;
    }
    assert_eq!((cleanings, world.rows()), (3, 0));
}

#[test]
fn what_waits_is_not_cleaned_away() {
    let mut world = World::new();
    world.backlog(30);
    world.pass(32 * DAY);
    assert!(world.clean().is_empty());
    assert_eq!(world.rows(), 30);
    assert_eq!(world.claim(6).len(), 6);
}
