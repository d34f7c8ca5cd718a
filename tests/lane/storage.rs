//! What is stored: sealed, whole, of a known version, or refused.

use std::fs;

use erasure_relay::delivery::database::StorageError;
use erasure_relay::delivery::lane::{Arrival, account};
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
    let [unreadable] = &claimed.unreadable[..] else { panic!("{claimed:?}") };
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
    let refused = try_open(&store, &policy(), KEY, START).err();
    assert_eq!(refused, Some(StorageError::UnknownSchema(99)));
    drop(store);
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_lane_that_failed_to_be_made_is_made_the_next_time() {
    for successes in 0.. {
        let store = Store::in_memory();
        store.fail_after(successes);
        let first = try_open(&store, &policy(), KEY, START);
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

#[test]
fn a_row_without_identifiers_is_an_error_and_does_not_hold_up_the_others() {
    for broken in ["person = NULL", "updated_at = 'soon'", "attempts = -1"] {
        let mut world = World::new();
        world.backlog(8);
        let statement = format!("UPDATE delivery SET {broken} WHERE request_id = 'backlog-0'");
        world.store.look(&statement, &[]);
        let mut sent = std::collections::HashSet::new();
        let mut errors = 0;
        for _ in 0..10 {
            match world.lane.claim(1, world.now) {
                Ok(claimed) => {
                    for claim in claimed.claims {
                        world.settle(&claim, accepted());
                        assert!(sent.insert(claim.record.request_id));
                    }
                }
                Err(error) => {
                    assert_eq!(error, StorageError::Corrupt);
                    errors += 1;
                }
            }
            world.pass(1);
        }
        assert_eq!((sent.len(), errors), (7, 1), "{broken}: leased, and so out of the way");
        world.pass(45);
        world.clean();
        assert!(world.lane.claim(1, world.now).is_err(), "{broken}: it is not forgotten");
    }
}

#[test]
fn with_another_key_the_lane_is_blocked_and_with_the_old_one_everything_is_sent() {
    let mut world = World::new();
    world.backlog(20);
    world.reopen_with_key("another key of sixteen bytes");
    for probes in 1..=5 {
        let claimed = world.lane.claim(6, world.now).unwrap();
        assert_eq!((claimed.claims.len(), claimed.unreadable.len()), (0, 1));
        let failures = "SELECT SUM(failures) FROM delivery";
        assert_eq!(world.store.number(failures), probes, "one row at a time");
        world.pass(300);
    }
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.waiting, status.breaker), (20, "blocked"));
    assert!(status.reason.unwrap().contains("PSEUDONYM_KEY"));
    world.reopen_with_key(KEY);
    world.lane.resume(world.now).unwrap();
    let mut sent = 0;
    for _ in 0..5 {
        for claim in world.claim(6) {
            world.settle(&claim, accepted());
            sent += 1;
        }
        world.pass(1);
    }
    assert_eq!(sent, 20);
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
        let arrival = Arrival { source: "consent", request_id: &id, received_at: world.now, parts };
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
        let arrival = Arrival { source: "consent", request_id: "r", received_at: world.now, parts };
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
