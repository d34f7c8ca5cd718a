//! The pace holds over a restart at any moment, though it is stored only now and then.

use std::time::Duration;

use erasure_relay::delivery::policy::Policy;
use erasure_relay::vendor::Pace;

use crate::world::*;

fn world(calls: u32, per_seconds: u32) -> World {
    World::with(Policy { pace: Some(Pace { calls, per_seconds }), ..policy() })
}

fn most_in_a_window(times: &[i64], window: i64) -> usize {
    let within = |(index, start): (usize, &i64)| {
        times[index..].iter().take_while(|time| **time <= start + window).count()
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

#[test]
fn no_window_holds_more_over_restarts_and_failed_statements() {
    for (calls, per_seconds) in [(20, 1), (40, 10), (500, 10), (1, 60), (1000, 60)] {
        for seed in 0..2 {
            let mut world = world(calls, per_seconds);
            let window = i64::from(per_seconds) * 1000;
            let mut dice = Dice(seed);
            let mut times: Vec<i64> = Vec::new();
            let mut number = 0;
            let end = START.0 + 2 * window + 20_000;
            while world.now.0 < end && times.len() < 1200 {
                number += 1;
                world.wait(&format!("{number}"));
                if dice.one_in(8) {
                    world.store.fail_after(u32::try_from(dice.between(0, 6)).unwrap());
                }
                if let Ok(claimed) = world.lane.claim(1, world.now) {
                    world.store.stop_failing();
                    for claim in claimed.claims {
                        times.push(world.now.0);
                        world.settle(&claim, accepted());
                    }
                }
                world.store.stop_failing();
                if dice.one_in(40) {
                    world.reopen();
                }
                // Soon again as long as the pace allows, then when it does.
                let next = world.lane.next_call().unwrap_or(world.now).0;
                world.now.0 = next.clamp(world.now.0, world.now.0 + 500) + dice.between(0, 2);
            }
            let most = most_in_a_window(&times, window);
            assert!(most <= calls as usize, "{calls} in {per_seconds} s, seed {seed}: {most}");
            let share = times.len() as f64 / (world.now.0 - START.0) as f64 * window as f64;
            assert!(share > f64::from(calls) * 0.1, "{share} of {calls} in {per_seconds} s");
        }
    }
}

#[test]
fn a_crash_costs_a_second_of_calls_at_most() {
    let mut world = world(1000, 60);
    world.claim_new("r");
    world.reopen();
    let rest = world.wake().unwrap().0 - world.now.0;
    assert!(rest <= 1200, "{rest} ms");
}

#[test]
fn a_fast_pace_is_stored_once_a_second_at_most() {
    let mut world = world(1000, 60);
    for count in [
        "CREATE TABLE written (at INTEGER)",
        "CREATE TRIGGER stored AFTER INSERT ON flow BEGIN INSERT INTO written VALUES (1); END",
        "CREATE TRIGGER changed AFTER UPDATE ON flow BEGIN INSERT INTO written VALUES (1); END",
    ] {
        world.store.define(count);
    }
    let mut calls = 0;
    for number in 0..200 {
        world.wait(&format!("{number}"));
    }
    while world.now < START.after(Duration::from_secs(10)) {
        for claim in world.claim(6) {
            world.settle(&claim, accepted());
            calls += 1;
        }
        world.now.0 += 20;
    }
    let written = world.store.number("SELECT COUNT(*) FROM written");
    assert!(calls > 150, "{calls}");
    assert!((9..=11).contains(&written), "{written} rows for {calls} calls");
}

#[test]
fn a_slow_pace_is_not_held_up_by_its_reservation() {
    let mut world = world(1, 60);
    world.claim_new("r");
    world.wait("s");
    let before = world.lane.next_call();
    for _ in 0..3 {
        world.pass(1);
        world.reopen();
        assert_eq!(world.lane.next_call(), before, "as if it had not been restarted");
    }
    let after = before.unwrap().0 - START.0;
    assert!((60_000..62_000).contains(&after), "{after} ms");
}

#[test]
fn a_reservation_that_was_not_stored_is_not_counted_on() {
    let pace = Pace { calls: 1000, per_seconds: 60 };
    let mut world = World::with(Policy { pace: Some(pace), ..policy() });
    world.wait("r");
    world.wait("s");
    // The look-up, the lease; the pace fails.
    world.store.fail_after(2);
    assert!(world.lane.claim(1, world.now).is_err());
    assert_eq!(world.store.number("SELECT COUNT(*) FROM flow"), 0);
    assert_eq!(world.claim(1).len(), 1);
    assert_eq!(world.store.number("SELECT COUNT(*) FROM flow"), 1, "stored before this call");
}
