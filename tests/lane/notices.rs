//! Every way in which a row changes writes a notice together with the change.

use std::collections::{BTreeMap, BTreeSet};

use erasure_relay::delivery::database::{Row, StorageError};
use erasure_relay::delivery::lane::{Arrival, Claim, Lane, Part, Settlement};
use erasure_relay::receipt::Outcome;
use erasure_relay::vendor::Verdict;

use crate::database::{Shared, Store};
use crate::world::*;

type Erasures = BTreeSet<(String, String)>;

/// One way in which rows change.
struct Change {
    name: &'static str,
    /// Makes the world in which it happens.
    before: fn(&mut World) -> Option<Claim>,
    /// What is done.
    does: fn(&mut World, Option<Claim>) -> Result<(), StorageError>,
    /// Whether an outcome changes by it.
    tells: bool,
}

fn settle(world: &mut World, claim: Option<Claim>, verdict: Verdict) -> Result<(), StorageError> {
    let settlement = settlement(&claim.unwrap(), verdict, world.now);
    world.lane.settle(&settlement, world.now).map(drop)
}

fn accept(world: &mut World, parts: Vec<Part>) -> Result<(), StorageError> {
    let (source, request_id) = ("consent", "r");
    let received_at = world.now;
    let arrival = Arrival { source, request_id, received_at, repeat_after: None, parts };
    world.lane.accept(arrival, ROOM, world.now).map(drop)
}

fn ended(world: &mut World, outcome: Outcome) {
    let claim = world.claim_new("r");
    world.settle(&claim, verdict(outcome, 400, None));
}

/// The rows of a lane that another one is to adopt: one that was accepted, and one that waits.
fn rows_of_another() -> String {
    let mut other = World::new();
    let claim = other.claim_new("r");
    other.settle(&claim, accepted());
    other.pass(1);
    other.wait("waits");
    let calls = [IDENTITY, PROFILE].map(str::to_owned);
    // Only a lane without calls hands everything over.
    let lane = Lane::open(
        Shared(other.store.clone()),
        "insider",
        policy(),
        &[],
        seal(KEY, None),
        Dice::random(7),
        other.now,
    );
    lane.unwrap().page(&calls, 1, 10).unwrap().unwrap().1
}

const CHANGES: &[Change] = &[
    Change {
        name: "an arrival that only waits",
        before: |_| None,
        does: |world, _| accept(world, vec![part(identity("r@example.com"))]),
        tells: false,
    },
    Change {
        name: "an arrival that names nobody",
        before: |_| None,
        does: |world, _| accept(world, vec![nobody()]),
        tells: true,
    },
    Change {
        name: "an identifier that cannot be sent",
        before: |world| Some(world.claim_new("r")),
        does: |world, _| accept(world, vec![unusable("phone")]),
        tells: true,
    },
    Change {
        name: "that nobody was named is excused",
        before: |world| {
            world.arrive("r", vec![nobody()]);
            None
        },
        does: |world, _| accept(world, vec![without(Outcome::NotApplicable)]),
        tells: true,
    },
    Change {
        name: "that nobody was named is dropped",
        before: |world| {
            world.arrive("r", vec![nobody()]);
            None
        },
        does: |world, _| accept(world, vec![part(identity("r@example.com"))]),
        tells: true,
    },
    Change {
        name: "the vendor accepts",
        before: |world| Some(world.claim_new("r")),
        does: |world, claim| settle(world, claim, accepted()),
        tells: true,
    },
    Change {
        name: "the vendor rejects",
        before: |world| Some(world.claim_new("r")),
        does: |world, claim| settle(world, claim, verdict(Outcome::Rejected, 422, None)),
        tells: true,
    },
    Change {
        name: "the vendor fails",
        before: |world| Some(world.claim_new("r")),
        does: |world, claim| settle(world, claim, failed()),
        tells: false,
    },
    Change {
        name: "the vendor fails for the last time",
        before: |world| {
            let claim = world.claim_new("r");
            world.pass(80 * 3600);
            Some(claim)
        },
        does: |world, claim| settle(world, claim, failed()),
        tells: true,
    },
    Change {
        name: "the account is blocked",
        before: |world| Some(world.claim_new("r")),
        does: |world, claim| settle(world, claim, refused()),
        tells: true,
    },
    Change {
        name: "another call follows",
        before: |world| Some(world.claim_new("r")),
        does: |world, claim| {
            let call = profile("r@example.com");
            let follow_up = Some((call.clone(), subject(&call)));
            let verdict = verdict(Outcome::NotErased, 400, None);
            let settlement =
                Settlement { follow_up, ..settlement(&claim.unwrap(), verdict, world.now) };
            world.lane.settle(&settlement, world.now).map(drop)
        },
        tells: false,
    },
    Change {
        name: "another row says that the person is gone",
        before: |world| {
            let first = world.arrive("r", vec![part(profile("a@example.com"))]).claims.remove(0);
            let second = world.arrive("r", vec![part(profile("b@example.com"))]).claims.remove(0);
            world.settle(&first, no_such_user());
            Some(second)
        },
        does: |world, claim| settle(world, claim, accepted()),
        tells: true,
    },
    Change {
        name: "a confirmation comes after the operator's discard",
        before: |world| {
            let claim = world.claim_new("r");
            world.lane.discard("consent", "r", "note", world.now).unwrap();
            Some(claim)
        },
        does: |world, claim| settle(world, claim, accepted()),
        tells: true,
    },
    Change {
        name: "the operator resumes",
        before: |world| {
            let claim = world.claim_new("r");
            world.settle(&claim, refused());
            None
        },
        does: |world, _| world.lane.resume(world.now),
        tells: true,
    },
    Change {
        name: "the operator replays",
        before: |world| {
            ended(world, Outcome::Uncertain);
            None
        },
        does: |world, _| world.lane.replay("consent", "r", world.now),
        tells: true,
    },
    Change {
        name: "the operator discards",
        before: |world| {
            world.wait("r");
            None
        },
        does: |world, _| world.lane.discard("consent", "r", "note", world.now).map(drop),
        tells: true,
    },
    Change {
        name: "what cannot be sent is discarded",
        before: |world| {
            world.wait("r");
            world.store.look("UPDATE delivery SET call = 'former'", &[]);
            None
        },
        does: |world, _| world.lane.discard_unsendable(None, "note", 10, world.now).map(drop),
        tells: true,
    },
    Change {
        name: "the key of what waits is gone",
        before: |world| {
            world.wait("r");
            world.store.look("UPDATE delivery SET person = substr(person, 1, 40)", &[]);
            None
        },
        does: |world, _| world.lane.claim(6, world.now).map(drop),
        tells: true,
    },
    Change {
        name: "it has waited until the end of hold_days",
        before: |world| {
            world.wait("r");
            world.pass(40 * DAY);
            None
        },
        does: |world, _| world.lane.clean(world.now).map(drop),
        tells: true,
    },
    Change {
        name: "its receipt's time is over",
        before: |world| {
            ended(world, Outcome::Accepted);
            world.pass(731 * DAY);
            None
        },
        does: |world, _| world.lane.clean(world.now).map(drop),
        tells: true,
    },
    Change {
        name: "the identifiers' time is over",
        before: |world| {
            ended(world, Outcome::Uncertain);
            world.pass(30 * DAY);
            None
        },
        does: |world, _| world.lane.clean(world.now).map(drop),
        tells: false,
    },
    Change {
        name: "the rows of another lane are adopted",
        before: |_| None,
        does: |world, _| world.lane.adopt(&rows_of_another(), world.now),
        tells: true,
    },
    Change {
        name: "what another lane knows of the same delivery is adopted",
        before: |world| {
            world.wait("r");
            None
        },
        does: |world, _| world.lane.adopt(&rows_of_another(), world.now),
        tells: true,
    },
    Change {
        name: "rows that another lane has adopted are forgotten",
        before: |world| {
            world.lane.adopt(&rows_of_another(), world.now).unwrap();
            None
        },
        does: |world, _| world.lane.forget(&rows_of_another()).map(drop),
        tells: true,
    },
];

fn outcomes(world: &World) -> BTreeMap<[String; 3], String> {
    let rows = world.store.look("SELECT source, request_id, slot, outcome FROM delivery", &[]);
    let text = |row: &Row, at| row.text(at).unwrap().to_owned();
    rows.iter().map(|row| ([0, 1, 2].map(|at| text(row, at)), text(row, 3))).collect()
}

fn noticed(world: &World) -> Erasures {
    let rows = world.store.look("SELECT source, request_id FROM notice", &[]);
    rows.iter()
        .map(|row| (row.text(0).unwrap().to_owned(), row.text(1).unwrap().to_owned()))
        .collect()
}

/// The erasures with a row whose outcome is not what it was; a new row that waits is none.
fn changed(
    before: &BTreeMap<[String; 3], String>,
    after: &BTreeMap<[String; 3], String>,
) -> Erasures {
    let differs = |key: &&[String; 3]| match (before.get(*key), after.get(*key)) {
        (None, Some(outcome)) => outcome != "scheduled",
        (before, after) => before != after,
    };
    let keys = before.keys().chain(after.keys()).filter(differs);
    keys.map(|[source, request_id, _]| (source.clone(), request_id.clone())).collect()
}

fn watched(sources: &[&str]) -> World {
    let world = World::on(Store::grouped(), policy());
    world.lane.watch(sources).unwrap();
    world
}

/// A watched world just before the change, with no notice.
fn just_before(change: &Change) -> (World, Option<Claim>) {
    let mut world = watched(&["consent"]);
    let claim = (change.before)(&mut world);
    world.store.look("DELETE FROM notice", &[]);
    world.store.commit();
    (world, claim)
}

#[test]
fn each_change_is_noticed_whatever_statement_fails() {
    for change in CHANGES {
        for successes in 0.. {
            let (mut world, claim) = just_before(change);
            let before = outcomes(&world);
            world.store.fail_after(successes);
            let done = (change.does)(&mut world, claim);
            let failed = world.store.has_failed();
            world.store.stop_failing();
            let changed = changed(&before, &outcomes(&world));
            let context = format!("{}, after {successes} statements", change.name);
            assert_eq!(noticed(&world), changed, "{context}");
            assert_eq!(done.is_err(), failed, "{context}");
            if !failed {
                assert_eq!(!changed.is_empty(), change.tells, "{context}");
                break;
            }
        }
    }
}

#[test]
fn a_crash_loses_the_change_and_its_notice_together() {
    for change in CHANGES.iter().filter(|change| change.tells) {
        let (mut world, claim) = just_before(change);
        let before = outcomes(&world);
        (change.does)(&mut world, claim).unwrap();
        assert!(!noticed(&world).is_empty(), "{}", change.name);
        world.store.rollback();
        assert_eq!((outcomes(&world), noticed(&world).len()), (before, 0), "{}", change.name);
    }
}

#[test]
fn a_notice_that_cannot_be_stored_keeps_the_change_from_being_stored() {
    for change in CHANGES.iter().filter(|change| change.tells) {
        let (mut world, claim) = just_before(change);
        let before = outcomes(&world);
        world.store.define(
            "CREATE TRIGGER full BEFORE INSERT ON notice BEGIN SELECT RAISE(ABORT, 'full'); END",
        );
        assert!((change.does)(&mut world, claim).is_err(), "{}", change.name);
        assert!(changed(&before, &outcomes(&world)).is_empty(), "{}", change.name);
    }
}

#[test]
fn a_source_whose_platform_is_not_told_leaves_no_notice() {
    let mut world = watched(&["shop", "consent-2"]);
    for change in CHANGES {
        let claim = (change.before)(&mut world);
        (change.does)(&mut world, claim).unwrap();
        assert!(noticed(&world).is_empty(), "{}", change.name);
        world.store.look("DELETE FROM delivery", &[]);
        world.lane.resume(world.now).unwrap();
    }
}

#[test]
fn other_sources_can_be_watched_at_each_start() {
    let ends = |world: &mut World, id: &str| {
        world.pass(1);
        let claim = world.claim_new(id);
        world.settle(&claim, accepted());
        let noticed = !noticed(world).is_empty();
        world.store.look("DELETE FROM notice", &[]);
        noticed
    };
    let mut world = watched(&["shop"]);
    assert!(!ends(&mut world, "a"));
    world.reopen();
    world.lane.watch(&["shop", "consent"]).unwrap();
    assert!(ends(&mut world, "b"));
    world.reopen();
    assert!(ends(&mut world, "c"), "what is watched is stored");
    let schema = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger'
        AND name LIKE 'notice%'";
    assert_eq!(world.store.number(schema), 3);
    let changes = world.store.changes();
    world.lane.watch(&["shop", "consent"]).unwrap();
    assert_eq!(world.store.changes(), changes, "the same sources write nothing");
    world.lane.watch(&["shop"]).unwrap();
    assert!(!ends(&mut world, "d"));
    world.lane.watch(&["x') OR ('1' = '1"]).unwrap();
    assert!(!ends(&mut world, "e"), "a name that the configuration cannot have");
    world.lane.watch(&["consent"]).unwrap();
    world.lane.watch(&[]).unwrap();
    assert_eq!(world.store.number(schema), 0);
    assert!(!ends(&mut world, "f"));
}

#[test]
fn a_start_that_failed_halfway_is_made_good_by_the_next() {
    for sources in [&["consent", "shop"][..], &["shop"], &[]] {
        for successes in 0.. {
            let mut world = watched(&["consent"]);
            world.store.fail_after(successes);
            let failed = world.lane.watch(sources).is_err();
            world.store.stop_failing();
            world.lane.watch(sources).unwrap();
            let claim = world.claim_new("r");
            world.settle(&claim, accepted());
            assert_eq!(noticed(&world).len(), usize::from(sources.contains(&"consent")));
            if !failed {
                break;
            }
        }
    }
}

#[test]
fn a_notice_stays_until_the_platforms_lane_knows_the_last_change() {
    let mut world = watched(&["consent"]);
    let claim = world.claim_new("r");
    world.settle(&claim, verdict(Outcome::Uncertain, 200, None));
    let [notice] = &world.lane.notices(10).unwrap()[..] else { panic!("one notice") };
    assert_eq!((notice.source.as_str(), notice.request_id.as_str()), ("consent", "r"));
    assert_eq!(notice.records, world.find("r"));
    world.lane.replay("consent", "r", world.now).unwrap();
    world.lane.forget_notice(notice).unwrap();
    let [later] = &world.lane.notices(10).unwrap()[..] else { panic!("it changed again") };
    assert_eq!(later.records[0].outcome, Outcome::Scheduled);
    world.lane.forget_notice(later).unwrap();
    assert!(world.lane.notices(10).unwrap().is_empty());
}

#[test]
fn notices_come_in_bounded_numbers() {
    let mut world = watched(&["consent"]);
    for number in 0..25 {
        world.pass(1);
        let claim = world.claim_new(&format!("{number}"));
        world.settle(&claim, accepted());
    }
    let mut sizes = Vec::new();
    loop {
        let notices = world.lane.notices(10).unwrap();
        if notices.is_empty() {
            break;
        }
        sizes.push(notices.len());
        notices.iter().for_each(|notice| world.lane.forget_notice(notice).unwrap());
    }
    assert_eq!(sizes, [10, 10, 5]);
}

#[test]
fn a_call_is_under_way_while_its_row_is_leased() {
    let mut world = World::new();
    let under_way = |world: &World| world.lane.is_under_way("consent", "r").unwrap();
    assert!(!under_way(&world));
    world.wait("r");
    assert!(!under_way(&world));
    let claim = world.claim(1).remove(0);
    assert!(under_way(&world));
    assert!(!world.lane.is_under_way("shop", "r").unwrap());
    world.settle(&claim, failed());
    assert!(!under_way(&world));
}
