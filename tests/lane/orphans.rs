//! What a lane holds and cannot send, and how it comes to the lane where it belongs now: whatever fails
//! or is repeated in between, nothing is lost and nothing is done twice.

use std::rc::Rc;

use erasure_relay::delivery::database::Value;
use erasure_relay::delivery::directory::Directory;
use erasure_relay::delivery::lane::{Lane, Unsendable};
use erasure_relay::delivery::shards::shard_of;
use erasure_relay::receipt::{Outcome, State};
use erasure_relay::vendor::{Call, CallKind, Pace};

use crate::database::{Shared, Store};
use crate::world::*;

const NONE: &[CallKind] = &[];
const OTHER: &[CallKind] = &[CallKind {
    name: "privacy_request",
    pace: Pace { calls: 120, per_seconds: 60 },
    reaches_person: true,
}];

/// Opens what is stored with other calls: with none, as an orphaned lane.
fn with_calls(world: &World, calls: &[CallKind]) -> Lane<Shared> {
    with_key(world, calls, KEY)
}

fn with_key(world: &World, calls: &[CallKind], key: &str) -> Lane<Shared> {
    let (database, random) = (Shared(world.store.clone()), Dice::random(7));
    let (policy, seal) = (world.policy.clone(), seal(key, None));
    Lane::open(database, "insider", policy, calls, seal, random, world.now).unwrap()
}

/// The calls of the lane that takes what is moved.
fn taken() -> Vec<String> {
    CALLS.iter().map(|kind| kind.name.to_owned()).collect()
}

/// Moves everything, by pages of `most`, as the Worker does.
fn move_all(old: &mut Lane<Shared>, new: &mut Lane<Shared>, most: u32) -> u32 {
    let mut moved = 0;
    while let Some((shard, rows)) = old.page(&taken(), 1, most).unwrap() {
        assert_eq!(shard, 0);
        new.adopt(&rows, START).unwrap();
        moved += old.forget(&rows).unwrap();
    }
    moved
}

/// Every column of every row but its lease and deadline, in one order.
fn content(store: &Rc<Store>) -> Vec<Vec<Value>> {
    let columns = "SELECT name FROM pragma_table_info('delivery')
        WHERE name NOT IN ('lease', 'lease_until', 'deadline_at')";
    let columns = store.look(columns, &[]);
    let columns: Vec<&str> = columns.iter().map(|row| row.text(0).unwrap()).collect();
    let statement = format!("SELECT {} FROM delivery ORDER BY 1, 2, 3", columns.join(", "));
    store.look(&statement, &[]).into_iter().map(|row| row.0).collect()
}

/// One row in each of the states that a row can be in.
fn one_of_each() -> World {
    let mut world = World::new();
    for (id, outcome) in [
        ("accepted", Outcome::Accepted),
        ("rejected", Outcome::Rejected),
        ("uncertain", Outcome::Uncertain),
        ("failed", Outcome::Scheduled),
    ] {
        let claim = world.claim_new(id);
        world.settle(&claim, verdict(outcome, 400, None));
        world.pass(1);
    }
    world.arrive("nobody", vec![nobody()]);
    world.arrive("unusable é \"\\", vec![unusable("k1:a")]);
    let others = vec![identity("b@example.com").identifier];
    let several = part(Call { alternatives: others, ..profile("a@example.com") });
    world.arrive_with(0, "several", vec![several, part(identity("a@example.com"))]);
    world.wait("waits");
    world.lane.discard("consent", "uncertain", "by hand", world.now).unwrap();
    world
}

#[test]
fn an_orphaned_lane_sends_nothing_and_wakes_only_to_clean() {
    let mut world = World::new();
    let claim = world.claim_new("s");
    world.settle(&claim, accepted());
    world.claim_new("under way");
    world.wait("r");
    let mut lane = with_calls(&world, NONE);
    world.pass(80 * 3600);
    assert!(lane.claim(6, world.now).unwrap().claims.is_empty());
    assert_eq!(lane.next_call(), None);
    assert_eq!(lane.wake().unwrap(), Some(START.after(world.policy.receipts)));
    // What waits, and what is kept, ends as in any other lane.
    world.pass(30 * DAY);
    let exhausted = lane.clean(world.now).unwrap();
    assert_eq!(exhausted.len(), 2);
    assert!(world.person_is_stored("r"));
    world.pass(31 * DAY);
    lane.clean(world.now).unwrap();
    assert!(!world.person_is_stored("r"));
    world.pass(700 * DAY);
    lane.clean(world.now).unwrap();
    assert_eq!((lane.wake().unwrap(), world.rows()), (None, 0));
}

#[test]
fn what_cannot_be_sent_is_counted_and_shown_as_blocked() {
    for (calls, why) in [(NONE, "does not name this lane"), (OTHER, "cannot make this call")] {
        let mut world = one_of_each();
        world.wait("under way");
        assert_eq!(world.claim(10).len(), 4);
        let lane = with_calls(&world, calls);
        let status = lane.status(world.now).unwrap();
        let count = |call: &str, waiting| Unsendable { call: call.to_owned(), waiting };
        assert_eq!(status.unsendable, [count(IDENTITY, 4), count(PROFILE, 1)]);
        assert_eq!(status.waiting, 5);
        for id in ["waits", "failed", "under way"] {
            let record = lane.find("consent", id).unwrap().remove(0);
            assert_eq!((record.outcome, record.due_at), (Outcome::Blocked, None), "{id}");
            assert!(record.detail.unwrap().contains(why));
        }
        let final_ones = lane.find("consent", "accepted").unwrap();
        assert_eq!(final_ones[0].outcome, Outcome::Accepted);
        let listed = lane.list(Some(State::Attention), None, 100).unwrap();
        let listed: Vec<_> = listed.iter().map(|key| key.request_id.as_str()).collect();
        for id in ["waits", "failed", "several", "under way", "rejected", "nobody"] {
            assert!(listed.contains(&id), "{id}: {listed:?}");
        }
    }
    let world = one_of_each();
    let status = world.lane.status(world.now).unwrap();
    assert!(status.unsendable.is_empty(), "its own calls");
    assert!(world.find("waits")[0].detail.is_none());
    let listed = world.lane.list(Some(State::Attention), None, 100).unwrap();
    assert!(listed.iter().all(|key| key.request_id != "waits"));
}

#[test]
fn what_can_be_sent_goes_on_beside_what_cannot() {
    let mut world = World::new();
    world.wait("old");
    world.lane = with_calls(&world, OTHER);
    let call = Call { name: "privacy_request", ..identity("new@example.com") };
    let accepted = world.arrive("new", vec![part(call)]);
    assert_eq!(accepted.claims.len(), 1);
    world.pass(3600);
    assert!(world.claim(6).is_empty());
    // The account has its former `api` again.
    world.lane = with_calls(&world, CALLS);
    assert_eq!(world.claim(6)[0].record.request_id, "old");
}

#[test]
fn unsendable_rows_are_discarded_by_call_and_in_bounded_numbers() {
    let mut world = World::new();
    for number in 0..5 {
        let email = format!("{number}@example.com");
        let parts = vec![part(identity(&email)), part(profile(&email))];
        world.arrive_with(0, &format!("r{number}"), parts);
    }
    let discard = |lane: &mut Lane<Shared>, call, most| {
        lane.discard_unsendable(call, "the account is gone", most, world.now).unwrap()
    };
    let mut lane = with_calls(&world, CALLS);
    assert_eq!(discard(&mut lane, None, 100), 0, "it can send them");
    let mut lane = with_calls(&world, NONE);
    assert_eq!(discard(&mut lane, Some("other"), 100), 0);
    assert_eq!(discard(&mut lane, Some(PROFILE), 3), 3);
    assert_eq!(discard(&mut lane, Some(PROFILE), 3), 2);
    assert_eq!(discard(&mut lane, None, 4), 4);
    assert_eq!(discard(&mut lane, None, 4), 1);
    assert_eq!(lane.status(world.now).unwrap().waiting, 0);
    for record in lane.find("consent", "r0").unwrap() {
        assert_eq!(record.outcome, Outcome::Discarded);
        assert_eq!(record.detail.as_deref(), Some("the account is gone"));
    }
    assert_eq!(world.store.number("SELECT COUNT(*) FROM delivery WHERE person IS NOT NULL"), 0);
}

#[test]
fn everything_of_an_orphaned_lane_is_moved_as_it_was() {
    for most in [1, 3, 100] {
        let old = one_of_each();
        let before = content(&old.store);
        let mut new = World::new();
        new.now = old.now;
        let moved = move_all(&mut with_calls(&old, NONE), &mut new.lane, most);
        assert_eq!((moved, old.rows()), (9, 0));
        assert_eq!(content(&new.store), before, "pages of {most}");
        new.pass(3600);
        let mut claims = new.claim(10);
        claims.sort_by_key(|claim| claim.record.slot.clone());
        assert_eq!(claims.len(), 4, "they open, and are sent");
        for claim in claims {
            assert!(new.settle(&claim, accepted()).record.is_some());
        }
    }
}

#[test]
fn a_lease_ends_with_the_move() {
    let mut old = World::new();
    let claim = old.claim_new("r");
    let mut orphan = with_calls(&old, NONE);
    let mut new = World::new();
    assert_eq!(move_all(&mut orphan, &mut new.lane, 10), 1);
    assert!(old.lane.settle(&settlement(&claim, accepted(), old.now), old.now).is_ok());
    assert_eq!(old.rows(), 0);
    assert_eq!(new.claim(6).len(), 1);
}

#[test]
fn a_crash_between_any_two_steps_loses_and_doubles_nothing() {
    // After so many of the steps page, adopt, forget the request is lost, and is made again.
    for done in 0..3 {
        let old = one_of_each();
        let before = content(&old.store);
        let mut new = World::new();
        new.now = old.now;
        let mut orphan = with_calls(&old, NONE);
        let (_, rows) = orphan.page(&taken(), 1, 4).unwrap().unwrap();
        if done > 0 {
            new.lane.adopt(&rows, new.now).unwrap();
        }
        if done > 1 {
            orphan.forget(&rows).unwrap();
        }
        let mut orphan = with_calls(&old, NONE);
        new.reopen();
        move_all(&mut orphan, &mut new.lane, 4);
        assert_eq!((content(&new.store), old.rows()), (before, 0), "after {done} steps");
    }
}

#[test]
fn a_storage_that_fails_at_any_statement_loses_nothing() {
    for fails_after in 0..6 {
        let old = one_of_each();
        let before = content(&old.store);
        let mut new = World::on(Store::grouped(), policy());
        new.now = old.now;
        new.store.commit();
        let mut orphan = with_calls(&old, NONE);
        let (_, rows) = orphan.page(&taken(), 1, 100).unwrap().unwrap();
        new.store.fail_after(fails_after);
        match new.lane.adopt(&rows, new.now) {
            Ok(()) => new.store.commit(),
            // The runtime keeps what was executed before an error that is answered.
            Err(_) if fails_after % 2 == 0 => new.store.commit(),
            Err(_) => new.store.rollback(),
        }
        new.store.stop_failing();
        new.reopen();
        move_all(&mut orphan, &mut new.lane, 100);
        assert_eq!(content(&new.store), before, "fails after {fails_after}");
    }
}

#[test]
fn what_was_sent_meanwhile_stays_sent() {
    let mut old = World::new();
    old.wait("r");
    let mut new = World::new();
    let mut orphan = with_calls(&old, NONE);
    let (_, rows) = orphan.page(&taken(), 1, 10).unwrap().unwrap();
    new.lane.adopt(&rows, new.now).unwrap();
    // The answer was lost; the new lane sends before the request is made again.
    let claim = new.claim(6).remove(0);
    new.lane.adopt(&rows, new.now).unwrap();
    assert!(new.claim(6).is_empty(), "under way");
    new.settle(&claim, accepted());
    assert_eq!(move_all(&mut orphan, &mut new.lane, 10), 1);
    assert_eq!((new.outcome("r"), new.rows(), old.rows()), (Outcome::Accepted, 1, 0));
    assert!(new.claim(6).is_empty());
}

#[test]
fn of_two_rows_the_one_that_the_vendor_confirmed_wins() {
    for (here, there, wins) in [
        (Outcome::Scheduled, Outcome::Accepted, Outcome::Accepted),
        (Outcome::Rejected, Outcome::AlreadyAbsent, Outcome::AlreadyAbsent),
        (Outcome::Accepted, Outcome::Scheduled, Outcome::Accepted),
        (Outcome::Accepted, Outcome::AlreadyAbsent, Outcome::Accepted),
        (Outcome::Rejected, Outcome::Scheduled, Outcome::Rejected),
        (Outcome::Scheduled, Outcome::Rejected, Outcome::Scheduled),
        (Outcome::Scheduled, Outcome::Scheduled, Outcome::Scheduled),
    ] {
        let (mut old, mut new) = (World::new(), World::new());
        new.pass(50);
        for (world, outcome) in [(&mut old, there), (&mut new, here)] {
            let claim = world.claim_new("r");
            world.settle(&claim, verdict(outcome, 400, None));
        }
        new.pass(3600);
        let late = new.claim(6).pop();
        move_all(&mut with_calls(&old, NONE), &mut new.lane, 10);
        assert_eq!((new.outcome("r"), new.rows()), (wins, 1), "{here:?}, {there:?}");
        let record = new.find("r").remove(0);
        assert_eq!(record.received_at, START, "the first webhook's");
        if let Some(late) = late {
            let void = wins != Outcome::Scheduled;
            let settled = new.settle(&late, verdict(Outcome::Rejected, 400, None));
            assert_eq!(settled.record.is_none(), void, "{here:?}, {there:?}");
        }
        let keeps = new.outcome("r").can_be_replayed();
        assert!(keeps || !new.person_is_stored("r"), "{here:?}, {there:?}");
        assert!(new.claim(6).is_empty());
    }
}

#[test]
fn what_waits_has_a_new_deadline_where_it_can_be_sent() {
    let (mut old, mut new) = (World::new(), World::new());
    old.wait("r");
    let mut orphan = with_calls(&old, NONE);
    let (_, rows) = orphan.page(&taken(), 1, 10).unwrap().unwrap();
    new.pass(100 * 3600);
    new.lane.adopt(&rows, new.now).unwrap();
    orphan.forget(&rows).unwrap();
    let claim = new.claim(6).remove(0);
    new.settle(&claim, failed());
    assert_eq!(new.outcome("r"), Outcome::Scheduled, "its former deadline is over");
}

#[test]
fn that_nobody_was_named_goes_where_somebody_is() {
    let (mut old, mut new) = (World::new(), World::new());
    old.arrive("r", vec![nobody()]);
    old.arrive("s", vec![nobody()]);
    new.wait("r");
    move_all(&mut with_calls(&old, NONE), &mut new.lane, 10);
    assert_eq!((new.find("r").len(), new.find("s").len()), (1, 1));
    assert_eq!(new.outcome("r"), Outcome::Scheduled);
}

#[test]
fn what_was_changed_after_the_page_is_not_forgotten() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    world.wait("s");
    let mut orphan = with_calls(&world, NONE);
    let (_, rows) = orphan.page(&taken(), 1, 10).unwrap().unwrap();
    world.pass(1);
    orphan.replay("consent", "r", world.now).unwrap();
    assert_eq!(orphan.forget(&rows).unwrap(), 1);
    assert_eq!(orphan.find("consent", "r").unwrap().len(), 1);
    assert!(orphan.find("consent", "s").unwrap().is_empty());
}

#[test]
fn what_the_new_account_cannot_make_stays() {
    let old = one_of_each();
    let orphan = with_calls(&old, NONE);
    let (_, rows) = orphan.page(&["privacy_request".to_owned()], 1, 100).unwrap().unwrap();
    let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(&rows).unwrap();
    let ids: Vec<&str> = rows.iter().filter_map(|row| row[1].as_str()).collect();
    assert_eq!(ids, ["nobody", "unusable é \"\\"]);
    let profiles = orphan.page(&[PROFILE.to_owned()], 1, 100).unwrap().unwrap();
    assert_eq!(profiles.1.matches("profile:").count(), 1);
    assert!(!profiles.1.contains("identity:"));
}

#[test]
fn of_a_configured_lane_only_what_waits_and_cannot_be_sent_is_moved() {
    let old = one_of_each();
    assert_eq!(old.lane.page(&taken(), 1, 100).unwrap(), None, "its own calls");
    let lane = with_calls(&old, OTHER);
    let (_, rows) = lane.page(&taken(), 1, 100).unwrap().unwrap();
    let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(&rows).unwrap();
    let ids: Vec<&str> = rows.iter().filter_map(|row| row[1].as_str()).collect();
    assert_eq!(ids, ["failed", "several", "several", "waits"]);
}

#[test]
fn each_page_is_for_one_shard() {
    let mut world = World::new();
    for number in 0..40 {
        world.wait(&format!("r{number}"));
    }
    let mut orphan = with_calls(&world, NONE);
    let mut moved = 0;
    while let Some((shard, rows)) = orphan.page(&taken(), 4, 10).unwrap() {
        let parsed: Vec<Vec<serde_json::Value>> = serde_json::from_str(&rows).unwrap();
        assert!((1..=10).contains(&parsed.len()));
        for row in &parsed {
            assert_eq!(shard_of("consent", row[1].as_str().unwrap(), 4), shard);
        }
        moved += orphan.forget(&rows).unwrap();
    }
    assert_eq!((moved, world.rows()), (40, 0));
}

#[test]
fn a_page_fits_into_one_text() {
    let mut world = World::new();
    for number in 0..20 {
        let email = format!("{number}{}", "x".repeat(90_000));
        world.arrive_with(0, &format!("r{number}"), vec![part(identity(&email))]);
    }
    let mut orphan = with_calls(&world, NONE);
    let (mut pages, mut moved) = (0, 0);
    while let Some((_, rows)) = orphan.page(&taken(), 1, 100).unwrap() {
        assert!(rows.len() < 1_000_000, "{} bytes", rows.len());
        moved += orphan.forget(&rows).unwrap();
        pages += 1;
    }
    assert_eq!((moved, pages), (20, 5));
}

#[test]
fn identifiers_stay_sealed_on_their_way() {
    let mut old = World::new();
    old.wait("r");
    let orphan = with_key(&old, NONE, "another key, which cannot open them");
    let (_, rows) = orphan.page(&taken(), 1, 10).unwrap().unwrap();
    assert!(!rows.contains("@example.com"));
    let mut new = World::new();
    new.lane.adopt(&rows, new.now).unwrap();
    assert_eq!(new.claim(6)[0].call.identifier.expose(), "r@example.com");
}

#[test]
fn a_lane_remembers_that_the_directory_knows_it() {
    let mut world = World::new();
    assert!(!world.lane.is_registered().unwrap() && world.lane.is_empty().unwrap());
    world.wait("r");
    assert!(!world.lane.is_registered().unwrap() && !world.lane.is_empty().unwrap());
    world.lane.set_registered().unwrap();
    world.lane.set_registered().unwrap();
    world.reopen();
    assert!(world.lane.is_registered().unwrap());
    assert_eq!(world.store.number("SELECT COUNT(*) FROM registration"), 1);
}

#[test]
fn the_directory_knows_each_lane_once() {
    let store = Store::in_memory();
    let directory = || Directory::open(Shared(store.clone())).unwrap();
    for lane in ["insider.2", "insider", "eu:insider", "insider"] {
        directory().add(lane.to_owned()).unwrap();
    }
    assert_eq!(directory().all().unwrap(), ["eu:insider", "insider", "insider.2"]);
    directory().remove("insider".to_owned()).unwrap();
    directory().remove("other".to_owned()).unwrap();
    assert_eq!(directory().all().unwrap(), ["eu:insider", "insider.2"]);
}
