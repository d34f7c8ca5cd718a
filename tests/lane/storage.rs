//! What is stored: sealed, whole, of a known version, or refused.

use std::fs;

use erasure_relay::delivery::database::StorageError;
use erasure_relay::delivery::lane::{Arrival, BreakerState, account};
use erasure_relay::receipt::Outcome;

use crate::database::{Shared, Store};
use crate::world::*;

fn file(name: &str) -> std::path::PathBuf {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn no_byte_of_the_file_tells_who_was_erased() {
    let path = file("sealed.sqlite");
    let mut world = World::on(Store::in_file(&path), policy());
    let secret = "very.rare.name@example.com";
    for (id, outcome) in [
        ("done", Outcome::Accepted),
        ("kept", Outcome::Rejected),
        ("waits", Outcome::Scheduled),
        ("blocked", Outcome::Blocked),
    ] {
        let claim = world.accept(id, &[secret]).claims.remove(0);
        world.settle(&claim, verdict(outcome, 404, None));
    }
    world.accept("leased", &[secret]);
    let bytes = fs::read(&path).unwrap();
    for part in ["very.rare.name", "rare", "example.com"] {
        let found = bytes.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(!found, "{part}");
    }
    let stored = "SELECT person FROM delivery WHERE person IS NOT NULL";
    assert_eq!(world.store.look(stored, &[]).len(), 4);
}

#[test]
fn a_sealed_text_does_not_open_in_another_row() {
    let mut world = World::new();
    world.accept("a", &["a@example.com"]);
    world.accept("b", &["b@example.com"]);
    world.store.look(
        "UPDATE delivery SET person = (SELECT person FROM delivery WHERE request_id = 'a')",
        &[],
    );
    world.reopen();
    world.pass(2);
    let claimed = world.lane.claim(6, world.now).unwrap();
    let [claim] = &claimed.claims[..] else { panic!("{claimed:?}") };
    assert_eq!(claim.call.identifier.expose(), "a@example.com");
    let unreadable = claimed.unreadable.as_ref().unwrap();
    assert_eq!((&*unreadable.request_id, unreadable.outcome), ("b", Outcome::Blocked));
    assert_eq!(unreadable, &world.find("b")[0], "as it is stored");
}

#[test]
fn storage_of_a_later_version_is_refused_and_not_touched() {
    let path = file("later.sqlite");
    {
        let mut world = World::on(Store::in_file(&path), policy());
        world.accept("r", &["a@example.com"]);
        world.store.look("UPDATE schema SET version = 99", &[]);
    }
    let before = fs::read(&path).unwrap();
    let store = Store::in_file(&path);
    let refused = try_open(&store, &policy(), &seal(KEY, None), START).err();
    assert_eq!(refused, Some(StorageError::UnknownSchema(99)));
    drop(store);
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_lane_that_failed_to_be_made_is_made_the_next_time() {
    for successes in 0.. {
        let store = Store::in_memory();
        store.fail_after(successes);
        let first = try_open(&store, &policy(), &seal(KEY, None), START);
        if !store.has_failed() {
            assert!(first.is_ok() && successes > 20, "every statement has failed once");
            break;
        }
        assert_eq!(first.err(), Some(StorageError::Failed), "{successes}");
        let mut world = World::on(store.clone(), policy());
        world.accept("r", &["a@example.com"]);
        assert_eq!(world.store.number("SELECT COUNT(*) FROM lane"), 1);
        assert_eq!(account(&Shared(store)).as_deref(), Ok("insider"), "{successes}");
    }
}

#[test]
fn a_script_that_broke_off_in_its_middle_is_finished_the_next_time() {
    let store = Store::in_memory();
    store.look("CREATE TABLE schema (version INTEGER NOT NULL)", &[]);
    let lane = "CREATE TABLE lane (account TEXT NOT NULL, failures INTEGER NOT NULL, blocked TEXT,
        rests_until INTEGER NOT NULL, open INTEGER NOT NULL)";
    store.look(lane, &[]);
    World::on(store, policy()).accept("r", &["a@example.com"]);
}

#[test]
fn a_spoilt_row_is_an_error_and_not_a_guess() {
    for (column, value) in
        [("outcome", "'nonsense'"), ("attempts", "-1"), ("received_at", "'soon'")]
    {
        let mut world = World::new();
        world.claim_new("r");
        world.store.look(&format!("UPDATE delivery SET {column} = {value}"), &[]);
        let found = world.lane.find("consent", "r").err();
        assert_eq!(found, Some(StorageError::Corrupt), "{column}");
    }
}

const OTHER_KEY: &str = "another key of sixteen bytes";

#[test]
fn what_another_key_sealed_waits_alone_and_holds_up_nobody() {
    let mut world = World::new();
    world.wait("old");
    world.wait("old too");
    world.reopen_with_key(OTHER_KEY, None);
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.unreadable, status.breaker), (2, BreakerState::Closed), "told at once");
    world.pass(2);
    for _ in 0..2 {
        let claimed = world.lane.claim(1, world.now).unwrap();
        assert!(claimed.claims.is_empty());
        let record = claimed.unreadable.unwrap();
        assert_eq!((record.outcome, record.attempts), (Outcome::Blocked, 0));
    }
    let claim = world.claim_new("new");
    assert_eq!(world.settle(&claim, accepted()).record.unwrap().outcome, Outcome::Accepted);
    assert!(world.claim(6).is_empty());
    // The key comes back as the previous one.
    world.reopen_with_key(OTHER_KEY, Some(KEY));
    assert_eq!(world.lane.status(world.now).unwrap().unreadable, 0);
    world.pass(3600);
    assert_eq!(world.claim(6).len(), 2);
}

#[test]
fn what_cannot_be_opened_ends_at_its_deadline_and_its_identifiers_with_it() {
    let mut world = World::new();
    world.wait("old");
    world.reopen_with_key(OTHER_KEY, None);
    for _ in 0..100 {
        world.pass(3600);
        world.lane.claim(6, world.now).unwrap();
    }
    assert_eq!((world.outcome("old"), world.wakes_in() > 0), (Outcome::Exhausted, true));
    assert!(world.person_is_stored("old"));
    world.pass(30 * DAY);
    world.clean();
    assert!(!world.person_is_stored("old"));
}

#[test]
fn a_row_that_is_not_as_it_must_be_takes_no_other_with_it() {
    for spoil in [
        "person = NULL",
        "outcome = 'of a later version'",
        "attempts = -1",
        "failures = -1",
        "status = 70000",
        "person = 'x'",
        "person = x'00ff'",
    ] {
        let mut world = World::new();
        for request_id in ["a", "spoilt", "c"] {
            world.wait(request_id);
        }
        let statement = format!("UPDATE delivery SET {spoil} WHERE request_id = 'spoilt'");
        world.store.look(&statement, &[]);
        world.pass(2);
        let mut claimed = Vec::new();
        for _ in 0..4 {
            claimed.extend(world.lane.claim(6, world.now).unwrap().claims);
        }
        assert_eq!(claimed.len(), 2, "{spoil}");
        assert!(world.lane.status(world.now).is_ok(), "{spoil}");
        assert!(world.wakes_in() > 0, "{spoil}: not again at once");
    }
}

#[test]
fn a_row_that_cannot_be_read_ends_in_time_and_keeps_no_other_from_being_reported() {
    for spoil in ["outcome = 'of a later version'", "attempts = -1", "status = 70000"] {
        let mut world = World::new();
        for request_id in ["a", "spoilt", "c"] {
            world.wait(request_id);
        }
        let statement = format!("UPDATE delivery SET {spoil} WHERE request_id = 'spoilt'");
        world.store.look(&statement, &[]);
        world.pass(34 * DAY);
        let exhausted = world.clean();
        let read = exhausted.iter().filter(|record| record.request_id != "spoilt").count();
        assert_eq!(read, 2, "{spoil}");
        let ended = "SELECT COUNT(*) FROM delivery WHERE outcome = 'exhausted' AND due_at IS NULL";
        assert_eq!(world.store.number(ended), 3, "{spoil}");
    }
}

#[test]
fn a_full_storage_acknowledges_nothing_and_loses_nothing() {
    let mut world = World::new();
    world.accept("before", &["a@example.com"]);
    world.store.fill();
    let mut stored = 0;
    for number in 0..500 {
        let email = format!("{number}@example.com");
        let id = format!("r{number}");
        let parts = vec![part(identity(&email))];
        let arrival = Arrival {
            source: "consent",
            request_id: &id,
            received_at: world.now,
            repeat_after: None,
            parts,
        };
        stored += usize::from(world.lane.accept(arrival, ROOM, world.now).is_ok());
    }
    assert!(stored < 500, "the storage was never full");
    world.store.grow();
    assert!(world.rows() > i64::try_from(stored).unwrap());
    let again = world.accept("r499", &["499@example.com"]);
    assert_eq!(again.records.len(), 1);
}

#[test]
fn whatever_statement_fails_the_next_attempt_ends_well() {
    for successes in 0..16 {
        let mut world = World::new();
        let parts = vec![part(identity("a@example.com")), part(identity("b@example.com"))];
        world.store.fail_after(successes);
        let arrival = Arrival {
            source: "consent",
            request_id: "r",
            received_at: world.now,
            repeat_after: None,
            parts,
        };
        let _ = world.lane.accept(arrival, ROOM, world.now);
        world.store.stop_failing();
        assert_eq!(world.accept("r", &["a@example.com", "b@example.com"]).records.len(), 2);
        world.pass(46);
        world.store.fail_after(successes);
        let _ = world.lane.clean(world.now);
        let _ = world.lane.claim(6, world.now);
        world.store.stop_failing();
        world.pass(46);
        world.clean();
        for claim in world.claim(6) {
            world.store.fail_after(successes);
            let settlement = settlement(&claim, accepted(), world.now);
            let _ = world.lane.settle(&settlement, world.now);
            world.store.stop_failing();
            world.lane.settle(&settlement, world.now).unwrap();
        }
        let outcomes: Vec<_> = world.find("r").iter().map(|record| record.outcome).collect();
        assert_eq!(outcomes, [Outcome::Accepted; 2], "{successes}");
    }
}
