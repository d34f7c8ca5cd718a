//! A lane always says when there is something to do, and never for nothing.

use std::time::Duration;

use erasure_relay::receipt::Timestamp;

use crate::world::*;

#[test]
fn an_empty_lane_sleeps() {
    assert_eq!(World::new().wake(), None);
}

#[test]
fn a_lease_wakes_when_it_runs_out() {
    let mut world = World::new();
    world.claim_new("r");
    assert_eq!(world.wakes_in(), 45);
}

#[test]
fn a_wake_is_never_for_nothing_nor_later_than_something_is_due() {
    let mut world = World::new();
    world.backlog(30);
    let mut dice = Dice(7);
    let mut left = 30;
    let verdicts = [
        accepted(),
        accepted(),
        failed(),
        silence(),
        throttled(90),
        refused(),
        not_enabled(),
        forbidden(),
    ];
    let mut for_nothing = 0;
    for _ in 0..5000 {
        world.now = world.wake().unwrap().max(world.now);
        let claims = world.claim(6);
        // Whether only suspects wait is found out by a look.
        for_nothing = if claims.is_empty() { for_nothing + 1 } else { 0 };
        assert!(for_nothing <= 1, "woken for nothing with {left} left");
        for claim in claims {
            let verdict = &verdicts[usize::try_from(dice.between(0, 8)).unwrap()];
            world.settle(&claim, verdict.clone());
            left -= usize::from(verdict.outcome.is_final());
        }
        if left == 0 {
            return;
        }
    }
    panic!("{left} never came to an end");
}

#[test]
fn a_clock_that_goes_back_stops_a_lane_no_longer_than_its_longest_pause() {
    for back in [60, 3600, DAY, 365 * DAY] {
        let mut world = World::new();
        for number in 0..39 {
            world.accept(&format!("{number}"), &[&format!("{number}@example.com")]);
        }
        world.wait("last");
        // Some of them are under way, and nobody will tell what came of that.
        world.pass(10);
        let probe = world.claim(2).remove(0);
        world.settle(&probe, refused());
        let leased = "SELECT COUNT(*) FROM delivery WHERE lease_until IS NOT NULL";
        assert!(world.store.number(leased) > 10);
        world.now = Timestamp(world.now.0 - 1000 * i64::try_from(back).unwrap());
        let start = world.now;
        let mut done = 0;
        while done < 40 && world.now < start.after(Duration::from_secs(4 * 3600)) {
            world.pass(5);
            world.clean();
            for claim in world.claim(6) {
                world.settle(&claim, accepted());
                done += 1;
            }
        }
        assert_eq!(done, 40, "after {back} s back");
    }
}

#[test]
fn after_a_clock_went_back_a_new_arrival_is_not_asleep_for_long() {
    let mut world = World::new();
    world.claim_new("r");
    world.now = Timestamp(world.now.0 - 86_400_000);
    world.accept("s", &["s@example.com"]);
    assert!(world.wakes_in() <= 60, "{}", world.wakes_in());
}

#[test]
fn a_cleaning_ends_the_leases_that_ran_out_and_no_other() {
    let mut world = World::new();
    let early = world.claim_new("early");
    world.pass(10);
    let late = world.claim_new("late");
    world.pass(34);
    world.clean();
    assert!(world.claim(6).is_empty());
    world.pass(1);
    assert_eq!(world.wake(), Some(world.now));
    world.clean();
    let claims = world.claim(6);
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].record.request_id, "early");
    assert!(world.settle(&early, failed()).record.is_none(), "its lease ran out");
    assert!(world.settle(&late, accepted()).record.is_some());
}
