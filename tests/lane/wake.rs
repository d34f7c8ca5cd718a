//! A lane always says when there is something to do, and never for nothing.

use std::time::Duration;

use erasure_relay::receipt::{Outcome, Timestamp};

use crate::world::*;

#[test]
fn an_empty_lane_sleeps() {
    assert_eq!(World::new().wake(), None);
}

#[test]
fn a_lease_wakes_when_it_runs_out() {
    let mut world = World::new();
    world.lease("r");
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
        verdict(Outcome::Blocked, 404, None),
    ];
    for _ in 0..5000 {
        world.now = world.wake().unwrap().max(world.now);
        let claims = world.claim(6);
        assert!(!claims.is_empty(), "woken for nothing with {left} left");
        for claim in claims {
            let verdict = &verdicts[usize::try_from(dice.between(0, 7)).unwrap()];
            world.settle(claim.lease, verdict.clone());
            left -= usize::from(verdict.outcome.is_final());
        }
        if left == 0 {
            return;
        }
    }
    panic!("{left} never came to an end");
}

impl World {
    fn lease_or_claim(&mut self) -> erasure_relay::delivery::lane::Lease {
        self.pass(45);
        self.claim(1)[0].lease
    }
}
