//! A lane with a hundred thousand rows that wait, and as many that are done, is as quick as an
//! empty one.

use std::time::{Duration, Instant};

use erasure_relay::delivery::database::Value;
use erasure_relay::delivery::lane::Key;
use erasure_relay::receipt::{Outcome, State, Timestamp};

use crate::database::Store;
use crate::world::*;

const ROWS: i64 = 100_000;
const LIMIT: Duration = Duration::from_millis(200);

/// Rows of one kind, copied from the one that is there.
fn copy(store: &Store, prefix: &str, from: Timestamp) {
    let statement = "WITH RECURSIVE number(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
        INSERT INTO deliveries (source, request_id, slot, received_at, call, identifier, subject,
            person, outcome, status, attempts, detail, updated_at, failures, deadline_at, lease,
            due_at)
        SELECT source, ? || n, slot, ? + n, call, identifier, subject, person, outcome, status,
            attempts, detail, updated_at + n, failures, deadline_at + n, lease,
            due_at + n
        FROM deliveries, number WHERE id = (SELECT MAX(id) FROM deliveries)";
    store.look(statement, &[Value::Integer(ROWS), prefix.into(), Value::Integer(from.0)]);
}

fn world(waiting_is_older: bool) -> World {
    let mut world = World::new();
    let (mut done_at, mut waits_at) = (START, START.after(Duration::from_secs(DAY)));
    if waiting_is_older {
        (done_at, waits_at) = (waits_at, done_at);
    }
    let done = world.lease("done");
    world.settle(done, accepted());
    copy(&world.store, "done-", done_at);
    world.store.look("DELETE FROM deliveries WHERE request_id = 'done'", &[]);
    for number in 0..10 {
        world.pass(1);
        let waits = world.lease(&format!("waits{number}"));
        world.settle(waits, verdict(Outcome::Blocked, 404, None));
        world.lane.resume(world.now).unwrap();
    }
    // The copies do not open, so they come last.
    copy(&world.store, "waits-", waits_at);
    world.pass(3 * DAY);
    world
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    let took = start.elapsed();
    println!("{what:<30} {took:?}");
    assert!(took < LIMIT, "{what} took {took:?}");
    done
}

fn every_operation_is_quick(world: &mut World) {
    timed("wake", || world.wake());
    let status = timed("status", || world.lane.status(world.now).unwrap());
    assert_eq!(status.waiting, ROWS + 10);
    timed("find", || world.find("waits-50000"));
    let middle = Key {
        received_at: START.after(Duration::from_secs(DAY / 2)),
        source: "consent".to_owned(),
        request_id: String::new(),
    };
    let states = [None, Some(State::Done), Some(State::Pending), Some(State::Attention)];
    let lists = |name: &str, world: &World| {
        for state in states {
            for before in [None, Some(&middle)] {
                let what = format!("list {state:?} {} {name}", before.is_some());
                timed(&what, || world.lane.list(state, before, 100).unwrap());
            }
        }
    };
    lists("", world);
    timed("accept", || world.accept("new", &["new@example.com"]));
    let claims = timed("claim", || world.claim(6));
    assert_eq!(claims.len(), 6);
    timed("settle", || world.settle(claims[0].lease, accepted()));
    timed("sweep", || world.lane.sweep(world.now).unwrap());
    timed("replay", || world.lane.replay("consent", "waits-50000", world.now).unwrap());
    timed("block", || world.settle(claims[1].lease, refused()));
    lists("blocked", world);
    timed("resume", || world.lane.resume(world.now).unwrap());
    world.pass(730 * DAY);
    timed("sweep of what is over", || world.lane.sweep(world.now).unwrap());
}

#[test]
fn every_statement_has_an_index_in_its_order() {
    let mut world = world(false);
    world.store.listen();
    every_operation_is_quick(&mut world);
    for (plan, statement) in world.store.plans() {
        let whole = plan.split("; ").any(|step| step == "SCAN deliveries");
        // The rows of one erasure, and two lists of one page, are few.
        let few = statement.contains("request_id = ?") || statement.contains("UNION");
        assert!(!whole && (few || !plan.contains("ORDER BY")), "{plan}: {statement}");
    }
}

#[test]
fn new_rows_wait_behind_a_long_history() {
    every_operation_is_quick(&mut world(false));
}

#[test]
fn old_rows_wait_below_a_long_history() {
    every_operation_is_quick(&mut world(true));
}
