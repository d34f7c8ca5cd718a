//! Counts of events that were no erasures.

use crate::world::*;

fn count(world: &mut World, source: &str, events: &[(&str, u32)]) {
    let events: Vec<_> = events.iter().map(|(name, count)| ((*name).into(), *count)).collect();
    world.lane.count_ignored(source, &events, world.now).unwrap();
}

fn shown(world: &World) -> Vec<(String, String, i64)> {
    let all = world.lane.ignored().unwrap().into_iter();
    all.map(|(source, event, count, ..)| (source, event, count)).collect()
}

fn owned(expected: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    let one = |(source, event, count): &(&str, &str, i64)| {
        ((*source).to_owned(), (*event).to_owned(), *count)
    };
    expected.iter().map(one).collect()
}

#[test]
fn events_are_counted_by_source_and_name() {
    let mut world = World::new();
    assert_eq!(world.lane.ignored().unwrap().len(), 0);
    count(&mut world, "b", &[("x", 1), ("y", 7)]);
    world.pass(60);
    count(&mut world, "b", &[("x", 2)]);
    count(&mut world, "a", &[("x", 1)]);
    assert_eq!(shown(&world), owned(&[("a", "x", 1), ("b", "x", 3), ("b", "y", 7)]));
    let (.., first_at, last_at) = world.lane.ignored().unwrap()[1];
    assert_eq!((first_at, last_at), (START.0, world.now.0));
    // A clock that goes backwards does not make the last one earlier.
    let before = world.now;
    world.now = START;
    count(&mut world, "b", &[("x", 1)]);
    assert_eq!(world.lane.ignored().unwrap()[1].4, before.0);
}

#[test]
fn names_come_from_outside_and_only_fifty_of_a_source_are_kept() {
    let mut world = World::new();
    for number in 0..60 {
        count(&mut world, "a", &[(&format!("event-{number:02}"), 2)]);
    }
    count(&mut world, "a", &[("event-07", 1), ("event-55", 1)]);
    count(&mut world, "b", &[("x", 1)]);
    let all = shown(&world);
    assert_eq!(all.len(), 52);
    let one = |name: &str| all.iter().find(|(_, event, _)| event == name).map(|one| one.2);
    assert_eq!((one("event-07"), one("event-49")), (Some(3), Some(2)));
    assert_eq!((one("event-50"), one("other")), (None, Some(21)));
    assert_eq!(one("x"), Some(1));
}

#[test]
fn counts_outlive_the_object_and_go_with_the_receipts() {
    let mut world = World::new();
    world.clean();
    count(&mut world, "a", &[("old", 1), ("new", 1)]);
    world.pass(DAY);
    count(&mut world, "a", &[("new", 1)]);
    world.reopen();
    assert_eq!(shown(&world), owned(&[("a", "new", 2), ("a", "old", 1)]));
    world.pass(730 * DAY - 1);
    world.clean();
    assert_eq!(shown(&world).len(), 2);
    world.pass(1);
    world.clean();
    assert_eq!(shown(&world), owned(&[("a", "new", 2)]));
    world.pass(DAY);
    world.clean();
    assert_eq!(shown(&world), []);
}

#[test]
fn a_failing_storage_is_told() {
    let mut world = World::new();
    world.lane.count_ignored("a", &[("x".into(), 1)], START).unwrap();
    for successes in 0..2 {
        world.store.fail_after(successes);
        assert!(world.lane.count_ignored("a", &[("x".into(), 1)], START).is_err());
        world.store.fail_after(successes);
        assert!(world.lane.ignored().is_err());
        world.store.stop_failing();
    }
    assert_eq!(shown(&world), owned(&[("a", "x", 1)]));
}
