//! Outcomes are recorded together, and before anybody asks for them.

use erasure_relay::receipt::Outcome;

use crate::database::Store;
use crate::object::{Object, fast};
use crate::world::*;

#[test]
fn final_outcomes_are_recorded_by_a_flush_in_one_group() {
    let store = Store::grouped();
    let mut object = Object::on(store.clone(), fast());
    object.deliver_many("r", 3);
    let claims = object.send();
    store.commit();
    let before = store.changes();
    for claim in claims {
        let finished = object.finish(claim, accepted());
        assert!(finished.unrecorded);
        assert_eq!(finished.record.unwrap().outcome, Outcome::Accepted);
    }
    assert_eq!((store.changes(), object.leased()), (before, 3), "nothing is written yet");
    object.flush();
    assert_eq!(object.count("outcome = 'accepted'"), 3);
    store.rollback();
    assert_eq!(object.leased(), 3, "together, or not at all");
}

#[test]
fn what_is_not_final_is_recorded_at_once_with_all_before_it() {
    let mut object = Object::fast();
    object.deliver_many("r", 3);
    let mut claims = object.send();
    object.finish(claims.remove(0), accepted());
    object.finish(claims.remove(0), verdict(Outcome::Rejected, 400, None));
    let finished = object.finish(claims.remove(0), failed());
    assert!(!finished.unrecorded);
    assert_eq!(finished.record.unwrap().outcome, Outcome::Scheduled);
    assert_eq!((object.leased(), object.waiting()), (0, 1));
}

#[test]
fn an_arrival_of_an_erasure_with_an_unrecorded_outcome_is_told_the_outcome() {
    let mut object = Object::fast();
    object.deliver("r", &["r@example.com"]);
    object.deliver("s", &["s@example.com"]);
    let claims = object.send();
    object.finish_all(claims, accepted());
    let records = object.deliver("other", &["other@example.com"]).records;
    assert_eq!(records.len(), 1);
    assert_eq!(object.count("outcome = 'accepted'"), 0, "of no matter to another erasure");
    let records = object.deliver("r", &["r@example.com"]).records;
    assert_eq!(records[0].outcome, Outcome::Accepted);
}

#[test]
fn whoever_looks_at_the_lane_sees_every_outcome() {
    let mut object = Object::fast();
    object.deliver("r", &["r@example.com"]);
    let claims = object.send();
    object.finish_all(claims, accepted());
    let lane = object.dispatcher.lane(object.now).unwrap();
    assert_eq!(lane.find("consent", "r").unwrap()[0].outcome, Outcome::Accepted);
}

#[test]
fn whatever_statement_of_a_flush_fails_the_call_is_made_again_and_nothing_is_lost() {
    for successes in 0.. {
        let mut object = Object::fast();
        object.deliver_many("r", 3);
        let claims = object.send();
        object.finish_all(claims, accepted());
        object.store.fail_after(successes);
        let flushed = object.dispatcher.flush(object.now);
        if !object.store.has_failed() {
            assert!(successes >= 3 && flushed.is_ok());
            break;
        }
        assert!(flushed.is_err());
        let recorded = object.count("outcome = 'accepted'");
        assert_eq!(object.leased(), 3 - recorded);
        object.pass_millis(45_000);
        object.clean();
        object.begin();
        let again = object.send();
        assert_eq!(i64::try_from(again.len()).unwrap(), 3 - recorded);
        object.finish_all(again, accepted());
        object.flush();
        assert_eq!(object.count("outcome = 'accepted'"), 3);
    }
}

#[test]
fn a_crash_before_a_flush_makes_the_calls_again() {
    let mut object = Object::fast();
    object.deliver_many("r", 3);
    let claims = object.send();
    object.finish_all(claims, accepted());
    object.crash();
    object.pass_millis(1000); // the second that was reserved
    assert!(object.wake().unwrap() <= object.now, "due at once");
    object.begin();
    let again = object.send();
    assert_eq!(again.len(), 3);
    object.finish_all(again, accepted());
    object.flush();
    assert_eq!(object.count("outcome = 'accepted'"), 3);
}
