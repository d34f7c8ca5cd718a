//! What a lane raises alerts of is stored together with the change, and told once an hour.

use std::time::Duration;

use erasure_relay::delivery::alert::{Alert, Reason};
use erasure_relay::delivery::database::StorageError;
use erasure_relay::delivery::lane::Raises;
use erasure_relay::receipt::{Outcome, Timestamp};
use erasure_relay::vendor::Verdict;

use crate::database::Store;
use crate::world::*;

const HOUR: u64 = 3600;

fn raising(raises: Raises) -> World {
    let mut world = World::on(Store::grouped(), policy());
    world.lane.raise(raises).unwrap();
    world.store.commit();
    world
}

fn raised(world: &World) -> Vec<Alert> {
    world.lane.alerts(world.now).unwrap()
}

fn reasons(world: &World) -> Vec<Reason> {
    raised(world).iter().map(|alert| alert.reason).collect()
}

/// Everything that is raised has been handed over.
fn tell(world: &World) -> Vec<Alert> {
    let alerts = raised(world);
    alerts.iter().for_each(|alert| world.lane.forget_alert(alert, true).unwrap());
    assert!(raised(world).is_empty());
    alerts
}

/// One delivery comes to this.
fn ends(world: &mut World, request_id: &str, verdict: Verdict) {
    world.pass(1);
    let claim = world.claim_new(request_id);
    world.settle(&claim, verdict);
}

/// The same for what is due next.
fn next_ends(world: &mut World, verdict: Verdict) {
    world.pass(1);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, verdict);
}

fn breaker_is_open(world: &World) -> bool {
    world.lane.is_probing()
}

#[test]
fn an_account_that_is_rejected_and_resumed_is_told_with_its_reason() {
    let mut world = raising(Raises::OfVendor);
    ends(&mut world, "a", refused());
    let [alert] = &tell(&world)[..] else { panic!("one alert") };
    assert_eq!(alert.reason, Reason::AccountBlocked);
    assert_eq!((alert.detail.as_deref(), alert.since), (Some("said so"), Some(world.now)));
    assert_eq!((alert.count, alert.request_id.as_deref()), (1, None));
    let opened_at = world.now;
    world.pass(600);
    world.lane.resume(world.now).unwrap();
    let [alert] = &tell(&world)[..] else { panic!("one alert") };
    assert_eq!((alert.reason, alert.since), (Reason::BreakerClosed, Some(opened_at)));
}

#[test]
fn a_vendor_that_fails_opens_the_breaker_and_a_success_closes_it() {
    let mut world = raising(Raises::OfVendor);
    for number in 0..5 {
        assert!(raised(&world).is_empty(), "{number}");
        ends(&mut world, &format!("{number}"), failed());
    }
    assert!(breaker_is_open(&world));
    let [alert] = &tell(&world)[..] else { panic!("one alert") };
    assert_eq!((alert.reason, alert.detail.as_deref()), (Reason::BreakerOpened, None));
    // What becomes a rejection of the account while it fails is another alert.
    world.pass(600);
    let probe = world.claim(1).remove(0);
    world.settle(&probe, refused());
    assert_eq!(tell(&world)[0].reason, Reason::AccountBlocked);
    world.pass(600);
    let probe = world.claim(1).remove(0);
    world.settle(&probe, accepted());
    assert_eq!(tell(&world)[0].reason, Reason::BreakerClosed);
    assert!(!breaker_is_open(&world));
}

#[test]
fn what_holds_comes_last() {
    let mut world = raising(Raises::OfVendor);
    ends(&mut world, "a", refused());
    world.lane.resume(world.now).unwrap();
    assert_eq!(reasons(&world), [Reason::AccountBlocked, Reason::BreakerClosed]);
    next_ends(&mut world, refused());
    assert_eq!(reasons(&world), [Reason::BreakerClosed, Reason::AccountBlocked]);
}

#[test]
fn each_outcome_that_a_person_must_look_at_is_told_and_no_other() {
    use Outcome::*;
    for (outcome, told) in [
        (Accepted, false),
        (AlreadyAbsent, false),
        (Scheduled, false),
        (NotErased, true),
        (Rejected, true),
        (Uncertain, true),
    ] {
        let mut world = raising(Raises::OfVendor);
        ends(&mut world, "r", verdict(outcome, 422, None));
        let alerts = tell(&world);
        assert_eq!(alerts.len(), usize::from(told), "{outcome:?}");
        let Some(alert) = alerts.first() else { continue };
        assert_eq!(alert.reason, Reason::DeliveryAttention, "{outcome:?}");
        let detail = format!("{}: said so", outcome.name());
        assert_eq!(alert.detail.as_deref(), Some(detail.as_str()));
        assert_eq!(alert.source.as_deref(), Some("consent"));
        assert_eq!((alert.request_id.as_deref(), alert.since), (Some("r"), Some(world.now)));
    }
    // Given up at its deadline.
    let mut world = raising(Raises::OfVendor);
    let claim = world.claim_new("r");
    world.pass(80 * HOUR);
    world.settle(&claim, failed());
    assert_eq!(tell(&world)[0].detail.as_deref(), Some("exhausted: said so"));
    // A request that names nobody, and one for which that is as it should be.
    for (part, told) in [(nobody(), true), (without(NotApplicable), false)] {
        let mut world = raising(Raises::OfVendor);
        world.arrive("r", vec![part]);
        assert_eq!(!raised(&world).is_empty(), told);
    }
    let mut world = raising(Raises::OfVendor);
    world.wait("r");
    world.lane.discard("consent", "r", "an operator's note", world.now).unwrap();
    assert!(raised(&world).is_empty());
}

#[test]
fn a_call_that_is_rejected_alone_is_told_and_the_calls_of_a_blocked_account_are_not() {
    let mut world = raising(Raises::OfVendor);
    ends(&mut world, "alone", not_enabled());
    assert_eq!(reasons(&world), [Reason::DeliveryAttention]);
    let mut world = raising(Raises::OfVendor);
    ends(&mut world, "a", refused());
    world.wait("b");
    next_ends(&mut world, refused());
    world.pass(400);
    next_ends(&mut world, refused());
    assert_eq!((world.outcome("a"), world.outcome("b")), (Outcome::Blocked, Outcome::Blocked));
    assert_eq!(reasons(&world), [Reason::AccountBlocked]);
}

#[test]
fn a_message_that_a_platform_does_not_take_is_told_as_such() {
    let mut world = raising(Raises::OfPlatform);
    ends(&mut world, "r", verdict(Outcome::Rejected, 422, None));
    assert_eq!(reasons(&world), [Reason::CallbackFailed]);
    let claim = world.claim_new("s");
    world.pass(80 * HOUR);
    world.settle(&claim, failed());
    let alerts = tell(&world);
    assert_eq!((alerts[0].count, alerts[0].detail.as_deref()), (2, Some("exhausted: said so")));
}

/// The start of the hour that a world is in.
fn hour(world: &World) -> i64 {
    world.now.0.div_euclid(3_600_000)
}

#[test]
fn one_alert_of_a_reason_is_told_in_an_hour_and_the_next_hour_tells_of_the_rest() {
    let mut world = raising(Raises::OfVendor);
    let rejected = || verdict(Outcome::Rejected, 422, None);
    ends(&mut world, "a", rejected());
    tell(&world);
    assert_eq!(world.lane.next_alert(world.now).unwrap(), None);
    ends(&mut world, "b", rejected());
    let since = world.now;
    ends(&mut world, "c", rejected());
    assert!(raised(&world).is_empty(), "within the hour");
    let next = world.lane.next_alert(world.now).unwrap().unwrap();
    assert_eq!(next, Timestamp((hour(&world) + 1) * 3_600_000));
    // Other reasons are told at once.
    ends(&mut world, "d", refused());
    assert_eq!(reasons(&world), [Reason::AccountBlocked]);
    tell(&world);
    world.reopen();
    world.lane.raise(Raises::OfVendor).unwrap();
    world.now = next;
    let alerts = tell(&world);
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!((alert.reason, alert.count), (Reason::DeliveryAttention, 2));
    assert_eq!((alert.request_id.as_deref(), alert.since), (Some("c"), Some(since)));
    assert_eq!(world.lane.next_alert(world.now).unwrap(), None);
}

#[test]
fn what_could_not_be_handed_over_is_tried_again_soon() {
    let mut world = raising(Raises::OfVendor);
    ends(&mut world, "a", refused());
    let next = world.lane.next_alert(world.now).unwrap();
    assert_eq!(next, Some(world.now.after(Duration::from_secs(30))));
    world.pass(5 * HOUR);
    assert_eq!(reasons(&world), [Reason::AccountBlocked]);
}

#[test]
fn an_alert_that_was_known_is_told_again_in_the_next_hour() {
    let mut world = raising(Raises::OfVendor);
    ends(&mut world, "a", refused());
    // A crash came after it was handed over, and before that was recorded.
    let alert = raised(&world).remove(0);
    world.lane.forget_alert(&alert, false).unwrap();
    assert!(raised(&world).is_empty());
    world.pass(HOUR);
    assert_eq!(tell(&world)[0].count, 1);
}

#[test]
fn a_clock_that_goes_backwards_holds_no_alert_up() {
    let mut world = raising(Raises::OfVendor);
    world.pass(100 * HOUR);
    ends(&mut world, "a", refused());
    tell(&world);
    // The same has happened again.
    world.store.look("UPDATE alert SET count = 1", &[]);
    assert!(raised(&world).is_empty());
    world.now = START;
    assert_eq!(reasons(&world), [Reason::AccountBlocked]);
    let next = world.lane.next_alert(world.now).unwrap();
    assert_eq!(next, Some(world.now.after(Duration::from_secs(30))));
}

/// A change that raises an alert.
type Change = fn(&mut World) -> Result<(), StorageError>;

const CHANGES: [Change; 4] = [
    |world| world.lane.resume(world.now),
    |world| {
        let claim = world.claim_new("r");
        let settlement = settlement(&claim, refused(), world.now);
        world.lane.settle(&settlement, world.now).map(drop)
    },
    |world| {
        let claim = world.claim_new("r");
        let settlement = settlement(&claim, verdict(Outcome::Rejected, 422, None), world.now);
        world.lane.settle(&settlement, world.now).map(drop)
    },
    |world| {
        world.wait("r");
        world.pass(40 * DAY);
        world.lane.clean(world.now).map(drop)
    },
];

/// A world just before the change of this index, with no alert; the breaker is open before the first.
fn just_before(index: usize) -> World {
    let mut world = World::on(Store::grouped(), policy());
    if index == 0 {
        ends(&mut world, "blocked", refused());
        world.pass(600);
    }
    world.lane.raise(Raises::OfVendor).unwrap();
    world.store.commit();
    world
}

/// What an alert is about, as it is stored.
fn state(world: &World) -> Vec<String> {
    let delivery = "SELECT outcome FROM delivery";
    let breaker = "SELECT blocked IS NOT NULL, opened_at IS NOT NULL FROM breaker";
    let rows = world.store.look(delivery, &[]).into_iter();
    rows.chain(world.store.look(breaker, &[])).map(|row| format!("{row:?}")).collect()
}

#[test]
fn a_crash_loses_the_change_and_its_alert_together() {
    for (index, change) in CHANGES.iter().enumerate() {
        let mut world = just_before(index);
        let before = state(&world);
        change(&mut world).unwrap();
        assert_eq!(raised(&world).len(), 1, "{index}");
        assert_ne!(state(&world), before, "{index}");
        world.store.rollback();
        world.reopen();
        world.lane.raise(Raises::OfVendor).unwrap();
        assert_eq!((raised(&world).len(), state(&world)), (0, before), "{index}");
    }
}

#[test]
fn an_alert_that_cannot_be_stored_keeps_the_change_from_being_stored() {
    for (index, change) in CHANGES.iter().enumerate() {
        let mut world = just_before(index);
        let before = state(&world);
        world.store.define(
            "CREATE TRIGGER full BEFORE INSERT ON alert BEGIN SELECT RAISE(ABORT, 'full'); END",
        );
        assert!(change(&mut world).is_err(), "{index}");
        assert_eq!(world.store.number("SELECT COUNT(*) FROM alert WHERE count > 0"), 0, "{index}");
        // What only arrived, or became due, is not what the alert is about.
        let after = state(&world);
        let changed = |text: &&String| !text.contains("scheduled") && !before.contains(text);
        assert_eq!(after.iter().find(changed), None, "{index}");
    }
}

#[test]
fn a_delivery_that_succeeds_writes_no_further_row() {
    let written = |raises| {
        let mut world = raising(raises);
        let before = world.store.changes();
        ends(&mut world, "r", accepted());
        world.store.changes() - before
    };
    assert_eq!(written(Raises::OfVendor), written(Raises::Nothing));
}

/// Triggers of alerts and of notices; those of the schema are always there.
const TRIGGERS: &str = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger'
    AND (name LIKE 'alert%' OR name LIKE 'notice%')";

#[test]
fn what_is_raised_can_change_at_each_start() {
    let mut world = raising(Raises::Nothing);
    assert_eq!(world.store.number(TRIGGERS), 0);
    ends(&mut world, "a", refused());
    assert_eq!((raised(&world).len(), world.lane.next_alert(world.now).unwrap()), (0, None));
    world.lane.raise(Raises::OfVendor).unwrap();
    assert_eq!(world.store.number(TRIGGERS), 5);
    let changes = world.store.changes();
    world.lane.raise(Raises::OfVendor).unwrap();
    assert_eq!(world.store.changes(), changes, "the same writes nothing");
    world.lane.resume(world.now).unwrap();
    assert_eq!(reasons(&world), [Reason::BreakerClosed]);
    // Triggers of notices are others.
    world.lane.watch(&["consent"]).unwrap();
    world.lane.raise(Raises::OfPlatform).unwrap();
    assert_eq!(world.store.number(TRIGGERS), 8);
    next_ends(&mut world, verdict(Outcome::Rejected, 422, None));
    assert_eq!(reasons(&world), [Reason::CallbackFailed, Reason::BreakerClosed]);
    world.lane.raise(Raises::Nothing).unwrap();
    assert_eq!(world.store.number(TRIGGERS), 3);
    world.lane.raise(Raises::OfVendor).unwrap();
    assert!(raised(&world).is_empty(), "what was raised before is not told long after");
}

#[test]
fn a_start_that_failed_halfway_is_made_good_by_the_next() {
    for raises in [Raises::OfVendor, Raises::OfPlatform, Raises::Nothing] {
        for successes in 0.. {
            let mut world = raising(Raises::OfVendor);
            world.store.fail_after(successes);
            let failed = world.lane.raise(raises).is_err();
            world.store.stop_failing();
            world.lane.raise(raises).unwrap();
            ends(&mut world, "r", verdict(Outcome::Rejected, 422, None));
            assert_eq!(raised(&world).len(), usize::from(raises != Raises::Nothing));
            let expected = if raises == Raises::Nothing { 0 } else { 5 };
            assert_eq!(world.store.number(TRIGGERS), expected);
            if !failed {
                break;
            }
        }
    }
}
