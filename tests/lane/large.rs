//! A lane with a hundred thousand rows that wait, and as many that are done, is as quick as an
//! empty one.

use std::time::Duration;

use erasure_relay::delivery::database::Value;
use erasure_relay::delivery::lane::Key;
use erasure_relay::receipt::{State, Timestamp};

use crate::database::Store;
use crate::world::*;

const ROWS: i64 = 100_000;
/// Steps of SQLite's virtual machine that one operation may take: fewer than one for each row. To count
/// what waits takes two or three for each.
const STEPS: u64 = 90_000;
const STEPS_WITH_COUNT: u64 = 270_000;

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

fn counted<T>(world: &mut World, what: &str, act: impl FnOnce(&mut World) -> T) -> T {
    world.store.take_steps();
    let done = act(world);
    let steps = world.store.take_steps();
    println!("{what:<30} {steps}");
    let limit = if what == "status" { STEPS_WITH_COUNT } else { STEPS };
    assert!(steps < limit, "{what} took {steps} steps");
    done
}

fn every_operation_is_quick(world: &mut World) {
    counted(world, "wake", |world| world.wake());
    let status = counted(world, "status", |world| world.lane.status(world.now).unwrap());
    assert_eq!(status.waiting, ROWS + 21);
    counted(world, "overdue", |world| world.lane.overdue("consent", world.now).unwrap());
    counted(world, "find", |world| world.find("waits-50000"));
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
        Some(State::Acknowledged),
    ];
    let lists = |name: &str, world: &mut World| {
        for state in states {
            for before in [None, Some(&middle)] {
                let what = format!("list {state:?} {} {name}", before.is_some());
                counted(world, &what, |world| world.lane.list(state, before, 100).unwrap());
            }
        }
    };
    lists("", world);
    counted(world, "accept", |world| world.accept("new", &["new@example.com"]));
    let claims = counted(world, "claim", |world| world.claim(6));
    assert_eq!(claims.len(), 6);
    counted(world, "give back", |world| world.lane.give_back(&claims[2], world.now).unwrap());
    counted(world, "follow", |world| {
        world.settle_and_follow(&claims[3], profile("followed@example.com"))
    });
    counted(world, "settle", |world| world.settle(&claims[0], accepted()));
    counted(world, "clean", |world| world.clean());
    counted(world, "replay", |world| {
        world.lane.replay("consent", "waits-50000", world.now).unwrap()
    });
    world.settle(&claims[4], no_such_user());
    let rejected = claims[4].record.request_id.as_str();
    counted(world, "acknowledge", |world| {
        world.lane.acknowledge("consent", rejected, "n", world.now).unwrap()
    });
    counted(world, "find with history", |world| {
        world.lane.find_with_history("consent", rejected).unwrap()
    });
    counted(world, "acknowledge all", |world| {
        world.lane.acknowledge_all(None, "n", 250, world.now).unwrap()
    });
    counted(world, "replay all", |world| {
        world.lane.replay_all(None, world.now, 250, world.now).unwrap()
    });
    counted(world, "block", |world| world.settle(&claims[1], refused()));
    lists("blocked", world);
    counted(world, "resume", |world| world.lane.resume(world.now).unwrap());
    world.pass(731 * DAY);
    counted(world, "clean what is over", |world| world.clean());
    counted(world, "open", |world| world.reopen());
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
