//! What is under way: at most six calls, and a bounded queue.

use std::time::Duration;

use erasure_relay::delivery::dispatcher::CONNECTIONS;
use erasure_relay::delivery::lane::Record;
use erasure_relay::delivery::policy::Policy;
use erasure_relay::vendor::Pace;

use crate::database::Store;
use crate::object::{Object, fast};
use crate::world::*;

/// How many calls wait in memory at most.
const QUEUE: i64 = 32;

#[test]
fn six_calls_are_under_way_and_the_seventh_is_queued() {
    let mut object = Object::fast();
    object.deliver_many("r", 10);
    let mut claims = object.send();
    assert_eq!(claims.len(), CONNECTIONS);
    assert_eq!(object.leased(), 10, "the others are claimed as well");
    object.finish(claims.remove(0), accepted());
    assert_eq!(object.send().len(), 1);
    assert!(object.send().is_empty());
}

#[test]
fn the_queue_is_bounded_and_the_rest_waits_in_the_storage() {
    let mut object = Object::fast();
    object.deliver_many("r", 40);
    object.deliver_many("s", 60);
    let most = i64::try_from(CONNECTIONS).unwrap() + QUEUE;
    assert_eq!((object.leased(), object.waiting()), (most, 100 - most));
    let mut sent = 0;
    loop {
        let claims = object.send();
        if claims.is_empty() {
            break;
        }
        sent += claims.len();
        object.pass_millis(100);
        claims.into_iter().for_each(|claim| drop(object.finish(claim, accepted())));
    }
    object.flush();
    assert_eq!((sent, object.leased(), object.waiting()), (100, 0, 0));
}

#[test]
fn the_room_is_what_the_queue_and_the_calls_under_way_leave() {
    let mut object = Object::fast();
    for number in 0..100 {
        object.deliver(&format!("{number}"), &[&format!("{number}@example.com")]);
    }
    assert_eq!(object.leased(), i64::try_from(CONNECTIONS).unwrap() + QUEUE);
}

#[test]
fn a_queued_call_that_has_become_late_is_given_back_and_claimed_again() {
    let mut object = Object::fast();
    object.deliver_many("r", 7);
    let mut claims = object.send();
    object.pass_millis(1801); // 3 % of the pace's minute, and a millisecond
    object.finish(claims.remove(0), accepted());
    let again = object.send();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].claimed_at, object.now, "the pace was asked again");
    object.finish_all(again.into_iter().chain(claims), accepted());
    object.flush();
    assert_eq!(object.count("outcome = 'accepted'"), 7);
}

#[test]
fn a_queued_call_within_its_time_is_made_as_it_was_claimed() {
    let mut object = Object::fast();
    object.deliver_many("r", 7);
    let mut claims = object.send();
    let claimed_at = object.now;
    object.pass_millis(1800);
    object.finish(claims.remove(0), accepted());
    assert_eq!(object.send()[0].claimed_at, claimed_at);
}

#[test]
fn a_queued_call_whose_lease_has_run_out_is_not_made() {
    // 3 % of an hour is longer than a lease.
    let pace = Some(Pace { calls: 1000, per_seconds: 3600 });
    let mut object = Object::on(Store::in_memory(), Policy { pace, ..policy() });
    object.deliver_many("r", 7);
    let claims = object.send();
    object.pass_millis(45_000);
    object.clean();
    object.finish_all(claims, failed());
    object.flush();
    assert_eq!(object.count("lease_until IS NULL AND due_at <= updated_at + 45000"), 7, "too late");
    for claim in object.send() {
        assert!(object.finish(claim, accepted()).unrecorded);
        object.flush();
        assert!(object.count("outcome = 'accepted'") > 0, "nobody makes a call that is void");
    }
}

#[test]
fn after_a_refusal_what_is_queued_is_given_back_and_not_sent() {
    let mut object = Object::fast();
    object.deliver_many("r", 10);
    let mut claims = object.send();
    object.finish(claims.remove(0), refused());
    assert!(object.send().is_empty());
    assert_eq!((object.leased(), object.waiting()), (5, 5));
    object.finish_all(claims, refused());
    assert!(object.send().is_empty());
    assert_eq!((object.leased(), object.waiting()), (0, 10));
    object.pass_millis(300_000);
    object.begin();
    assert_eq!(object.send().len(), 1, "a probe");
}

#[test]
fn the_call_that_follows_goes_before_all_others() {
    let mut object = Object::fast();
    object.deliver_many("r", 9);
    let mut claims = object.send();
    let first = claims.remove(0);
    let id = first.record.slot.clone();
    let finished = object.follow(first, profile("0@example.com"));
    assert!(!finished.unrecorded);
    assert_eq!(finished.record.unwrap().call.as_deref(), Some(PROFILE));
    let next = object.send();
    assert_eq!((next.len(), next[0].call.name, &next[0].record.slot), (1, PROFILE, &id));
}

#[test]
fn rows_are_claimed_for_a_while_after_an_event_and_the_wake_is_no_later() {
    let mut object = Object::fast();
    assert_eq!(object.wake(), None);
    for number in 0..100 {
        object.deliver_many(&format!("{number}"), 6);
    }
    let mut sent = 0;
    let begun = object.now;
    loop {
        let claims = object.send();
        if claims.is_empty() {
            break;
        }
        sent += claims.len();
        let wake = object.wake().unwrap();
        assert!(wake.0 >= begun.0 + 20_000, "this instance is at work: {wake:?}");
        object.pass_millis(1000);
        object.finish_all(claims, accepted());
        object.flush();
    }
    assert_eq!(object.now.0 - begun.0, 20_000);
    assert_eq!(sent, 120);
    assert!(object.wake().unwrap() <= object.now, "another event goes on");
    object.begin();
    assert_eq!(object.send().len(), CONNECTIONS);
}

#[test]
fn a_short_pause_is_awaited_and_a_long_one_is_the_alarms() {
    let pace = Some(Pace { calls: 60, per_seconds: 60 });
    let mut object = Object::on(Store::in_memory(), Policy { pace, ..policy() });
    object.deliver_many("r", 2);
    let claims = object.send();
    assert_eq!(claims.len(), 1);
    let pause = object.dispatcher.pause(object.now).unwrap();
    assert!((1000..1100).contains(&pause.as_millis()), "{pause:?}");
    object.finish_all(claims, throttled(600));
    assert_eq!(object.dispatcher.pause(object.now), None);
    assert_eq!(object.wake().map(|wake| wake.0 - object.now.0), Some(600_000));
}

#[test]
fn a_call_that_waited_too_long_for_a_token_is_given_back() {
    let mut object = Object::fast();
    object.deliver_many("r", 6);
    let claims = object.send();
    object.pass_millis(1800);
    assert!(!object.dispatcher.is_late(&claims[0], object.now));
    object.pass_millis(1);
    assert!(object.dispatcher.is_late(&claims[0], object.now));
    object.dispatcher.give_back(&claims[0], object.now).unwrap();
    let again = object.send();
    assert_eq!(again.len(), 1, "its connection is free");
    assert_eq!(again[0].record.slot, claims[0].record.slot);
}

#[test]
fn it_tells_of_which_rows_more_is_expected() {
    let mut object = Object::fast();
    let emails: Vec<String> = (0..6).map(|number| format!("{number}@example.com")).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    let sent = object.deliver("r", &emails).records;
    let queued = object.deliver("queued", &["q@example.com"]).records;
    let claims = object.send();
    let expected = |object: &Object, record: &Record| {
        object.dispatcher.is_expected(record, object.now, object.now).unwrap()
    };
    for record in sent.iter().chain(&queued) {
        assert!(expected(&object, record), "{}", record.slot);
    }
    let elsewhere = Record { source: "shop".to_owned(), ..sent[0].clone() };
    assert!(!expected(&object, &elsewhere));
    object.finish_all(claims, accepted());
    assert!(!expected(&object, &sent[0]));
    assert!(expected(&object, &queued[0]));
    // What is due is expected, and what the breaker holds is not.
    let due = Record { due_at: Some(object.now), ..elsewhere };
    assert!(expected(&object, &due));
    let claims = object.send();
    object.finish_all(claims, refused());
    assert!(!expected(&object, &due));
}

#[test]
fn what_waits_behind_many_is_not_expected() {
    let mut object = Object::fast();
    object.deliver_many("r", 6 + 32);
    let expected = |object: &Object, record: &Record, seconds: u64| {
        let deadline = object.now.after(Duration::from_secs(seconds));
        object.dispatcher.is_expected(record, deadline, object.now).unwrap()
    };
    let waiting = object.deliver("waiting", &["w@example.com"]).records;
    assert!(expected(&object, &waiting[0], 3));
    object.deliver_many("more", 32);
    assert!(!expected(&object, &waiting[0], 3));

    let pace = Pace { calls: 60, per_seconds: 60 };
    let mut object = Object::on(Store::in_memory(), Policy { pace: Some(pace), ..fast() });
    let first = object.deliver("r", &["a@example.com", "b@example.com", "c@example.com"]).records;
    assert!(expected(&object, &first[0], 0), "it is being sent");
    assert!(!expected(&object, &first[2], 1) && expected(&object, &first[2], 4));
}

#[test]
fn an_arrival_that_cannot_be_stored_is_an_error_and_is_sent_later() {
    let store = Store::in_memory();
    let mut object = Object::on(store.clone(), fast());
    store.fail_after(2);
    assert!(object.try_deliver("r", &["a@example.com", "b@example.com"]).is_err());
    assert!(object.send().is_empty());
    assert_eq!(object.deliver("r", &["a@example.com", "b@example.com"]).records.len(), 2);
    object.pass_millis(45_000);
    object.clean();
    object.begin();
    let mut claims = object.send();
    object.pass_millis(1000);
    claims.extend(object.send());
    assert_eq!(claims.len() + usize::try_from(object.count("attempts > 0")).unwrap(), 2);
}
