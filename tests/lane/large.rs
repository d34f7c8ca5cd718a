//! A lane with a hundred thousand rows that wait, and as many that are done, is as quick as an
//! empty one.

use std::time::{Duration, Instant};

use erasure_relay::delivery::database::Value;
use erasure_relay::delivery::lane::Key;
use erasure_relay::receipt::{State, Timestamp};

use crate::database::Store;
use crate::world::*;

const ROWS: i64 = 100_000;
const LIMIT: Duration = Duration::from_millis(200);

/// Rows of one kind, copied from the one of `request_id`.
fn copy(store: &Store, request_id: &str, prefix: &str, from: Timestamp) {
    let statement = "WITH RECURSIVE number(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
        INSERT INTO delivery (source, request_id, slot, position, received_at, call, identifier,
            subject, person, outcome, status, attempts, detail, updated_at, failures, deadline_at,
            lease, due_at)
        SELECT source, ? || n, slot, position, ? + n, call, identifier, subject, person, outcome,
            status, attempts, detail, updated_at + n, failures, deadline_at + n, lease,
            due_at + n
        FROM delivery, number WHERE request_id = ?";
    let bindings = [Value::Integer(ROWS), prefix.into(), from.0.into(), request_id.into()];
    store.look(statement, &bindings);
}

fn world(waiting_is_older: bool) -> World {
    let mut world = World::new();
    let (mut done_at, mut waits_at) = (START, START.after(Duration::from_secs(DAY)));
    if waiting_is_older {
        (done_at, waits_at) = (waits_at, done_at);
    }
    let done = world.claim_new("done");
    world.settle(&done, accepted());
    copy(&world.store, "done", "done-", done_at);
    world.store.look("DELETE FROM delivery WHERE request_id = 'done'", &[]);
    world.wait("waits");
    copy(&world.store, "waits", "waits-", waits_at);
    // The copies do not open: those that are claimed first and last do.
    for number in 0..10 {
        world.wait(&format!("first{number}"));
    }
    world.store.look("UPDATE delivery SET due_at = 1 WHERE request_id LIKE 'first_'", &[]);
    world.pass(2 * DAY);
    for number in 0..10 {
        world.wait(&format!("last{number}"));
    }
    world.reopen();
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
    assert_eq!(status.waiting, ROWS + 21);
    timed("find", || world.find("waits-50000"));
    let middle = Key {
        received_at: START.after(Duration::from_secs(DAY / 2)),
        source: "consent".to_owned(),
        request_id: String::new(),
    };
    let states = [
        None,
        Some(State::Done),
        Some(State::Discarded),
        Some(State::Pending),
        Some(State::Attention),
    ];
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
    timed("give back", || world.lane.give_back(&claims[2], world.now).unwrap());
    timed("follow", || world.settle_and_follow(&claims[3], profile("followed@example.com")));
    timed("settle", || world.settle(&claims[0], accepted()));
    timed("clean", || world.clean());
    timed("replay", || world.lane.replay("consent", "waits-50000", world.now).unwrap());
    timed("block", || world.settle(&claims[1], refused()));
    lists("blocked", world);
    timed("resume", || world.lane.resume(world.now).unwrap());
    world.pass(730 * DAY);
    timed("clean what is over", || world.clean());
    timed("open", || world.reopen());
}

#[test]
fn every_statement_has_an_index_in_its_order() {
    let mut world = world(false);
    world.store.record_statements();
    every_operation_is_quick(&mut world);
    let plans = world.store.plans();
    for verb in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
        assert!(plans.iter().any(|(_, statement)| statement.starts_with(verb)), "{verb}");
    }
    for (plan, statement) in plans {
        let whole = plan.split("; ").any(|step| step == "SCAN delivery");
        // The rows of one erasure, the rows that are leased, and two lists of one page, are few.
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
