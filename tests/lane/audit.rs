//! The audit trail, in the directory's storage.

use std::rc::Rc;
use std::time::Duration;

use erasure_relay::access::Token;
use erasure_relay::delivery::audit::{ActionName, Audit, Entry, Way, Who};
use erasure_relay::delivery::database::StorageError;
use erasure_relay::delivery::directory::Directory;
use erasure_relay::receipt::Timestamp;

use crate::database::{Shared, Store};
use crate::world::{DAY, START};

fn open(store: &Rc<Store>) -> Audit<Shared> {
    Directory::open(Shared(store.clone())).unwrap();
    Audit::open(Shared(store.clone())).unwrap()
}

fn entry(at: Timestamp, lane: &str) -> Entry {
    let who = Who { token: Token::AdminToken, by: Way::Api };
    let (lane, note) = (Some(lane.to_owned()), Some("é \"\\".to_owned()));
    Entry { lane, note, ..Entry::new(at, ActionName::Resume, who) }
}

fn begin(audit: &Audit<Shared>, entry: &Entry) -> Result<i64, StorageError> {
    audit.begin(entry.at.0, &entry.stored())
}

fn list(audit: &Audit<Shared>, before: Option<i64>, most: u32) -> Vec<(i64, Entry)> {
    audit.list(before, most).unwrap().into_iter().map(Entry::restore).collect()
}

fn lanes(audit: &Audit<Shared>, before: Option<i64>, most: u32) -> (String, Option<i64>) {
    let page = list(audit, before, most);
    let names = page.iter().filter_map(|(_, entry)| entry.lane.clone()).collect();
    (names, page.last().map(|(number, _)| *number))
}

#[test]
fn actions_are_listed_newest_first_by_pages_with_their_results() {
    let store = Store::in_memory();
    let audit = open(&store);
    assert_eq!(list(&audit, None, 10), []);
    let numbers = ["a", "b", "c"].map(|lane| begin(&audit, &entry(START, lane)).unwrap());
    assert!(numbers.is_sorted());
    audit.end(numbers[1], "202").unwrap();
    audit.end(numbers[1], "unknown-vendor").unwrap();
    let audit = open(&store);
    let (first, last) = lanes(&audit, None, 2);
    assert_eq!((first.as_str(), lanes(&audit, last, 2).0.as_str()), ("cb", "a"));
    assert_eq!(lanes(&audit, Some(numbers[0]), 2), (String::new(), None));
    let all = list(&audit, None, 10);
    let b = Entry { result: Some("202".to_owned()), ..entry(START, "b") };
    assert_eq!(all[1], (numbers[1], b), "an action has one result");
    assert_eq!(all[0].1, entry(START, "c"), "not ended");
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let store = Store::in_memory();
    let audit = open(&store);
    store.fail_after(0);
    assert_eq!(begin(&audit, &entry(START, "a")), Err(StorageError::Failed));
    assert_eq!(list(&audit, None, 10), []);
}

#[test]
fn actions_are_kept_for_24_months() {
    let store = Store::in_memory();
    let audit = open(&store);
    for number in 0..150 {
        begin(&audit, &entry(Timestamp(START.0 + number), "old")).unwrap();
    }
    begin(&audit, &entry(START.after(Duration::from_secs(DAY)), "new")).unwrap();
    let kept = || store.number("SELECT COUNT(*) FROM audit");
    audit.clean(START.after(Duration::from_secs(731 * DAY - 1))).unwrap();
    assert_eq!(kept(), 151);
    let over = START.after(Duration::from_secs(731 * DAY + 1));
    for left in [51, 1, 1] {
        audit.clean(over).unwrap();
        assert_eq!(kept(), left, "a bounded number at a time");
    }
    assert_eq!(lanes(&audit, None, 10).0, "new");
}

#[test]
fn the_newest_hundred_thousand_actions_are_kept() {
    let store = Store::in_memory();
    let audit = open(&store);
    let fill = "WITH RECURSIVE number(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100000)
        INSERT INTO audit SELECT n, 0, '{}', NULL FROM number";
    store.look(fill, &[]);
    begin(&audit, &entry(START, "new")).unwrap();
    let range = store.look("SELECT MIN(id), MAX(id), COUNT(*) FROM audit", &[]);
    let range = [0, 1, 2].map(|at| range[0].integer(at).unwrap());
    assert_eq!(range, [2, 100_001, 100_000]);
}
