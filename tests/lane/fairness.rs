//! Neither what is new nor what has waited longest is starved by the other.

use std::collections::HashMap;

use erasure_relay::delivery::policy::Policy;
use erasure_relay::vendor::Pace;

use crate::database::Store;
use crate::object::Object;
use crate::world::*;

const BACKLOG: usize = 200;

/// How long each delivery waited, in milliseconds.
struct Waits {
    object: Object,
    arrived: HashMap<String, i64>,
    waited: HashMap<String, i64>,
}

impl Waits {
    /// A lane of about one call a second, with so many deliveries that are due.
    fn with_backlog(count: usize) -> Self {
        let pace = Some(Pace { calls: 60, per_seconds: 60 });
        let mut object = Object::on(Store::in_memory(), Policy { pace, ..policy() });
        // The pace is used up, so that the others have to wait.
        object.deliver("first", &["first@example.com"]);
        let first = object.send();
        object.finish_all(first, accepted());
        let mut arrived = HashMap::new();
        for number in 0..count {
            let id = format!("backlog-{number}");
            object.deliver(&id, &[&format!("{id}@example.com")]);
            arrived.insert(id, object.now.0);
        }
        Self { object, arrived, waited: HashMap::new() }
    }

    /// Minutes in which a delivery arrives each `gap` milliseconds. Calls take 200 ms.
    fn pass(&mut self, minutes: i64, gap: i64) {
        let end = self.object.now.0 + minutes * 60_000;
        let mut under_way = Vec::new();
        while self.object.now.0 < end {
            if (self.object.now.0 - START.0) % gap == 0 {
                let id = format!("new-{}", self.object.now.0 - START.0);
                self.object.deliver(&id, &[&format!("{id}@example.com")]);
                self.arrived.insert(id, self.object.now.0);
            }
            self.object.finish_all(std::mem::take(&mut under_way), accepted());
            self.object.flush();
            self.object.begin();
            under_way = self.object.send();
            for claim in &under_way {
                let id = claim.record.request_id.clone();
                let since = self.arrived.get(&id).copied().unwrap_or(START.0);
                assert!(self.waited.insert(id, self.object.now.0 - since).is_none(), "sent twice");
            }
            self.object.pass_millis(200);
        }
    }

    /// How long those whose id begins so have waited, the shortest first.
    fn of(&self, prefix: &str) -> Vec<i64> {
        let waits = self.waited.iter().filter(|(id, _)| id.starts_with(prefix));
        let mut waits: Vec<_> = waits.map(|(_, wait)| *wait).collect();
        waits.sort_unstable();
        waits
    }
}

#[test]
fn a_stream_of_arrivals_at_the_pace_does_not_starve_the_oldest() {
    let mut waits = Waits::with_backlog(BACKLOG);
    // Half of the calls are for the oldest: 200 of them take 400 calls of a good second each.
    waits.pass(8, 1000);
    assert_eq!(waits.of("backlog").len(), BACKLOG);
}

#[test]
fn a_backlog_does_not_starve_what_arrives() {
    let mut waits = Waits::with_backlog(BACKLOG);
    waits.pass(5, 1000);
    let (new, old) = (waits.of("new"), waits.of("backlog"));
    assert!(old.len() < BACKLOG, "there was a backlog all the time");
    assert!(new.len().abs_diff(old.len()) <= 2, "{} and {}", new.len(), old.len());
    let longest = new[new.len() * 9 / 10];
    assert!(longest <= 4000, "most of the new ones wait for a turn or two: {longest} ms");
}

#[test]
fn arrivals_below_the_pace_are_sent_at_once_where_nothing_waits() {
    let mut waits = Waits::with_backlog(0);
    waits.object.pass_millis(2000);
    waits.pass(3, 2000);
    let new = waits.of("new");
    assert_eq!(new.len(), 90);
    assert_eq!(new.last(), Some(&0));
}

#[test]
fn nothing_is_sent_at_once_while_something_is_due() {
    let mut waits = Waits::with_backlog(3);
    let object = &mut waits.object;
    object.flush();
    object.pass_millis(10_000);
    object.deliver("new", &["new@example.com"]);
    assert_eq!((object.leased(), object.waiting()), (0, 4));
    let sent = object.send();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].record.request_id, "backlog-0");
}
