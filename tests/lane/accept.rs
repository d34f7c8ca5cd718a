//! What arrives is stored once, and claimed as far as it may be sent at once.

use std::time::Duration;

use erasure_relay::delivery::lane::{Arrival, Record};
use erasure_relay::delivery::policy::Policy;
use erasure_relay::receipt::{Outcome, State};
use erasure_relay::vendor::Pace;

use crate::world::*;

#[test]
fn the_same_webhook_fifty_times_is_one_delivery_with_one_claim() {
    let mut world = World::new();
    let mut claims = 0;
    for _ in 0..50 {
        let accepted = world.accept("r", &["a@example.com"]);
        claims += accepted.claims.len();
        assert_eq!(accepted.records.len(), 1);
        world.pass(3);
    }
    assert_eq!((claims, world.rows()), (1, 1));
}

#[test]
fn the_same_webhook_after_the_end_tells_the_end() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, accepted());
    let again = world.accept("r", &["r@example.com"]);
    assert_eq!((again.claims.len(), again.records[0].outcome), (0, Outcome::Accepted));
    assert_eq!(world.wake(), Some(START.after(world.policy.receipts)));
}

#[test]
fn further_identifiers_are_added_and_the_known_ones_not_sent_again() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, accepted());
    world.pass(60);
    let more = world.accept("r", &["r@example.com", "b@example.com"]);
    let outcomes: Vec<_> = more.records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Scheduled]);
    let claimed: Vec<_> = more.claims.iter().map(|claim| claim.record.position).collect();
    assert_eq!(claimed, [1], "the part that is new");
}

#[test]
fn an_erasure_has_one_time_of_arrival_and_stands_once_in_the_list() {
    let mut world = World::new();
    world.arrive("r", vec![nobody()]);
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        world.pass(60);
        let records = world.accept("r", &[email]).records;
        assert!(records.iter().all(|record| record.received_at == START));
    }
    assert_eq!(world.lane.list(None, None, 10).unwrap().len(), 1);
}

#[test]
fn the_same_id_from_another_source_is_another_erasure() {
    let mut world = World::new();
    world.accept("r", &["a@example.com"]);
    let parts = vec![part(identity("a@example.com"))];
    let arrival = Arrival {
        source: "shop",
        request_id: "r",
        received_at: world.now,
        repeat_after: None,
        parts,
    };
    assert_eq!(world.lane.accept(arrival, ROOM, world.now).unwrap().claims.len(), 1);
    assert_eq!(world.rows(), 2);
}

#[test]
fn no_more_is_claimed_than_there_is_room_for() {
    let mut world = World::new();
    let parts = (0..10).map(|number| part(identity(&format!("{number}@example.com"))));
    let accepted = world.arrive_with(3, "r", parts.collect());
    assert_eq!((accepted.claims.len(), accepted.records.len()), (3, 10));
    assert_eq!(accepted.wake_by, Some(world.now));
    assert_eq!(world.claim(20).len(), 7, "the rest is due at once");
}

#[test]
fn an_arrival_is_claimed_at_the_pace_and_only_while_nothing_else_is_due() {
    let pace = Some(Pace { calls: 2, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let (mut at_once, mut later) = (0, 0);
    for number in 0..100 {
        world.pass(1);
        at_once +=
            world.accept(&format!("r{number}"), &[&format!("{number}@example.com")]).claims.len();
        later += world.claim(6).len();
    }
    assert_eq!(at_once, 1, "those behind the first wait for their turn");
    assert!((2..=3).contains(&later), "{later}");
    assert_eq!(world.rows(), 100);
}

#[test]
fn the_wake_of_an_arrival_is_when_its_lease_runs_out_or_its_call_may_be_made() {
    let pace = Some(Pace { calls: 1, per_seconds: 60 });
    let mut world = World::with(Policy { pace, ..policy() });
    let first = world.accept("r", &["a@example.com"]);
    assert_eq!(first.wake_by, Some(world.now.after(world.policy.lease)));
    let second = world.accept("s", &["b@example.com"]).wake_by.unwrap();
    assert!(second > world.now.after(Duration::from_secs(59)), "the pace allows none before");
    assert_eq!(world.accept("s", &["b@example.com"]).wake_by, None, "nothing is new");
    let claim = &first.claims[0];
    world.settle(claim, throttled(600));
    let third = world.accept("t", &["c@example.com"]).wake_by;
    assert_eq!(third, Some(world.now.after(Duration::from_secs(600))));
}

#[test]
fn what_may_not_go_at_once_waits_and_is_due() {
    let mut world = World::new();
    let claim = world.claim_new("first");
    world.settle(&claim, throttled(60));
    let accepted = world.accept("second", &["s@example.com"]);
    assert!(accepted.claims.is_empty());
    let shown = accepted.records[0].due_at;
    assert_eq!(shown, Some(world.now.after(Duration::from_secs(60))), "shown with the rest");
}

#[test]
fn nobody_is_shown_once_and_replaced_when_somebody_comes() {
    let mut world = World::new();
    for _ in 0..3 {
        let records = world.arrive("r", vec![nobody()]).records;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].outcome, Outcome::InsufficientIdentification);
        assert_eq!(records[0].due_at, None);
    }
    let records = world.accept("r", &["a@example.com"]).records;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].outcome, Outcome::Scheduled);
    let records = world.arrive("r", vec![nobody()]).records;
    assert_eq!((records.len(), world.rows()), (1, 1), "somebody is known already");
}

#[test]
fn what_is_not_applicable_is_until_somebody_is_named() {
    let mut world = World::new();
    let left_out = || vec![without(Outcome::NotApplicable)];
    let outcomes =
        |records: &[Record]| -> Vec<_> { records.iter().map(|one| one.outcome).collect() };
    for _ in 0..2 {
        let records = world.arrive("r", left_out()).records;
        assert_eq!(outcomes(&records), [Outcome::NotApplicable]);
        assert_eq!(
            (records[0].due_at, records[0].detail.as_deref()),
            (None, Some("no identifier"))
        );
    }
    // A webhook that reaches no vendor at all takes nothing back.
    let records = world.arrive("r", vec![nobody()]).records;
    assert_eq!(outcomes(&records), [Outcome::NotApplicable]);
    let accepted = world.accept("r", &["a@example.com"]);
    assert_eq!(outcomes(&accepted.records), [Outcome::Scheduled]);
    assert_eq!(accepted.claims.len(), 1);
    world.settle(&accepted.claims[0], self::accepted());
    let records = world.arrive("r", left_out()).records;
    assert_eq!(outcomes(&records), [Outcome::Accepted], "somebody is known already");
}

#[test]
fn what_nobody_could_use_becomes_not_applicable_once_another_vendor_is_asked() {
    let mut world = World::new();
    world.arrive("r", vec![nobody()]);
    world.arrive("phone", vec![unusable("k1:a")]);
    world.pass(60);
    let records = world.arrive("r", vec![without(Outcome::NotApplicable)]).records;
    assert_eq!((records.len(), records[0].outcome), (1, Outcome::NotApplicable));
    assert_eq!(records[0].updated_at, world.now);
    world.arrive("phone", vec![without(Outcome::NotApplicable)]);
    assert_eq!(world.outcome("phone"), Outcome::InsufficientIdentification);
    let list = |state| world.lane.list(Some(state), None, 10).unwrap();
    let ids = |state| list(state).iter().map(|key| key.request_id.clone()).collect::<Vec<_>>();
    assert_eq!(
        (ids(State::Done), ids(State::Attention)),
        (vec!["r".to_owned()], vec!["phone".to_owned()])
    );
}

#[test]
fn an_identifier_that_cannot_be_used_is_shown_beside_the_others() {
    let mut world = World::new();
    let unusable = || unusable("k1:a");
    for _ in 0..3 {
        let parts = vec![part(identity("a@example.com")), unusable()];
        let records = world.arrive("r", parts).records;
        let shown: Vec<_> = records.iter().map(|record| record.identifier.as_deref()).collect();
        assert_eq!(shown, [Some("email"), Some("phone_number")]);
        assert_eq!(records[1].detail.as_deref(), Some("not E.164"));
    }
    assert_eq!(world.rows(), 2);
}

#[test]
fn an_identifier_that_cannot_be_used_takes_the_place_of_nobody() {
    let mut world = World::new();
    world.arrive("r", vec![nobody()]);
    assert_eq!(world.arrive("r", vec![unusable("k1:a")]).records.len(), 1);
    assert_eq!(world.rows(), 1);
}

#[test]
fn every_identifier_that_cannot_be_used_is_shown() {
    let mut world = World::new();
    let subjects = |records: Vec<Record>| -> Vec<String> {
        records.into_iter().filter_map(|record| record.subject).collect()
    };
    for _ in 0..2 {
        let records = world.arrive("r", vec![unusable("k1:a"), unusable("k1:b")]).records;
        assert_eq!(subjects(records), ["shown k1:a", "shown k1:b"]);
    }
    let records = world.arrive("r", vec![unusable("k1:c"), unusable("k1:b")]).records;
    assert_eq!(subjects(records), ["shown k1:a", "shown k1:b", "shown k1:c"]);
    // What was stored under the previous key is the same.
    world.arrive("s", vec![unusable("k1:a before")]);
    let records = world.arrive("s", vec![unusable("k1:a")]).records;
    assert_eq!(subjects(records), ["shown k1:a before"]);
}

#[test]
fn identifiers_that_cannot_be_used_are_limited() {
    let mut world = World::new();
    for batch in 0..3 {
        let parts = (0..60).map(|one| unusable(&format!("k1:{batch}.{one}"))).collect();
        world.arrive("r", parts);
    }
    assert_eq!(world.rows(), 100);
    let parts = vec![unusable("k1:x"), part(identity("a@example.com"))];
    assert_eq!(world.arrive("r", parts).records.len(), 101, "what can be sent is not limited");
}

#[test]
fn an_identifier_that_a_former_version_stored_is_not_added_again() {
    let mut world = World::new();
    world.arrive("r", vec![unusable("k1:a")]);
    world.store.define("UPDATE delivery SET slot = 'phone_number', subject = NULL");
    assert_eq!(world.arrive("r", vec![unusable("k1:a")]).records.len(), 1);
    assert_eq!(world.rows(), 1);
}

#[test]
fn a_lane_of_a_shard_takes_its_share_of_the_pace() {
    let pace = Some(Pace { calls: 1000, per_seconds: 60 });
    let world = World::with(Policy { pace, shards: 4, ..policy() });
    let status = world.lane.status(START).unwrap();
    let paces: Vec<_> = status.pace.iter().map(|pace| (&*pace.call, pace.calls)).collect();
    assert_eq!(paces, [(IDENTITY, 250), (PROFILE, 2500)]);
}

#[test]
fn a_claim_that_is_given_back_is_due_at_once_and_void() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    assert!(world.claim(6).is_empty());
    world.lane.give_back(&claim, world.now).unwrap();
    assert_eq!(world.wake(), Some(world.now));
    let claims = world.claim(6);
    assert_eq!(claims.len(), 1);
    assert!(world.settle(&claim, failed()).record.is_none());
    world.lane.give_back(&claim, world.now).unwrap();
    assert!(world.claim(6).is_empty(), "giving a void claim back changes nothing");
    world.settle(&claims[0], accepted());
    assert_eq!(world.outcome("r"), Outcome::Accepted);
}
