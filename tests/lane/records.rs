//! What an operator reads of a lane: filtered lists, searches, what came in a period, and its chart.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use erasure_relay::activity;
use erasure_relay::delivery::database::Value;
use erasure_relay::delivery::lane::{Arrival, Found, Key, Record};
use erasure_relay::delivery::wire::{List, Term};
use erasure_relay::pseudonym::Pseudonyms;
use erasure_relay::receipt::{Outcome, State, Timestamp};
use erasure_relay::vendor::Call;
use proptest::prelude::*;

use crate::world::*;

/// How many rows one search looks at.
const SCAN: usize = 10_000;

fn everything() -> List {
    List { limit: 100, ..List::default() }
}

fn names() -> Pseudonyms {
    Pseudonyms::new(&KEY.into(), None).unwrap()
}

fn search_with(world: &World, names: &Pseudonyms, (term, list): &(Term, List)) -> Found {
    world.lane.search(term, list, names).unwrap()
}

fn looking_for(term: Term) -> (Term, List) {
    (term, everything())
}

fn person(emails: &[&str]) -> Term {
    Term::Person(emails.iter().map(|email| stored(&identity(email))).collect())
}

fn ids(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(|key| key.request_id.as_str()).collect()
}

fn found(world: &World, term: Term) -> Vec<String> {
    let (keys, next) = search_with(world, &names(), &looking_for(term));
    assert_eq!(next, None);
    keys.into_iter().map(|key| key.request_id).collect()
}

/// A webhook of another source than that of [`World::accept`].
fn accept_of(world: &mut World, source: &str, request_id: &str, call: Call) {
    let arrival = Arrival {
        source,
        request_id,
        received_at: world.now,
        repeat_after: None,
        parts: vec![part(call)],
    };
    let accepted = world.lane.accept(arrival, ROOM, world.now).unwrap();
    for claim in accepted.claims {
        world.settle(&claim, self::accepted());
    }
}

#[test]
fn a_list_is_of_one_source_and_of_one_period() {
    let mut world = World::new();
    for (source, id) in
        [("consent", "a"), ("shop", "b"), ("consent", "c"), ("shop", "d"), ("consent", "e")]
    {
        accept_of(&mut world, source, id, identity(&format!("{id}@example.com")));
        world.pass(1);
    }
    world.wait("f");
    let at = |seconds| Some(START.after(Duration::from_secs(seconds)));
    let list = |list: &List, after: Option<&Key>, limit| {
        world.lane.list_of(&List { after: after.cloned(), limit, ..list.clone() }).unwrap()
    };
    let of = |source: Option<&str>, from, until| {
        let source = source.map(str::to_owned);
        List { source, from, until, ..everything() }
    };
    for (slice, expected) in [
        (of(None, None, None), "fedcba"),
        (of(Some("consent"), None, None), "feca"),
        (of(Some("shop"), None, None), "db"),
        (of(Some("other"), None, None), ""),
        (of(None, at(1), None), "fedcb"),
        (of(None, at(1), at(3)), "cb"),
        (of(None, at(3), at(3)), ""),
        (of(Some("consent"), at(1), at(5)), "ec"),
    ] {
        assert_eq!(ids(&list(&slice, None, 10)).concat(), expected, "{slice:?}");
        let (mut paged, mut before) = (String::new(), None);
        while let Some(key) = list(&slice, before.as_ref(), 1).pop() {
            paged.push_str(&key.request_id);
            before = Some(key);
        }
        assert_eq!(paged, expected, "{slice:?} in pages of one");
    }
    let done = List { state: Some(State::Done), ..of(Some("consent"), None, None) };
    assert_eq!(ids(&list(&done, None, 10)).concat(), "eca");
}

#[test]
fn a_person_is_found_by_each_of_their_names_in_every_state() {
    let mut world = World::new();
    let claim = world.accept("done", &["a@example.com"]).claims.remove(0);
    world.settle(&claim, accepted());
    world.pass(1);
    world.accept("under way", &["a@example.com", "b@example.com"]);
    world.pass(1);
    let claim = world.claim_new("other");
    world.settle(&claim, refused());
    world.pass(1);
    let parts = vec![part(identity("a@example.com"))];
    world.arrive_with(0, "waits", parts);
    world.pass(1);
    let stored_name = stored(&identity("unusable@example.com"));
    world.arrive("unusable", vec![unusable(&stored_name)]);

    assert_eq!(found(&world, person(&["a@example.com"])), ["waits", "under way", "done"]);
    assert_eq!(found(&world, person(&["b@example.com"])), ["under way"]);
    let either = person(&["b@example.com", "other@example.com"]);
    assert_eq!(found(&world, either), ["other", "under way"]);
    assert_eq!(found(&world, person(&["unusable@example.com"])), ["unusable"]);
    assert_eq!(found(&world, person(&["c@example.com"])), [""; 0]);
    assert_eq!(found(&world, Term::Person(Vec::new())), [""; 0]);
    assert_eq!(found(&world, Term::Person(vec![String::new(), "k1:%".to_owned()])), [""; 0]);
}

#[test]
fn a_person_is_found_by_a_name_that_was_not_the_first() {
    let mut world = World::new();
    let mut call = profile("first@example.com");
    call.alternatives = profile("second@example.com").alternatives;
    call.alternatives.push(identity("second@example.com").identifier);
    let claim = world.arrive("r", vec![part(call)]).claims.remove(0);
    assert_eq!(found(&world, person(&["second@example.com"])), ["r"]);
    // The answer was that the next name must be tried: the row bears that one.
    world.settle_and_follow(&claim, profile("second@example.com"));
    for email in ["first@example.com", "second@example.com"] {
        assert_eq!(found(&world, person(&[email])), ["r"], "{email}");
    }
}

#[test]
fn a_person_is_found_under_the_previous_key() {
    let mut world = World::new();
    let claim = world.accept("before", &["a@example.com"]).claims.remove(0);
    world.settle(&claim, accepted());
    world.pass(1);
    let new_key = "another key of sixteen bytes";
    world.reopen_with_key(new_key, Some(KEY));
    let parts = vec![part_with_keys(identity("a@example.com"), new_key, Some(KEY))];
    world.arrive("after", parts);
    let call = identity("a@example.com");
    let both = Term::Person(vec![stored_with_key(&call, new_key), stored_with_key(&call, KEY)]);
    assert_eq!(found(&world, both), ["after", "before"]);
    assert_eq!(found(&world, Term::Person(vec![stored_with_key(&call, new_key)])), ["after"]);
}

#[test]
fn an_answer_is_found_by_its_trace() {
    let mut world = World::new();
    let claim = world.claim_new("r");
    world.settle(&claim, accepted());
    world.pass(1);
    world.wait("s");
    assert_eq!(found(&world, Term::Trace("trace-1".to_owned())), ["r"]);
    // A later attempt without an answer leaves it in the history.
    let claim = world.claim(1).remove(0);
    world.settle(&claim, failed());
    world.pass(3600);
    let claim = world.claim(1).remove(0);
    world.settle(&claim, silence());
    assert_eq!(world.find("s")[0].trace, None);
    assert_eq!(found(&world, Term::Trace("trace-1".to_owned())), ["s", "r"]);
    for other in ["trace-2", "trace", "%", ""] {
        assert_eq!(found(&world, Term::Trace(other.to_owned())), [""; 0], "{other}");
    }
}

#[test]
fn an_id_is_found_whichever_source_sent_it() {
    let mut world = World::new();
    for source in ["consent", "shop", "other"] {
        accept_of(&mut world, source, "id", identity("a@example.com"));
        accept_of(&mut world, source, &format!("id of {source}"), identity("a@example.com"));
        world.pass(1);
    }
    let term = |id: &str| Term::Request(id.to_owned());
    assert_eq!(found(&world, term("id")).len(), 3);
    assert_eq!(found(&world, term("id of shop")), ["id of shop"]);
    assert_eq!(found(&world, term("nothing")), [""; 0]);
    // What a log shows in its place.
    let shown = names().of_request("id of shop");
    assert_eq!(found(&world, term(&shown)), ["id of shop"]);
    assert_eq!(found(&world, term(&names().of_request("nothing"))), [""; 0]);
    let rotated = Pseudonyms::new(&"another key of sixteen bytes".into(), Some(&KEY.into()));
    let (former, _) = search_with(&world, &rotated.unwrap(), &looking_for(term(&shown)));
    assert_eq!(ids(&former), ["id of shop"], "by the previous key");

    let search = |term: &Term, list: List| search_with(&world, &names(), &(term.clone(), list)).0;
    for term in [term("id"), term(&names().of_request("id"))] {
        let of_shop = List { source: Some("shop".to_owned()), ..everything() };
        let keys = search(&term, of_shop);
        assert_eq!(keys.iter().map(|key| &*key.source).collect::<Vec<_>>(), ["shop"]);
        let late = List { from: Some(Timestamp(START.0 + 1000)), ..everything() };
        assert_eq!(search(&term, late).len(), 2);
        let all = search(&term, everything());
        let after = all.first().cloned();
        assert_eq!(search(&term, List { after, ..everything() }), all[1..]);
    }
}

/// Final rows of one person's calls, 100,000 by default, all of one lane.
fn crowd(count: i64) -> World {
    let mut world = World::new();
    let claim = world.accept("crowd", &["crowd@example.com"]).claims.remove(0);
    world.settle(&claim, accepted());
    let statement = "WITH RECURSIVE number(n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
        INSERT INTO delivery (source, request_id, slot, position, received_at, call, identifier,
            subject, names, outcome, status, attempts, detail, trace, updated_at, failures,
            deadline_at, lease)
        SELECT source, 'crowd-' || n, slot, position, received_at + n, call, identifier,
            substr(subject, 1, 6) || printf('%012x', n), 'k1:' || printf('%012x', n), outcome,
            status, attempts, detail, 'trace of ' || n, updated_at + n, failures, deadline_at,
            lease
        FROM delivery, number WHERE request_id = 'crowd'";
    world.store.look(statement, &[Value::Integer(count)]);
    world
}

/// Every page of a search, and how many there were.
fn all_pages(world: &World, search: &(Term, List)) -> (Vec<Key>, usize) {
    let (mut search, mut keys, mut pages) = (search.clone(), Vec::new(), 0);
    loop {
        let (further, next) = search_with(world, &names(), &search);
        assert!(further.len() <= usize::try_from(search.1.limit).unwrap());
        keys.extend(further);
        pages += 1;
        let Some(next) = next else { return (keys, pages) };
        assert!(search.1.after.as_ref().is_none_or(|after| next < *after), "it goes on");
        search.1.after = Some(next);
    }
}

#[test]
fn a_search_of_a_hundred_thousand_rows_goes_in_bounded_pages() {
    const ROWS: i64 = 100_000;
    let world = crowd(ROWS);
    world.store.take_steps();
    let longest = |term: Term| {
        let begun = Instant::now();
        let (keys, pages) = all_pages(&world, &looking_for(term));
        let steps = world.store.take_steps();
        println!("{} found, {pages} pages, {steps} steps, {:?}", keys.len(), begun.elapsed());
        assert_eq!(pages, 11);
        // One look into the index and one into the table for each row, and some steps for each.
        assert!(steps < 80 * ROWS.unsigned_abs(), "{steps} steps");
        keys
    };
    for number in [1, 7, 9_999, 10_000, 50_000, 99_999, 100_000] {
        let keys = longest(Term::Person(vec![format!("k1:{number:012x}")]));
        assert_eq!(ids(&keys), [format!("crowd-{number}")]);
    }
    assert_eq!(ids(&longest(Term::Trace("trace of 12345".to_owned()))), ["crowd-12345"]);
    let shown = names().of_request("crowd-777");
    assert_eq!(ids(&longest(Term::Request(shown))), ["crowd-777"]);
    assert_eq!(longest(Term::Trace("nothing".to_owned())), []);
    let one = Term::Request("crowd-777".to_owned());
    assert_eq!(all_pages(&world, &looking_for(one)).0.len(), 1);
    assert!(world.store.take_steps() < 200, "an id is found by the table's key");
}

#[test]
fn the_deliveries_of_one_erasure_are_not_divided_by_the_end_of_a_page() {
    let world = crowd(i64::try_from(SCAN).unwrap() + 5);
    let person = || Term::Person(vec![stored(&identity("crowd@example.com"))]);
    // The person's erasure is the oldest, with rows on both sides of where the first page ends.
    let copy = "INSERT INTO delivery (source, request_id, slot, position, received_at, outcome,
            attempts, updated_at, failures, deadline_at, lease, subject)
        SELECT source, 'crowd-6', 'slot ' || ?, position, received_at, outcome, attempts,
            updated_at, failures, deadline_at, lease, CASE ?1 WHEN 9 THEN ?2 END
        FROM delivery WHERE request_id = 'crowd-6' LIMIT 1";
    for slot in 1..10 {
        let shown = subject(&identity("crowd@example.com"));
        world.store.look(copy, &[Value::Integer(slot), shown.into()]);
    }
    let (keys, pages) = all_pages(&world, &looking_for(person()));
    assert_eq!((ids(&keys), pages), (vec!["crowd-6", "crowd"], 2));
}

#[test]
fn a_page_of_a_search_has_no_more_than_was_asked_for() {
    let mut world = World::new();
    for number in 0..7 {
        world.accept(&format!("r{number}"), &["a@example.com", "b@example.com"]);
        world.pass(1);
    }
    let whole = found(&world, person(&["a@example.com"]));
    assert_eq!(whole.concat(), "r6r5r4r3r2r1r0");
    for limit in [1, 2, 3, 7, 8] {
        let term = person(&["a@example.com", "b@example.com"]);
        let search = (term, List { limit, ..everything() });
        assert_eq!(ids(&all_pages(&world, &search).0), whole, "pages of {limit}");
    }
}

/// Everything in a slice, slip by slip.
fn read(world: &World, list: &List, limit: u32) -> Vec<Record> {
    let (mut list, mut all) = (List { limit, ..list.clone() }, Vec::new());
    loop {
        let (records, next) = world.lane.read(&list).unwrap();
        all.extend(records);
        let Some(next) = next else { return all };
        assert!(list.after.is_none_or(|after| after < next), "it goes on");
        list.after = Some(next);
    }
}

#[test]
fn what_came_is_read_in_order_with_whole_erasures() {
    let mut world = World::new();
    for number in 0..9 {
        let emails: Vec<String> =
            (0..=number % 3).map(|at| format!("{number}-{at}@example.com")).collect();
        let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
        let accepted = world.accept(&format!("{number}"), &emails);
        if number % 2 == 0 {
            for claim in accepted.claims {
                world.settle(&claim, self::accepted());
            }
        }
        world.pass(1);
    }
    let whole: Vec<Record> = (0..9).flat_map(|number| world.find(&number.to_string())).collect();
    assert_eq!(whole.len(), 18);
    for most in [1, 2, 3, 5, 17, 18, 19, 100] {
        assert_eq!(read(&world, &everything(), most), whole, "{most}");
    }
    let at = |seconds| Some(START.after(Duration::from_secs(seconds)));
    let some =
        List { source: Some("consent".to_owned()), from: at(2), until: at(6), ..everything() };
    let expected: Vec<Record> = (2..6).flat_map(|number| world.find(&number.to_string())).collect();
    for most in [1, 2, 100] {
        assert_eq!(read(&world, &some, most), expected, "{most}");
    }
    assert_eq!(world.lane.count(&everything()).unwrap(), 18);
    assert_eq!(world.lane.count(&some).unwrap(), i64::try_from(expected.len()).unwrap());
    let other = List { source: Some("shop".to_owned()), ..everything() };
    assert_eq!((read(&world, &other, 10), world.lane.count(&other).unwrap()), (vec![], 0));
}

#[test]
fn an_erasure_whose_rows_came_at_two_times_is_read_once() {
    let mut world = World::new();
    world.accept("r", &["a@example.com", "b@example.com"]);
    world.pass(5);
    world.accept("s", &["a@example.com"]);
    world.pass(5);
    let move_row = "UPDATE delivery SET received_at = ? WHERE request_id = 'r' AND position = 1";
    world.store.look(move_row, &[world.now.0.into()]);
    for most in [1, 2, 10] {
        let all = read(&world, &everything(), most);
        let ids: Vec<&str> = all.iter().map(|record| record.request_id.as_str()).collect();
        assert_eq!(ids, ["r", "r", "s"], "{most}");
    }
    let late = List { from: Some(world.now), ..everything() };
    assert_eq!(read(&world, &late, 10), [], "it came before");
}

#[test]
fn the_chart_counts_each_hour_by_what_is_known() {
    let mut world = World::new();
    let hour = Timestamp(START.0.div_euclid(activity::HOUR) * activity::HOUR);
    world.now = hour;
    let verdicts = [
        ("a", accepted()),
        ("b", accepted()),
        ("c", verdict(Outcome::Rejected, 400, None)),
        ("d", failed()),
    ];
    for (id, verdict) in verdicts {
        let claim = world.claim_new(id);
        world.settle(&claim, verdict);
    }
    world.claim_new("under way");
    world.arrive("e", vec![without(Outcome::NotApplicable)]);
    world.wait("f");
    world.lane.discard("consent", "f", "note", world.now).unwrap();
    world.pass(3600);
    world.arrive("g", vec![nobody()]);
    world.pass(10);

    let hours = world.lane.activity(hour, world.now).unwrap();
    assert_eq!(hours, [[hour.0, 5, 1, 1, 1, 2], [hour.0 + activity::HOUR, 1, 1, 0, 0, 0]]);
    let since = activity::since(world.now);
    assert_eq!(world.lane.activity(since, world.now).unwrap().len(), 24);
}

#[test]
fn what_is_counted_and_read_costs_a_few_steps_a_row() {
    let world = crowd(100_000);
    world.store.take_steps();
    let counted = |what: &str, count: i64| {
        let steps = world.store.take_steps();
        println!("{what}: {count} rows, {steps} steps");
        assert!(steps < 1_000_000, "{what} took {steps} steps");
    };
    counted("count", world.lane.count(&everything()).unwrap());
    let hours = world.lane.activity(activity::since(START), START).unwrap();
    counted("activity", hours.iter().map(|hour| hour[1] + hour[5]).sum());
    let read = |list: &List| i64::try_from(world.lane.read(list).unwrap().0.len()).unwrap();
    let first = List { limit: 1000, ..everything() };
    counted("read", read(&first));
    let received_at = Timestamp(START.0 + 50_000);
    let middle = Some(Key { received_at, ..Key::of("consent", "") });
    let in_the_middle = List { after: middle.clone(), ..first };
    counted("read in the middle", read(&in_the_middle));
    for source in [None, Some("consent".to_owned())] {
        let list = List { source, after: middle.clone(), ..everything() };
        assert_eq!(world.lane.list_of(&list).unwrap().len(), 100);
        let steps = world.store.take_steps();
        assert!(steps < 20_000, "a page of a list takes {steps} steps");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// However the pages fall, each erasure in the slice is read once, and a search for everything of it
    /// finds the same.
    #[test]
    fn pages_are_a_partition(
        arrivals in prop::collection::vec((0_u64..4, 0_usize..3, 1_usize..4, any::<bool>()), 1..20),
        most in 1_u32..6,
        from in prop::option::of(0_u64..40),
        until in prop::option::of(0_u64..40),
        source in prop::option::of(0_usize..3),
    ) {
        let sources = ["consent", "other", "shop"];
        let mut world = World::new();
        let (from, until) = (
            from.map(|it| START.after(Duration::from_secs(it))),
            until.map(|it| START.after(Duration::from_secs(it))),
        );
        let source = source.map(|at| sources[at].to_owned());
        let slice = List { source, from, until, ..everything() };
        let mut expected = BTreeSet::new();
        for (number, (pause, source, emails, ends)) in arrivals.into_iter().enumerate() {
            world.pass(pause);
            let (source, request_id) = (sources[source], format!("{number}"));
            let parts = (0..emails).map(|at| part(identity(&format!("{number}-{at}@example.com"))));
            let (received_at, parts) = (world.now, parts.collect());
            let request_id = request_id.as_str();
            let arrival =
                Arrival { source, request_id, received_at, repeat_after: None, parts };
            let claims = world.lane.accept(arrival, ROOM, world.now).unwrap().claims;
            for claim in claims.into_iter().take(if ends { 9 } else { 1 }) {
                world.settle(&claim, accepted());
            }
            let is_in = slice.source.as_ref().is_none_or(|known| known == source)
                && slice.from.is_none_or(|from| from <= received_at)
                && slice.until.is_none_or(|until| received_at < until);
            if is_in {
                let (source, request_id) = (source.to_owned(), request_id.to_owned());
                expected.insert(Key { received_at, source, request_id });
            }
        }
        let mut keys: Vec<Key> = read(&world, &slice, most)
            .into_iter()
            .map(|it| Key { received_at: it.received_at, source: it.source, request_id: it.request_id })
            .collect();
        keys.dedup();
        prop_assert_eq!(&keys, &expected.iter().cloned().collect::<Vec<_>>());
        let list = List { limit: most, ..slice.clone() };
        let search = (Term::Trace("trace-1".to_owned()), list.clone());
        let (found, _) = all_pages(&world, &search);
        let expected: Vec<Key> = expected.into_iter().rev().collect();
        prop_assert_eq!(found, expected.clone());
        let (mut listed, mut list) = (Vec::new(), list);
        loop {
            let page = world.lane.list_of(&list).unwrap();
            let Some(last) = page.last().cloned() else { break };
            listed.extend(page);
            list.after = Some(last);
        }
        prop_assert_eq!(listed, expected);
    }
}
