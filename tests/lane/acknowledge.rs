//! What a person has seen needs no attention, until it changes; and what an operator does to all that a
//! lane holds.

use std::collections::HashSet;

use erasure_relay::receipt::{Acknowledged, Outcome, State};
use erasure_relay::vendor::{Call, Scope};

use crate::world::*;

const SEEN: [Outcome; 5] = [
    Outcome::Rejected,
    Outcome::Uncertain,
    Outcome::Exhausted,
    Outcome::NotErased,
    Outcome::InsufficientIdentification,
];

fn ended(world: &mut World, id: &str, outcome: Outcome) {
    world.pass(1);
    let claim = world.claim_new(id);
    world.settle(&claim, verdict(outcome, 400, None).about(Scope::Call));
}

fn listed(world: &World, state: State) -> Vec<String> {
    let keys = world.lane.list(Some(state), None, 1000).unwrap();
    keys.into_iter().map(|key| key.request_id).collect()
}

fn acknowledged(world: &World, id: &str) -> Option<Acknowledged> {
    world.find(id).remove(0).acknowledged
}

#[test]
fn what_is_acknowledged_needs_no_attention_and_stays_as_it_is() {
    for outcome in SEEN {
        let mut world = World::new();
        ended(&mut world, "r", outcome);
        ended(&mut world, "other", outcome);
        world.pass(60);
        let before = world.find("r").remove(0);
        world.lane.acknowledge("consent", "r", "TICKET-1", world.now).unwrap();
        let after = world.find("r").remove(0);
        let seen = Acknowledged { at: world.now, note: "TICKET-1".into() };
        assert_eq!(after.acknowledged, Some(seen));
        assert_eq!(after.state(), State::Acknowledged);
        assert_eq!((after.outcome, after.updated_at), (before.outcome, before.updated_at));
        assert_eq!(listed(&world, State::Attention), ["other"], "{outcome:?}");
        assert_eq!(listed(&world, State::Acknowledged), ["r"]);
        assert!(world.find("other")[0].acknowledged.is_none());
        world.pass(60);
        world.lane.acknowledge("consent", "r", "TICKET-2", world.now).unwrap();
        assert_eq!(acknowledged(&world, "r").unwrap().note, "TICKET-2");
        world.reopen();
        assert_eq!(acknowledged(&world, "r").unwrap().note, "TICKET-2");
    }
}

#[test]
fn what_is_good_or_waits_cannot_be_acknowledged() {
    for outcome in [Outcome::Accepted, Outcome::AlreadyAbsent, Outcome::Scheduled, Outcome::Blocked]
    {
        let mut world = World::new();
        ended(&mut world, "r", outcome);
        world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
        assert_eq!(acknowledged(&world, "r"), None, "{outcome:?}");
    }
    let mut world = World::new();
    ended(&mut world, "r", Outcome::Rejected);
    world.lane.replay("consent", "r", world.now).unwrap();
    world.claim(1);
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    assert_eq!(acknowledged(&world, "r"), None, "under way");
    world.lane.discard("consent", "r", "by hand", world.now).unwrap();
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    assert_eq!(acknowledged(&world, "r"), None, "discarded");
}

#[test]
fn a_replay_clears_it_and_the_same_outcome_needs_attention_again() {
    let mut world = World::new();
    ended(&mut world, "r", Outcome::Rejected);
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    world.pass(1);
    world.lane.replay("consent", "r", world.now).unwrap();
    assert_eq!(acknowledged(&world, "r"), None);
    assert_eq!(listed(&world, State::Pending), ["r"]);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    assert_eq!(listed(&world, State::Attention), ["r"]);
    assert!(listed(&world, State::Acknowledged).is_empty());
}

#[test]
fn a_discard_and_a_late_confirmation_clear_it() {
    let mut world = World::new();
    let late = world.claim_new("r");
    world.pass(50);
    world.clean();
    world.pass(1);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    let settled = world.settle(&late, accepted()).record.unwrap();
    assert_eq!((settled.outcome, settled.acknowledged), (Outcome::Accepted, None));
    assert_eq!(world.find("r")[0].state(), State::Done);
    assert_eq!(acknowledged(&world, "r"), None);

    ended(&mut world, "s", Outcome::Rejected);
    world.lane.acknowledge("consent", "s", "n", world.now).unwrap();
    let ended = world.lane.discard("consent", "s", "by hand", world.now).unwrap();
    assert_eq!(ended[0].acknowledged, None, "as it is reported");
    assert_eq!(acknowledged(&world, "s"), None);
}

#[test]
fn what_is_known_of_the_person_later_clears_it() {
    let mut world = World::new();
    let calls = ["a@example.com", "b@example.com"].map(|email| part(profile(email)));
    let claims = world.arrive("r", calls.into()).claims;
    world.settle(&claims[0], no_such_user());
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    assert!(acknowledged(&world, "r").is_some());
    world.settle(&claims[1], accepted());
    let records = world.find("r");
    assert_eq!((records[0].outcome, &records[0].acknowledged), (Outcome::AlreadyAbsent, &None));
}

#[test]
fn a_platform_is_not_told_of_it() {
    let mut world = World::new();
    world.lane.watch(&["consent"]).unwrap();
    ended(&mut world, "r", Outcome::Rejected);
    let notice = world.lane.notices(10).unwrap().remove(0);
    world.lane.forget_notice(&notice).unwrap();
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    assert!(acknowledged(&world, "r").is_some() && world.lane.notices(10).unwrap().is_empty());
    world.pass(1);
    world.lane.replay("consent", "r", world.now).unwrap();
    assert_eq!(world.lane.notices(10).unwrap().len(), 1);
}

#[test]
fn a_new_webhook_of_the_erasure_is_not_acknowledged() {
    let mut world = World::new();
    world.arrive("r", vec![unusable("k1:a")]);
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    world.arrive("r", vec![unusable("k1:a"), unusable("k1:b")]);
    let states: Vec<State> = world.find("r").iter().map(|record| record.state()).collect();
    assert_eq!(states, [State::Acknowledged, State::Attention]);
    assert_eq!(listed(&world, State::Attention), ["r"]);
}

#[test]
fn it_moves_with_its_row_and_goes_with_it() {
    let mut old = World::new();
    ended(&mut old, "r", Outcome::Rejected);
    old.lane.acknowledge("consent", "r", "n", old.now).unwrap();
    let seen = acknowledged(&old, "r");
    let (database, random) = (crate::database::Shared(old.store.clone()), Dice::random(7));
    let key = seal(KEY, None);
    let mut lane = erasure_relay::delivery::lane::Lane::open(
        database,
        "insider",
        policy(),
        &[],
        key,
        random,
        old.now,
    )
    .unwrap();
    let calls: Vec<String> = CALLS.iter().map(|kind| kind.name.to_owned()).collect();
    let (_, rows) = lane.page(&calls, 1, 10).unwrap().unwrap();
    let mut new = World::new();
    new.lane.adopt(&rows, new.now).unwrap();
    lane.forget(&rows).unwrap();
    assert!(seen.is_some());
    assert_eq!((acknowledged(&new, "r"), old.rows()), (seen, 0));
    // A confirmation that another lane brings clears it.
    let mut confirmed = World::new();
    ended(&mut confirmed, "r", Outcome::Accepted);
    let (database, random) = (crate::database::Shared(confirmed.store.clone()), Dice::random(7));
    let key = seal(KEY, None);
    let lane = erasure_relay::delivery::lane::Lane::open(
        database,
        "insider",
        policy(),
        &[],
        key,
        random,
        new.now,
    )
    .unwrap();
    let (_, rows) = lane.page(&calls, 1, 10).unwrap().unwrap();
    new.lane.adopt(&rows, new.now).unwrap();
    let record = new.find("r").remove(0);
    assert_eq!((record.outcome, record.acknowledged), (Outcome::Accepted, None));
}

/// Deliveries of each outcome, in a lane that still makes calls.
fn one_of_each(world: &mut World) {
    let claim = world.claim_new("exhausted");
    world.pass(80 * 3600);
    world.settle(&claim, failed());
    ended(world, "discarded", Outcome::Rejected);
    world.lane.discard("consent", "discarded", "by hand", world.now).unwrap();
    for outcome in [
        Outcome::Accepted,
        Outcome::AlreadyAbsent,
        Outcome::NotErased,
        Outcome::Rejected,
        Outcome::Uncertain,
        Outcome::Scheduled,
        Outcome::Blocked,
    ] {
        ended(world, outcome.name(), outcome);
    }
    world.arrive("nobody", vec![nobody()]);
    world.pass(1);
}

#[test]
fn everything_that_can_be_replayed_is_replayed_by_pages() {
    let mut world = World::new();
    one_of_each(&mut world);
    let before = world.now;
    let mut replayed = Vec::new();
    loop {
        let page = world.lane.replay_all(None, before, 3, world.now).unwrap();
        replayed.push(page);
        if page < 3 {
            break;
        }
    }
    assert_eq!(replayed, [3, 1]);
    let waiting: HashSet<String> = listed(&world, State::Pending).into_iter().collect();
    let expected = ["rejected", "uncertain", "exhausted", "blocked", "scheduled"];
    assert_eq!(waiting, expected.map(str::to_owned).into());
    assert_eq!(world.outcome("not_erased"), Outcome::NotErased);
    assert_eq!(world.outcome("discarded"), Outcome::Discarded);
    let history = world.lane.find_with_history("consent", "rejected").unwrap().remove(0).history;
    assert_eq!(history[0].outcome, Outcome::Rejected);
}

#[test]
fn a_bulk_replay_is_of_one_outcome_where_one_is_named() {
    for outcome in [Outcome::Rejected, Outcome::Uncertain, Outcome::Exhausted, Outcome::Blocked] {
        let mut world = World::new();
        one_of_each(&mut world);
        let replayed = world.lane.replay_all(Some(outcome), world.now, 100, world.now);
        assert_eq!(replayed, Ok(1), "{outcome:?}");
        // What is blocked is due now, and stays what it is until its next attempt.
        let is_kept = outcome == Outcome::Blocked;
        let expected = if is_kept { outcome } else { Outcome::Scheduled };
        assert_eq!(world.outcome(outcome.name()), expected);
        let again = world.lane.replay_all(Some(outcome), world.now, 100, world.now);
        assert_eq!(again, Ok(0), "{outcome:?}");
    }
    let mut world = World::new();
    one_of_each(&mut world);
    for outcome in [Outcome::Accepted, Outcome::NotErased, Outcome::Discarded, Outcome::Scheduled] {
        let replayed = world.lane.replay_all(Some(outcome), world.now, 100, world.now);
        assert_eq!(replayed, Ok(0), "{outcome:?}");
    }
}

#[test]
fn what_fails_again_meanwhile_is_not_replayed_a_second_time() {
    let mut world = World::new();
    ended(&mut world, "r", Outcome::Rejected);
    world.pass(1);
    let begun = world.now;
    assert_eq!(world.lane.replay_all(None, begun, 10, world.now), Ok(1));
    let claim = world.claim(1).remove(0);
    world.pass(1);
    world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    assert_eq!(world.lane.replay_all(None, begun, 10, world.now), Ok(0));
    world.pass(1);
    assert_eq!(world.lane.replay_all(None, world.now, 10, world.now), Ok(1), "another request");
}

#[test]
fn a_bulk_replay_leaves_what_is_acknowledged_to_those_who_name_it() {
    let mut world = World::new();
    ended(&mut world, "r", Outcome::Rejected);
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    world.pass(1);
    assert_eq!(world.lane.replay_all(None, world.now, 10, world.now), Ok(0));
    assert!(acknowledged(&world, "r").is_some());
}

#[test]
fn everything_that_needs_attention_is_acknowledged_by_pages() {
    let mut world = World::new();
    one_of_each(&mut world);
    ended(&mut world, "seen", Outcome::Rejected);
    world.lane.acknowledge("consent", "seen", "before", world.now).unwrap();
    let all = |world: &World, outcome, most| {
        world.lane.acknowledge_all(outcome, "after", most, world.now).unwrap()
    };
    assert_eq!(all(&world, Some(Outcome::Rejected), 10), 1);
    assert_eq!(all(&world, Some(Outcome::Blocked), 10), 0);
    assert_eq!((all(&world, None, 3), all(&world, None, 3)), (3, 1));
    assert_eq!(listed(&world, State::Attention), ["blocked"]);
    assert_eq!(listed(&world, State::Acknowledged).len(), 6);
    assert_eq!(acknowledged(&world, "seen").unwrap().note, "before");
}

#[test]
fn an_acknowledged_identifier_may_be_sent_by_a_later_webhook() {
    let mut world = World::new();
    world.arrive("r", vec![nobody()]);
    world.lane.acknowledge("consent", "r", "n", world.now).unwrap();
    let call = Call { ..identity("a@example.com") };
    let records = world.arrive("r", vec![part(call)]).records;
    assert_eq!((records.len(), records[0].state()), (1, State::Pending));
    assert!(listed(&world, State::Acknowledged).is_empty());
}
