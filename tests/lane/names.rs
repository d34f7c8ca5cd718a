//! What a later webhook of the same request adds to what is known of a person.

use erasure_relay::delivery::lane::Part;
use erasure_relay::receipt::Outcome;

use crate::world::*;

/// A call that looks for a person by these addresses, one after the other.
fn search(addresses: &[&str]) -> Vec<Part> {
    let mut calls = addresses.iter().map(|address| profile(address));
    let mut call = calls.next().unwrap();
    call.alternatives = calls.map(|other| other.identifier).collect();
    vec![part(call)]
}

const A: &str = "a@example.com";
const B: &str = "b@example.com";
const C: &str = "c@example.com";

fn outcomes(world: &World) -> Vec<Outcome> {
    world.find("r").iter().map(|record| record.outcome).collect()
}

#[test]
fn further_names_are_always_asked_about_and_the_known_ones_once() {
    for end in [
        accepted(),
        verdict(Outcome::AlreadyAbsent, 404, None),
        no_such_user(),
        verdict(Outcome::Uncertain, 200, None),
        verdict(Outcome::NotErased, 400, None),
    ] {
        let mut world = World::new();
        let claim = world.arrive("r", search(&[A])).claims.remove(0);
        world.settle(&claim, end.clone());
        assert!(world.arrive("r", search(&[A])).claims.is_empty(), "{end:?}");
        let claims = world.arrive("r", search(&[A, B])).claims;
        let asked: Vec<_> = claims.iter().map(|one| one.call.identifier.expose()).collect();
        assert_eq!(asked, [B], "{end:?}");
        assert_eq!(world.find("r")[0].outcome, end.outcome, "what was told stands");
        assert!(world.arrive("r", search(&[B])).claims.is_empty());
        assert_eq!(world.arrive("r", search(&[C])).claims.len(), 1);
    }
}

#[test]
fn a_row_that_waits_takes_further_names() {
    let mut world = World::new();
    world.arrive_with(0, "r", search(&[A, B]));
    world.arrive("r", search(&[A]));
    world.arrive("r", search(&[A, C]));
    assert!(world.arrive("r", search(&[B])).claims.is_empty(), "that name is known");
    assert_eq!(world.rows(), 1);
    let claims = world.claim(6);
    let call = &claims[0].call;
    let others: Vec<_> = call.alternatives.iter().map(|other| other.expose()).collect();
    assert_eq!((call.identifier.expose(), &others[..]), (A, &[B, C][..]));
}

#[test]
fn a_name_that_comes_while_a_call_is_under_way_takes_nothing_from_its_answer() {
    let mut world = World::new();
    let claim = world.arrive("r", search(&[A])).claims.remove(0);
    let second = world.arrive("r", search(&[A, B])).claims.remove(0);
    world.settle(&claim, accepted());
    assert_eq!(outcomes(&world), [Outcome::Accepted, Outcome::Scheduled]);
    world.settle(&second, no_such_user());
    assert_eq!(outcomes(&world), [Outcome::Accepted, Outcome::AlreadyAbsent]);
    let attempts: Vec<_> = world.find("r").iter().map(|record| record.attempts).collect();
    assert_eq!(attempts, [1, 1]);
}

#[test]
fn who_is_not_found_by_one_name_is_absent_once_erased_by_another() {
    let mut world = World::new();
    let first = world.arrive("r", search(&[A])).claims.remove(0);
    world.settle(&first, no_such_user());
    assert_eq!(outcomes(&world), [Outcome::Rejected]);
    let second = world.arrive("r", search(&[B])).claims.remove(0);
    world.settle(&second, accepted());
    assert_eq!(outcomes(&world), [Outcome::AlreadyAbsent, Outcome::Accepted]);
    assert!(!world.person_is_stored("r"));
    let third = world.arrive("r", search(&[C])).claims.remove(0);
    world.settle(&third, no_such_user());
    assert_eq!(outcomes(&world)[2], Outcome::AlreadyAbsent);
}

#[test]
fn another_request_or_another_rejection_is_not_resolved() {
    let mut world = World::new();
    let other = world.arrive("another", search(&[A])).claims.remove(0);
    world.settle(&other, accepted());
    let first = world.arrive("r", search(&[A])).claims.remove(0);
    world.settle(&first, no_such_user());
    let second = world.arrive("r", search(&[B])).claims.remove(0);
    world.settle(&second, verdict(Outcome::Rejected, 400, None));
    let third = world.arrive("r", search(&[C])).claims.remove(0);
    assert_eq!(outcomes(&world)[..2], [Outcome::Rejected; 2]);
    world.settle(&third, accepted());
    let after = [Outcome::AlreadyAbsent, Outcome::Rejected, Outcome::Accepted];
    assert_eq!(outcomes(&world), after);
}

#[test]
fn one_identifiers_erasure_says_nothing_about_another() {
    let mut world = World::new();
    let claims = world.accept("r", &[A, B]).claims;
    world.settle(&claims[0], accepted());
    world.settle(&claims[1], no_such_user());
    assert_eq!(outcomes(&world), [Outcome::Accepted, Outcome::Rejected]);
}

#[test]
fn what_the_vendor_confirmed_stands_under_whatever_lease_it_comes() {
    let mut world = World::new();
    let first = world.claim_new("r");
    world.pass(45);
    world.clean();
    let second = world.claim(6).remove(0);
    let settled = world.settle(&first, accepted()).record.unwrap();
    assert_eq!((settled.outcome, settled.attempts), (Outcome::Accepted, 1));
    assert_eq!(world.find("r"), [settled]);
    assert!(!world.person_is_stored("r"));
    assert!(world.settle(&second, no_such_user()).record.is_none());
    assert_eq!((world.outcome("r"), world.find("r")[0].attempts), (Outcome::Accepted, 2));
}

#[test]
fn a_late_confirmation_of_a_person_stands_though_the_next_name_is_asked_about() {
    let mut world = World::new();
    let first = world.arrive("r", search(&[A, B])).claims.remove(0);
    world.pass(45);
    world.clean();
    let second = world.claim(6).remove(0);
    let third = world.settle_and_follow(&second, profile(B)).unwrap();
    let settled = world.settle(&first, accepted()).record.unwrap();
    assert_eq!(settled.outcome, Outcome::Accepted);
    assert_eq!(world.find("r"), [settled]);
    assert!(world.settle(&third, no_such_user()).record.is_none());
    assert_eq!(outcomes(&world), [Outcome::Accepted]);
}

#[test]
fn a_late_confirmation_of_one_call_says_nothing_about_another() {
    let mut world = World::new();
    let first = world.claim_new("r");
    world.pass(45);
    world.clean();
    let second = world.claim(6).remove(0);
    let third = world.settle_and_follow(&second, profile("r@example.com")).unwrap();
    assert!(world.settle(&first, accepted()).record.is_none());
    world.settle(&third, failed());
    assert_eq!(outcomes(&world), [Outcome::Scheduled]);
}

#[test]
fn a_confirmation_overrules_what_was_recorded_since() {
    for end in [no_such_user(), verdict(Outcome::Uncertain, 200, None), failed()] {
        let mut world = World::new();
        let first = world.claim_new("r");
        world.pass(45);
        world.clean();
        let second = world.claim(6).remove(0);
        world.settle(&second, end.clone());
        world.settle(&first, accepted());
        let record = &world.find("r")[0];
        assert_eq!((record.outcome, record.attempts), (Outcome::Accepted, 2), "{end:?}");
        assert_eq!(record.due_at, None);
    }
}

#[test]
fn a_repetition_of_a_derived_id_is_a_new_request_after_its_time() {
    let mut world = World::new();
    let arrive = |world: &mut World| {
        let arrival = erasure_relay::delivery::lane::Arrival {
            source: "consent",
            request_id: "derived",
            received_at: world.now,
            repeat_after: Some(std::time::Duration::from_secs(30 * DAY)),
            parts: vec![part(identity(A))],
        };
        world.lane.accept(arrival, ROOM, world.now).unwrap()
    };
    let claim = arrive(&mut world).claims.remove(0);
    world.pass(30 * DAY + 1);
    assert!(arrive(&mut world).claims.is_empty(), "the first still waits");
    world.settle(&claim, accepted());
    let first = START;
    let again = arrive(&mut world);
    assert_eq!((again.claims.len(), again.records.len()), (1, 1));
    assert_eq!(again.records[0].received_at, world.now);
    let before = world.lane.find("consent", &format!("derived~{}", first.0)).unwrap();
    assert_eq!((before.len(), before[0].outcome), (1, Outcome::Accepted));
    world.settle(&again.claims[0], accepted());
    world.pass(30 * DAY - 1);
    assert!(arrive(&mut world).claims.is_empty());
}

#[test]
fn an_erasure_has_a_bounded_number_of_rows_and_says_so() {
    let mut world = World::new();
    for number in 0..520 {
        world.accept("r", &[&format!("{number}@example.com")]);
    }
    let records = world.find("r");
    assert_eq!(records.len(), 501);
    let excess = records.last().unwrap();
    assert_eq!(excess.outcome, Outcome::InsufficientIdentification);
    assert!(excess.detail.as_deref().unwrap().contains("more identifiers"));
    world.accept("r", &["7@example.com"]);
    assert_eq!(world.find("r").len(), 501);
    assert_eq!(world.accept("s", &[A]).records.len(), 1);
    // The answer to one webhook says so too.
    let addresses: Vec<String> = (0..510).map(|number| format!("{number}@example.com")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let told = world.accept("t", &addresses).records;
    assert_eq!((told.len(), told.last()), (501, world.find("t").last()));
}

#[test]
fn after_a_rotation_of_the_key_the_same_webhook_adds_nothing() {
    const NEW: &str = "a new key of sixteen bytes or more";
    let mut world = World::new();
    for request_id in ["waits", "done"] {
        let claim = world.arrive(request_id, search(&[A, B])).claims.remove(0);
        world.settle(&claim, if request_id == "done" { accepted() } else { failed() });
    }
    world.accept("identities", &[A]);
    world.reopen_with_key(NEW, Some(KEY));
    let rotated = |call| vec![part_with_keys(call, NEW, Some(KEY))];
    for request_id in ["waits", "done"] {
        let mut call = profile(B);
        call.alternatives = vec![profile(A).identifier];
        world.arrive(request_id, rotated(call));
        assert_eq!(world.find(request_id).len(), 1, "{request_id}");
    }
    world.arrive("identities", rotated(identity(A)));
    assert_eq!(world.find("identities").len(), 1);
    let new = world.arrive("identities", rotated(identity(B)));
    assert_eq!(new.records.len(), 2);
    assert_ne!(
        new.records[0].subject.as_ref().unwrap()[..5],
        new.records[1].subject.as_ref().unwrap()[..5]
    );
    world.pass(60);
    let claims = world.claim(6);
    assert_eq!(claims.iter().filter(|one| one.record.request_id == "waits").count(), 1);
}
