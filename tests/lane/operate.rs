//! What an operator sees and does.

use std::time::Duration;

use erasure_relay::delivery::lane::{BreakerState, Key};
use erasure_relay::receipt::{Outcome, State};
use erasure_relay::vendor::Scope;

use crate::world::*;

fn ended(world: &mut World, id: &str, outcome: Outcome) {
    world.pass(1);
    let claim = world.claim_new(id);
    world.settle(&claim, verdict(outcome, 400, None).about(Scope::Call));
}

#[test]
fn replay_tries_again_what_ended_without_the_vendors_word() {
    for (outcome, again) in [
        (Outcome::Accepted, false),
        (Outcome::AlreadyAbsent, false),
        (Outcome::NotErased, false),
        (Outcome::Rejected, true),
        (Outcome::Uncertain, true),
        (Outcome::Blocked, true),
    ] {
        let mut world = World::new();
        ended(&mut world, "r", outcome);
        world.pass(1);
        world.lane.replay("consent", "r", world.now).unwrap();
        assert_eq!(world.claim(6).len(), usize::from(again), "{outcome:?}");
    }
}

#[test]
fn replay_gives_what_is_exhausted_a_new_deadline() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.pass(80 * 3600);
    world.settle(&claim, failed());
    assert_eq!(world.outcome("r"), Outcome::Exhausted);
    world.lane.replay("consent", "r", world.now).unwrap();
    let claim = world.claim(6).remove(0);
    world.settle(&claim, failed());
    assert_eq!(world.outcome("r"), Outcome::Scheduled);
}

#[test]
fn replay_of_what_is_unknown_or_has_no_identifiers_left_changes_nothing() {
    let mut world = World::new();
    ended(&mut world, "r", Outcome::Rejected);
    world.pass(31 * DAY);
    world.clean();
    let before = world.find("r");
    world.lane.replay("consent", "r", world.now).unwrap();
    world.lane.replay("consent", "unknown", world.now).unwrap();
    world.lane.replay("shop", "r", world.now).unwrap();
    assert_eq!(world.find("r"), before);
    assert!(world.claim(6).is_empty());
}

#[test]
fn replay_leaves_what_waits_as_it_is() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, failed());
    let before = world.find("r");
    world.lane.replay("consent", "r", world.now).unwrap();
    assert_eq!(world.find("r"), before);
}

#[test]
fn the_list_is_newest_first_filtered_and_paged() {
    let mut world = World::new();
    for (id, outcome) in [
        ("a", Outcome::Accepted),
        ("b", Outcome::Rejected),
        ("c", Outcome::AlreadyAbsent),
        ("d", Outcome::Blocked),
        ("e", Outcome::NotErased),
        ("f", Outcome::Scheduled),
    ] {
        ended(&mut world, id, outcome);
    }
    let ids = |state, before: Option<&Key>, most| {
        let list = world.lane.list(state, before, most).unwrap();
        list.into_iter().map(|key| key.request_id).collect::<String>()
    };
    assert_eq!(ids(None, None, 10), "fedcba");
    assert_eq!(ids(Some(State::Done), None, 10), "ca");
    assert_eq!(ids(Some(State::Pending), None, 10), "fd");
    assert_eq!(ids(Some(State::Attention), None, 10), "edb");
    let mut paged = String::new();
    let mut before = None;
    while let Some(key) = world.lane.list(None, before.as_ref(), 1).unwrap().pop() {
        paged.push_str(&key.request_id);
        before = Some(key);
    }
    assert_eq!(paged, "fedcba");
    let middle = world.lane.list(None, None, 2).unwrap().pop();
    assert_eq!(ids(Some(State::Done), middle.as_ref(), 10), "ca");
}

#[test]
fn what_waits_and_what_is_under_way_is_pending_in_one_order() {
    let mut world = World::new();
    for number in 0..9 {
        world.pass(1);
        world.wait(&format!("{number}"));
    }
    world.claim(5);
    for most in [1, 4, 100] {
        let mut paged = String::new();
        let mut before = None;
        loop {
            let page = world.lane.list(Some(State::Pending), before.as_ref(), most).unwrap();
            paged.extend(page.iter().map(|key| &*key.request_id));
            let Some(last) = page.into_iter().last() else { break };
            before = Some(last);
        }
        assert_eq!(paged, "876543210", "pages of {most}");
    }
}

#[test]
fn an_erasure_of_many_deliveries_stands_once_in_every_list() {
    let mut world = World::new();
    let claims = world.accept("r", &["a@example.com", "b@example.com", "c@example.com"]).claims;
    world.settle(&claims[0], accepted());
    world.settle(&claims[1], accepted());
    for state in [None, Some(State::Pending), Some(State::Done)] {
        assert_eq!(world.lane.list(state, None, 10).unwrap().len(), 1, "{state:?}");
    }
    world.settle(&claims[2], refused());
    assert_eq!(world.lane.list(Some(State::Attention), None, 10).unwrap().len(), 1);
}

#[test]
fn the_status_tells_depth_age_and_breaker() {
    let mut world = World::new();
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.waiting, status.breaker), (0, BreakerState::Closed));
    assert_eq!((status.oldest_received_at, status.next_attempt_at), (None, None));
    let claim = world.claim_new("r");
    world.pass(10);
    world.claim_new("s");
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.waiting, status.oldest_received_at), (2, Some(START)), "under way");
    assert_eq!(status.next_attempt_at, Some(START.after(world.policy.lease)));
    let used: Vec<u32> = status.pace.iter().map(|pace| pace.used).collect();
    assert_eq!(used, [2, 0], "identity and profile");
    world.settle(&claim, throttled(30));
    let status = world.lane.status(world.now).unwrap();
    assert_eq!((status.waiting, status.breaker), (2, BreakerState::Resting));
    assert_eq!(status.oldest_received_at, Some(START));
    assert_eq!(status.rests_until, Some(world.now.after(Duration::from_secs(30))));
    assert_eq!(status.rests_until, status.next_attempt_at);
}

#[test]
fn an_id_is_found_among_all_of_its_source() {
    let mut world = World::new();
    for number in 0..1201 {
        world.wait(&format!("request {number:04}"));
    }
    let find = |world: &World, source: &str, end: &str| {
        world.lane.find_id(source, |id| id.ends_with(end)).unwrap()
    };
    for end in ["0000", "0499", "0500", "1200"] {
        assert_eq!(find(&world, "consent", end), Some(format!("request {end}")));
    }
    assert_eq!(find(&world, "consent", "1201"), None);
    assert_eq!(find(&world, "shop", "0000"), None);
}

#[test]
fn what_waits_and_should_have_been_answered_is_counted_by_erasure() {
    let mut world = World::new();
    let parts = ["a@example.com", "b@example.com"].map(|email| part(identity(email)));
    ended(&mut world, "done", Outcome::Accepted);
    ended(&mut world, "rejected", Outcome::Rejected);
    assert!(world.arrive_with(0, "two", parts.into()).claims.is_empty());
    world.pass(1);
    world.wait("later");
    let overdue = |world: &World, source: &str, before: u64| {
        let latest = world.now.before(Duration::from_secs(before));
        world.lane.overdue(source, latest).unwrap()
    };
    assert_eq!(overdue(&world, "consent", 0), 2);
    assert_eq!(overdue(&world, "consent", 1), 1);
    assert_eq!((overdue(&world, "consent", 2), overdue(&world, "shop", 0)), (0, 0));
    world.lane.discard("consent", "two", "note", world.now).unwrap();
    assert_eq!(overdue(&world, "consent", 0), 1);
}
