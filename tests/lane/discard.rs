//! What an operator ends: it is not sent, not replayed and not revived, and names nobody.

use erasure_relay::delivery::lane::Key;
use erasure_relay::receipt::{Outcome, State};
use erasure_relay::vendor::Call;

use crate::object::Object;
use crate::world::*;

const NOTE: &str = "done by hand, ticket 12";

fn discard(world: &mut World, id: &str) -> usize {
    world.lane.discard("consent", id, NOTE, world.now).unwrap().len()
}

fn ids(world: &World, state: State) -> Vec<String> {
    let list = world.lane.list(Some(state), None, 100).unwrap();
    list.into_iter().map(|key: Key| key.request_id).collect()
}

#[test]
fn what_waits_is_under_way_or_could_be_replayed_is_ended() {
    for (outcome, ends) in [
        (None, true),
        (Some(Outcome::Scheduled), true),
        (Some(Outcome::Blocked), true),
        (Some(Outcome::Rejected), true),
        (Some(Outcome::Uncertain), true),
        (Some(Outcome::Accepted), false),
        (Some(Outcome::AlreadyAbsent), false),
        (Some(Outcome::NotErased), false),
    ] {
        let mut world = World::new();
        let claim = world.claim_new("r");
        if let Some(outcome) = outcome {
            world.settle(&claim, verdict(outcome, 400, None));
        }
        world.pass(7);
        let before = world.find("r");
        assert_eq!(discard(&mut world, "r"), usize::from(ends), "{outcome:?}");
        let record = world.find("r").remove(0);
        if ends {
            assert_eq!(record.outcome, Outcome::Discarded);
            assert_eq!((record.detail.as_deref(), record.due_at), (Some(NOTE), None));
            assert_eq!(record.updated_at, world.now);
            assert_eq!(record.attempts, before[0].attempts);
        } else {
            assert_eq!(world.find("r"), before);
        }
        assert!(!world.person_is_stored("r"), "{outcome:?}");
        assert_eq!(discard(&mut world, "r"), 0, "once");
    }
}

#[test]
fn other_erasures_and_unusable_identifiers_stay_as_they_are() {
    let mut world = World::new();
    world.arrive("r", vec![nobody()]);
    world.wait("s");
    assert_eq!(discard(&mut world, "r") + discard(&mut world, "unknown"), 0);
    assert!(world.lane.discard("shop", "s", NOTE, world.now).unwrap().is_empty());
    assert_eq!(world.outcome("r"), Outcome::InsufficientIdentification);
    assert_eq!(world.claim(6).len(), 1);
}

#[test]
fn it_is_neither_sent_nor_replayed_nor_revived() {
    let mut world = World::new();
    for id in ["r", "s"] {
        world.wait(id);
    }
    discard(&mut world, "r");
    world.lane.replay("consent", "r", world.now).unwrap();
    assert!(world.accept("r", &["r@example.com"]).claims.is_empty());
    world.lane.resume(world.now).unwrap();
    world.reopen();
    world.pass(80 * 3600);
    let claims = world.claim(6);
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].record.request_id, "s");
    assert_eq!(world.outcome("r"), Outcome::Discarded);
}

#[test]
fn a_further_identifier_is_a_delivery_of_its_own() {
    let with = |email: &str, others: &[&str]| {
        let others = others.iter().map(|other| identity(other).identifier).collect();
        part(Call { alternatives: others, ..profile(email) })
    };
    let mut world = World::new();
    world.arrive_with(0, "r", vec![with("a@example.com", &[])]);
    discard(&mut world, "r");
    let accepted = world.arrive("r", vec![with("a@example.com", &["b@example.com"])]);
    assert_eq!(accepted.records.len(), 2);
    assert_eq!(world.outcome("r"), Outcome::Discarded);
    let [claim] = &accepted.claims[..] else { panic!("one call") };
    assert_eq!(claim.call.identifier.expose(), "b@example.com");
    assert!(claim.call.alternatives.is_empty(), "the discarded one is not tried");
}

#[test]
fn of_a_call_under_way_only_the_vendors_confirmation_counts() {
    for (verdict, stands) in
        [(failed(), false), (verdict(Outcome::Rejected, 400, None), false), (accepted(), true)]
    {
        let mut world = World::new();
        let claim = world.claim_new("r");
        discard(&mut world, "r");
        assert_eq!(world.settle(&claim, verdict).record.is_some(), stands);
        world.lane.give_back(&claim, world.now).unwrap();
        assert!(world.claim(6).is_empty());
        let outcome = if stands { Outcome::Accepted } else { Outcome::Discarded };
        assert_eq!(world.outcome("r"), outcome);
        assert!(!world.person_is_stored("r"));
    }
}

#[test]
fn a_queued_call_is_not_made() {
    let mut object = Object::fast();
    object.deliver_many("busy", 6);
    let busy = object.send();
    assert_eq!(busy.len(), 6);
    object.deliver("r", &["r@example.com"]);
    object.deliver("s", &["s@example.com"]);
    let ended = object.dispatcher.discard("consent", "r", NOTE, object.now).unwrap();
    assert_eq!(ended.len(), 1);
    object.finish_all(busy, accepted());
    let claims = object.send();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].record.request_id, "s");
}

#[test]
fn it_has_a_list_of_its_own_and_goes_in_time() {
    let mut world = World::new();
    for id in ["rejected", "r"] {
        let claim = world.claim_new(id);
        world.settle(&claim, verdict(Outcome::Rejected, 400, None));
    }
    world.wait("s");
    discard(&mut world, "r");
    discard(&mut world, "s");
    assert_eq!(ids(&world, State::Attention), ["rejected"]);
    assert_eq!(ids(&world, State::Discarded), ["s", "r"]);
    assert!(ids(&world, State::Pending).is_empty() && ids(&world, State::Done).is_empty());
    assert_eq!(world.lane.list(None, None, 100).unwrap().len(), 3);
    world.pass(731 * DAY);
    world.clean();
    assert_eq!(world.rows(), 0);
    assert_eq!(world.wake(), None);
}
