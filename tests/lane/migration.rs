//! Storage of schema version 1 becomes version 2: nothing is lost, nothing comes twice.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use erasure_relay::delivery::database::{StorageError, Value};
use erasure_relay::delivery::lane::{BreakerState, Record};
use erasure_relay::receipt::{Outcome, State, Timestamp};
use erasure_relay::seal::NONCE_BYTES;
use erasure_relay::vendor::Call;

use crate::database::Store;
use crate::world::*;

/// What version 1 executed, word for word.
const VERSION_1: &str = include_str!("version_1.sql");

/// How many statements the migration has, with the rest of the opening that executes it.
const STATEMENTS: u32 = 34;

/// A row of version 1.
struct Old {
    request_id: &'static str,
    call: Option<Call>,
    is_sealed: bool,
    outcome: Outcome,
    attempts: u32,
    failures: u32,
    lease: i64,
    due_in: Option<i64>,
}

fn old(request_id: &'static str, address: &str, outcome: Outcome) -> Old {
    Old {
        request_id,
        call: Some(identity(address)),
        is_sealed: true,
        outcome,
        attempts: 1,
        failures: 1,
        lease: 2,
        due_in: None,
    }
}

/// One row in each state that version 1 has.
fn rows() -> Vec<Old> {
    let waits =
        |id, address, due| Old { due_in: Some(due), ..old(id, address, Outcome::Scheduled) };
    let done = |id, outcome| Old { is_sealed: false, ..old(id, "d@example.com", outcome) };
    vec![
        waits("due", "due@example.com", -5),
        Old { attempts: 0, failures: 0, lease: 1, ..waits("leased", "leased@example.com", 30) },
        waits("later", "later@example.com", 600),
        Old { due_in: Some(0), ..old("blocked", "b@example.com", Outcome::Blocked) },
        // The addresses of one erasure, the second before the first in the order of their names.
        waits("two", "z@example.com", -3),
        waits("two", "a@example.com", -4),
        done("done", Outcome::Accepted),
        old("kept", "kept@example.com", Outcome::Rejected),
        done("not-erased", Outcome::NotErased),
        Old {
            call: None,
            is_sealed: false,
            attempts: 0,
            ..old("nobody", "", Outcome::InsufficientIdentification)
        },
    ]
}

/// A store as version 1 left it: the lane is blocked until START + 100 s.
fn version_1() -> Rc<Store> {
    let store = Store::in_memory();
    store.look(VERSION_1, &[]);
    let rests_until = START.after(Duration::from_secs(100));
    let lane = "INSERT INTO lane VALUES ('insider', 1, 'said so', ?, 1)";
    store.look(lane, &[rests_until.0.into()]);
    store.look("INSERT INTO flow VALUES ('identity', ?)", &[(START.0 * 1000).into()]);
    for (number, row) in rows().into_iter().enumerate() {
        insert(&store, i64::try_from(number).unwrap() + 1, row);
    }
    store
}

fn insert(store: &Store, id: i64, row: Old) {
    const STATEMENT: &str = "INSERT INTO deliveries
        (id, source, request_id, slot, received_at, call, identifier, subject, names, person,
         outcome, status, attempts, detail, trace, updated_at, failures, deadline_at, lease, due_at)
        VALUES (?, 'consent', ?, ?, ?, ?, ?, ?, ?, ?, ?, 503, ?, 'said so', 'trace-1', ?, ?, ?, ?, ?)";
    let subject = row.call.as_ref().map(stored);
    let slot = subject.as_ref().map_or(String::new(), |subject| format!("{IDENTITY}:{subject}"));
    let person = row.call.as_ref().filter(|_| row.is_sealed).map(|call| {
        let place = format!("consent\0{}\0{slot}", row.request_id);
        let seal = seal(KEY, None);
        seal.close(call, &place, [7; NONCE_BYTES]).ok().unwrap()
    });
    let kind = row.call.as_ref().map(|call| call.identifier.kind().to_string());
    // All rows of one erasure bear the same time.
    let received_at = START.0 - 10_000 * i64::try_from(row.request_id.len()).unwrap();
    let bindings: [Value; 16] = [
        id.into(),
        row.request_id.into(),
        slot.into(),
        received_at.into(),
        row.call.as_ref().map(|call| call.name).into(),
        kind.into(),
        subject.clone().into(),
        subject.into(),
        person.into(),
        row.outcome.name().into(),
        row.attempts.into(),
        (START.0 - 1000 + id).into(),
        row.failures.into(),
        (received_at + 72 * 3_600_000).into(),
        row.lease.into(),
        row.due_in.map(|seconds| START.0 + seconds * 1000).into(),
    ];
    store.look(STATEMENT, &bindings);
}

/// What version 1 stored, as a record shows it.
fn expected(store: &Store) -> Vec<Vec<Value>> {
    let statement = "SELECT source, request_id, slot, id, received_at, call, identifier, subject,
        names, person, outcome, status, attempts, detail, trace, updated_at, failures, deadline_at,
        due_at FROM deliveries ORDER BY id";
    store.look(statement, &[]).into_iter().map(|row| row.0).collect()
}

fn migrated(store: &Store) -> Vec<Vec<Value>> {
    let statement = "SELECT source, request_id, slot, position, received_at, call, identifier,
        subject, names, person, outcome, status, attempts, detail, trace, updated_at, failures,
        deadline_at, due_at FROM delivery ORDER BY position";
    store.look(statement, &[]).into_iter().map(|row| row.0).collect()
}

/// Sends what waits until nothing does; the addresses in their order.
fn send_everything(world: &mut World) -> Vec<String> {
    let mut sent = Vec::new();
    for _ in 0..2000 {
        world.clean();
        for claim in world.claim(6) {
            sent.push(claim.call.identifier.expose().to_owned());
            world.settle(&claim, accepted());
        }
        world.pass(1);
    }
    sent
}

fn check_tables(store: &Store) {
    assert_eq!(store.number("SELECT version FROM schema"), 4);
    assert_eq!(store.number("SELECT COUNT(*) FROM lane"), 1);
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'deliveries'";
    assert_eq!(store.number(tables), 0);
    let indexes =
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'delivery'
        AND sql IS NOT NULL";
    assert_eq!(store.number(indexes), 7);
}

#[test]
fn version_1_is_opened_with_everything_in_it() {
    let store = version_1();
    let before = expected(&store);
    assert_eq!(before.len(), rows().len());
    let mut world = World::on(store.clone(), policy());
    assert_eq!(migrated(&store), before);
    check_tables(&store);

    let two = world.find("two");
    let subjects: Vec<_> = two.iter().map(|record| record.subject.clone().unwrap()).collect();
    let order = ["z@example.com", "a@example.com"].map(|address| stored(&identity(address)));
    assert_eq!(subjects, order, "in the order of their arrival");
    let outcome = |id| world.find(id)[0].outcome;
    assert_eq!(outcome("due"), Outcome::Blocked, "behind a blocked account");
    assert_eq!(outcome("done"), Outcome::Accepted);
    assert_eq!(outcome("nobody"), Outcome::InsufficientIdentification);
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.waiting, status.breaker), (6, BreakerState::Blocked));
    let listed = |state| world.lane.list(state, None, 100).unwrap().len();
    assert_eq!((listed(None), listed(Some(State::Done))), (9, 1));

    assert!(world.claim(6).is_empty(), "the account rests");
    world.pass(100);
    let sent = send_everything(&mut world);
    let mut sorted = sent.clone();
    sorted.sort();
    let all = ["a", "b", "due", "later", "leased", "z"].map(|name| format!("{name}@example.com"));
    assert_eq!(sorted, all, "each once");
    assert_eq!(sent[0], "leased@example.com", "the probe is of a row that has not failed");
    world.lane.replay("consent", "kept", world.now).unwrap();
    assert_eq!(world.claim(6)[0].call.identifier.expose(), "kept@example.com");
}

#[test]
fn an_erasure_of_version_1_takes_further_identifiers() {
    let mut world = World::on(version_1(), policy());
    let two = ["z@example.com", "a@example.com"];
    let again: Vec<Record> = world.accept("two", &two).records;
    assert_eq!(again, world.find("two"));
    assert_eq!(again.len(), 2, "the same webhook adds nothing");
    let more = world.accept("two", &[two[0], two[1], "b@example.com"]).records;
    let subjects = more.iter().map(|record| record.subject.clone().unwrap());
    let [z, a, b] = [two[0], two[1], "b@example.com"].map(identity);
    assert!(subjects.eq([stored(&z), stored(&a), subject(&b)]));
    assert!(more.iter().all(|record| record.received_at == more[0].received_at));
    let records = world.accept("nobody", &["somebody@example.com"]).records;
    assert_eq!(records.len(), 1, "somebody takes the place of nobody");
}

#[test]
fn a_migration_that_failed_at_any_statement_is_completed_by_the_next_opening() {
    let mut failed = 0;
    for successes in 0.. {
        let store = version_1();
        let before = expected(&store);
        store.fail_after(successes);
        let first = try_open(&store, &policy(), &seal(KEY, None), START);
        if !store.has_failed() {
            break;
        }
        assert_eq!(first.err(), Some(StorageError::Failed));
        failed += 1;
        // It fails a second time as well, elsewhere.
        store.fail_after(successes / 2);
        let _ = try_open(&store, &policy(), &seal(KEY, None), START);
        store.stop_failing();
        World::on(store.clone(), policy());
        assert_eq!(migrated(&store), before, "{successes}");
        check_tables(&store);
    }
    assert_eq!(failed, STATEMENTS, "every statement has failed once");
}

#[test]
#[ignore = "prints how long a migration takes; cargo test --release --test lane -- --ignored"]
fn a_migration_of_a_hundred_thousand_rows() {
    for (what, copied) in [("final", "done"), ("waiting", "due")] {
        let store = version_1();
        let copy = "WITH RECURSIVE number(n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000)
            INSERT INTO deliveries SELECT NULL, source, request_id || n, slot, received_at + n, call,
                identifier, subject, names, person, outcome, status, attempts, detail, trace,
                updated_at + n, failures, deadline_at, lease, due_at + n
            FROM deliveries, number WHERE request_id = ?";
        store.look(copy, &[copied.into()]);
        let before: BTreeMap<_, _> = counts(&store, "deliveries");
        let start = Instant::now();
        open(&store, &policy(), &seal(KEY, None), Timestamp(START.0));
        println!("100,000 {what} rows: {:?}", start.elapsed());
        assert_eq!(counts(&store, "delivery"), before);
    }
}

fn counts(store: &Store, table: &str) -> BTreeMap<String, i64> {
    let statement = format!("SELECT outcome, COUNT(*) FROM {table} GROUP BY outcome");
    let rows = store.look(&statement, &[]);
    rows.iter().map(|row| (row.text(0).unwrap().to_owned(), row.integer(1).unwrap())).collect()
}
