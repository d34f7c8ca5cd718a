//! Attempts are history: what a later result replaces is kept, and costs nothing where nothing is
//! replaced.

use std::time::Duration;

use erasure_relay::delivery::lane::{Arrival, Lane};
use erasure_relay::receipt::{Attempt, Outcome, Timestamp};

use crate::database::{Shared, Store};
use crate::world::*;

fn history(world: &World, id: &str) -> Vec<Attempt> {
    world.lane.find_with_history("consent", id).unwrap().remove(0).history
}

/// When, as what and with which status.
fn summary(history: &[Attempt]) -> Vec<(Timestamp, Outcome, Option<u16>)> {
    history.iter().map(|one| (one.at, one.outcome, one.status)).collect()
}

fn stored(world: &World) -> i64 {
    world.store.number("SELECT COUNT(*) FROM attempt")
}

#[test]
fn a_first_attempt_that_succeeds_writes_nothing_of_history() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    let before = world.store.changes();
    world.settle(&claim, accepted());
    // The row alone; the indexes are not counted here.
    assert_eq!(world.store.changes() - before, 1);
    assert_eq!((stored(&world), history(&world, "r")), (0, vec![]));
    let claim = world.claim_new("s");
    world.settle(&claim, failed());
    assert_eq!(stored(&world), 0, "what failed once is the last result");
}

#[test]
fn each_result_that_is_replaced_is_kept_in_order() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, failed());
    let first = world.now;
    world.pass(3600);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, silence());
    let second = world.now;
    world.pass(3600);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, accepted());
    let history = history(&world, "r");
    assert_eq!(
        summary(&history),
        [(first, Outcome::Scheduled, Some(500)), (second, Outcome::Scheduled, None)]
    );
    assert_eq!(history[0].trace.as_deref(), Some("trace-1"));
    assert_eq!((history[0].detail.as_deref(), &history[1].trace), (Some("said so"), &None));
    let record = world.find("r").remove(0);
    assert_eq!((record.outcome, record.attempts), (Outcome::Accepted, 3));
    assert!(record.history.is_empty(), "only where it is asked for");
}

#[test]
fn a_replay_keeps_the_final_result_and_adds_none_of_its_own() {
    let mut world = World::new();
    let mut expected = Vec::new();
    for outcome in [Outcome::Rejected, Outcome::Uncertain, Outcome::Blocked] {
        let claim = match world.find("r").is_empty() {
            true => world.claim_new("r"),
            false => world.claim(1).remove(0),
        };
        let status = 400 + u16::try_from(expected.len()).unwrap();
        world.settle(
            &claim,
            verdict(outcome, status, None).about(erasure_relay::vendor::Scope::Call),
        );
        expected.push((world.now, outcome, Some(status)));
        world.pass(60);
        world.lane.replay("consent", "r", world.now).unwrap();
        // What is blocked waits already: its last result stays the last until the next attempt.
        let is_kept = outcome == Outcome::Blocked;
        let replaced = expected.len() - usize::from(is_kept);
        assert_eq!(summary(&history(&world, "r")), expected[..replaced]);
        let row = world.find("r").remove(0);
        let known =
            if is_kept { (outcome, expected[2].0) } else { (Outcome::Scheduled, world.now) };
        assert_eq!((row.outcome, row.updated_at), known);
        // A second replay finds nothing to replace.
        world.pass(1);
        world.lane.replay("consent", "r", world.now).unwrap();
    }
    let claim = world.claim(1).remove(0);
    world.settle(&claim, accepted());
    assert_eq!(summary(&history(&world, "r")), expected);
    assert_eq!(world.find("r")[0].attempts as usize, expected.len() + 1);
}

#[test]
fn what_ended_by_itself_is_kept_beside_its_last_attempt() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, not_enabled());
    let failed_at = world.now;
    world.pass(34 * DAY);
    assert_eq!(world.clean().len(), 1);
    let ended_at = world.now;
    world.pass(60);
    world.lane.replay("consent", "r", world.now).unwrap();
    let all = [(failed_at, Outcome::Blocked, Some(400)), (ended_at, Outcome::Exhausted, Some(400))];
    assert_eq!(summary(&history(&world, "r")), all);
}

#[test]
fn what_cannot_be_opened_adds_one_result_however_often_that_is_found() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, failed());
    world.reopen_with_key("another key of sixteen bytes", None);
    for _ in 0..5 {
        world.pass(2 * 3600);
        assert!(world.lane.claim(1, world.now).unwrap().unreadable.is_some());
    }
    let outcomes: Vec<_> = history(&world, "r").iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Scheduled, Outcome::Blocked]);
    world.reopen_with_key(KEY, None);
    world.pass(2 * 3600);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, accepted());
    assert_eq!(history(&world, "r").len(), 2);
}

#[test]
fn a_discard_and_a_late_confirmation_keep_what_they_replace() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, failed());
    let first = world.now;
    world.pass(3600);
    let late = world.claim(1).remove(0);
    world.lane.discard("consent", "r", "by hand", world.now).unwrap();
    let discarded = world.now;
    world.pass(10);
    world.settle(&late, accepted());
    assert_eq!(world.outcome("r"), Outcome::Accepted);
    let history = history(&world, "r");
    assert_eq!(
        summary(&history),
        [(first, Outcome::Scheduled, Some(500)), (discarded, Outcome::Discarded, Some(500))]
    );
    assert_eq!(history[1].detail.as_deref(), Some("by hand"));
}

#[test]
fn an_answer_that_came_too_late_counts_and_replaces_nothing() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    world.settle(&claim, failed());
    assert_eq!((stored(&world), world.find("r")[0].attempts), (0, 2));
}

#[test]
fn a_follow_up_keeps_the_answer_before_it() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    let next = world.settle_and_follow(&claim, profile("a@example.com")).unwrap();
    world.pass(1);
    world.settle(&next, accepted());
    let history = history(&world, "r");
    assert_eq!(summary(&history), [(START, Outcome::Scheduled, Some(400))]);
    assert_eq!(world.find("r")[0].status, Some(200));
}

/// An erasure that was tried so many times.
fn tried(world: &mut World, id: &str, times: usize) -> Vec<Timestamp> {
    let mut at = Vec::new();
    for time in 0..times {
        let claim = if time == 0 { world.claim_new(id) } else { world.claim(1).remove(0) };
        world.settle(&claim, verdict(Outcome::Rejected, 400, None));
        at.push(world.now);
        world.pass(60);
        if time + 1 < times {
            world.lane.replay("consent", id, world.now).unwrap();
        }
    }
    at
}

#[test]
fn the_newest_hundred_results_of_a_delivery_are_kept() {
    let mut world = World::new();
    let at = tried(&mut world, "r", 130);
    tried(&mut world, "s", 3);
    let kept: Vec<_> = history(&world, "r").iter().map(|one| one.at).collect();
    assert_eq!(kept, at[29..129]);
    assert_eq!((history(&world, "s").len(), stored(&world)), (2, 102));
}

#[test]
fn history_goes_with_its_row() {
    let mut world = World::new();
    tried(&mut world, "r", 3);
    world.pass(100 * DAY);
    tried(&mut world, "s", 2);
    assert_eq!(stored(&world), 3);
    world.pass(700 * DAY);
    world.clean();
    assert_eq!((world.find("r").len(), stored(&world)), (0, 1));
}

#[test]
fn a_new_request_under_the_same_id_begins_without_history() {
    let mut world = World::new();
    tried(&mut world, "r", 3);
    let received = START;
    world.pass(40 * DAY);
    let arrival = Arrival {
        source: "consent",
        request_id: "r",
        received_at: world.now,
        repeat_after: Some(Duration::from_secs(30 * DAY)),
        parts: vec![part(identity("r@example.com"))],
    };
    world.lane.accept(arrival, ROOM, world.now).unwrap();
    assert_eq!(history(&world, "r"), []);
    assert_eq!(history(&world, &format!("r~{}", received.0)).len(), 2);
}

/// A lane of the same rows that can make no call.
fn orphan(world: &World) -> Lane<Shared> {
    let (database, random) = (Shared(world.store.clone()), Dice::random(7));
    Lane::open(database, "insider", policy(), &[], seal(KEY, None), random, world.now).unwrap()
}

fn page(lane: &Lane<Shared>) -> Option<String> {
    let calls: Vec<String> = CALLS.iter().map(|kind| kind.name.to_owned()).collect();
    lane.page(&calls, 1, 10).unwrap().map(|(_, rows)| rows)
}

#[test]
fn history_moves_with_its_row_whatever_is_repeated() {
    let mut old = World::new();
    tried(&mut old, "r", 3);
    tried(&mut old, "s", 1);
    let before = old.lane.find_with_history("consent", "r").unwrap();
    let mut lane = orphan(&old);
    let mut new = World::new();
    new.now = old.now;
    let rows = page(&lane).unwrap();
    for _ in 0..2 {
        new.lane.adopt(&rows, new.now).unwrap();
        assert_eq!(new.lane.find_with_history("consent", "r").unwrap(), before);
        assert_eq!((history(&new, "s"), stored(&new)), (vec![], 2));
    }
    assert_eq!(lane.forget(&rows).unwrap(), 2);
    assert_eq!(stored(&old), 0);
    // What a lane of an earlier version hands over has no history.
    let columns = "SELECT json_group_array(json(row)) FROM
        (SELECT json_remove(value, '$[22]') AS row FROM json_each(?))";
    let rows = new.store.look(columns, &[rows.as_str().into()]);
    let mut newest = World::new();
    newest.lane.adopt(rows[0].text(0).unwrap(), new.now).unwrap();
    assert_eq!((newest.rows(), stored(&newest)), (2, 0));
}

#[test]
fn where_both_lanes_know_a_delivery_no_result_is_lost() {
    for (of_old, of_new, stays) in [
        (Outcome::Rejected, Outcome::Uncertain, Outcome::Uncertain),
        (Outcome::Accepted, Outcome::Rejected, Outcome::Accepted),
        (Outcome::Rejected, Outcome::Accepted, Outcome::Accepted),
    ] {
        let ended = |at: u64, outcome| {
            let mut world = World::new();
            world.pass(at);
            let claim = world.claim_new("r");
            world.settle(&claim, failed());
            world.pass(3600);
            let claim = world.claim(1).remove(0);
            world.settle(&claim, verdict(outcome, 400, None));
            world
        };
        let (old, mut new) = (ended(0, of_old), ended(60, of_new));
        let rows = page(&orphan(&old)).unwrap();
        for _ in 0..2 {
            new.lane.adopt(&rows, new.now).unwrap();
            assert_eq!(new.outcome("r"), stays);
            let all: Vec<_> = history(&new, "r").iter().map(|one| one.outcome).collect();
            let other = if stays == of_old { of_new } else { of_old };
            assert_eq!(all, [Outcome::Scheduled, Outcome::Scheduled, other]);
        }
    }
}

#[test]
fn moved_history_is_bounded_as_well() {
    let mut old = World::new();
    tried(&mut old, "r", 101);
    let mut new = World::new();
    new.now = old.now.after(Duration::from_secs(60));
    tried(&mut new, "r", 101);
    let rows = page(&orphan(&old)).unwrap();
    new.lane.adopt(&rows, new.now).unwrap();
    let kept = history(&new, "r");
    assert_eq!((kept.len(), stored(&new)), (100, 100));
    assert!(kept[0].at > old.now, "the newest");
}

#[test]
fn what_an_earlier_version_stored_begins_its_history_now() {
    let store = Store::in_memory();
    let mut world = World::on(store.clone(), policy());
    let claim = world.claim_new("r");
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    for old in [
        "DROP TABLE attempt",
        "DROP TRIGGER attempt_of_update",
        "DROP TRIGGER attempt_of_rename",
        "DROP TRIGGER attempt_of_delete",
        "DROP TRIGGER acknowledged_until",
        "DROP INDEX acknowledged",
        "DROP INDEX attention",
        "ALTER TABLE delivery DROP COLUMN acknowledged_at",
        "ALTER TABLE delivery DROP COLUMN acknowledged_note",
        "CREATE INDEX attention ON delivery (received_at, source, request_id)
            WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled')",
        "UPDATE schema SET version = 3",
    ] {
        store.look(old, &[]);
    }
    world.reopen();
    assert_eq!(store.number("SELECT version FROM schema"), 4);
    assert_eq!(history(&world, "r"), []);
    world.pass(1);
    world.lane.replay("consent", "r", world.now).unwrap();
    assert_eq!(history(&world, "r").len(), 1);
}
