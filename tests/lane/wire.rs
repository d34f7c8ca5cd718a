//! What one side writes, the other reads.

use erasure_relay::delivery::audit;
use erasure_relay::delivery::lane::{Key, Record};
use erasure_relay::delivery::wire::{Deliver, Ignored, List, Request, Term};
use erasure_relay::erasure::{CustomName, Identifier, Kind, Subject};
use erasure_relay::receipt::{Acknowledged, Attempt, Outcome, State, Timestamp};
use proptest::option::of;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::world::START;

const OUTCOMES: [Outcome; 11] = [
    Outcome::Accepted,
    Outcome::AlreadyAbsent,
    Outcome::Scheduled,
    Outcome::Blocked,
    Outcome::NotErased,
    Outcome::Rejected,
    Outcome::Uncertain,
    Outcome::Exhausted,
    Outcome::InsufficientIdentification,
    Outcome::Discarded,
    Outcome::NotApplicable,
];

/// Characters that JSON escapes, that end a C string, and that UTF-16 writes as two.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec!["\0", "\"", "\\", "\n", "\u{7f}", "\u{2028}", "é", "😀"]);
    let odd = prop::collection::vec(odd, 0..6).prop_map(|parts| parts.concat());
    prop_oneof![any::<String>(), odd, "[ -~]{0,40}"]
}

fn identifier() -> impl Strategy<Value = Identifier> {
    let custom = Kind::Custom(CustomName::parse("loyalty_id").unwrap());
    let kinds = [Kind::UserId, Kind::Email, Kind::PhoneNumber, Kind::Uuid, Kind::InsiderId, custom];
    (prop::sample::select(kinds.to_vec()), text())
        .prop_map(|(kind, value)| Identifier::restore(kind, value))
}

/// A time as a receipt shows it.
fn second() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_i64).prop_map(|seconds| Timestamp(seconds * 1000))
}

prop_compose! {
    fn attempt()(
        at in second(),
        outcome in prop::sample::select(OUTCOMES.to_vec()),
        status: Option<u16>,
        (detail, trace) in (of(text()), of(text())),
    ) -> Attempt {
        Attempt { at, outcome, status, detail, trace }
    }
}

prop_compose! {
    fn record()(
        (source, request_id, slot) in (text(), text(), text()),
        (position, received_at, updated_at) in any::<(i64, i64, i64)>(),
        (call, identifier, subject) in (of(text()), of(text()), of(text())),
        (detail, trace) in (of(text()), of(text())),
        outcome in prop::sample::select(OUTCOMES.to_vec()),
        (status, attempts, due_at) in any::<(Option<u16>, u32, Option<i64>)>(),
        acknowledged in of((second(), text())),
        history in prop::collection::vec(attempt(), 0..3),
    ) -> Record {
        let [received_at, updated_at] = [received_at, updated_at].map(Timestamp);
        let (call, detail) = (call.map(Into::into), detail.map(Into::into));
        let due_at = due_at.map(Timestamp);
        let acknowledged = acknowledged.map(|(at, note)| Acknowledged { at, note });
        Record {
            source, request_id, slot, position, received_at, call, identifier, subject, outcome,
            status, attempts, detail, trace, updated_at, due_at, acknowledged, history,
        }
    }
}

prop_compose! {
    fn key()(at in any::<i64>(), source in text(), request_id in text()) -> Key {
        Key { received_at: Timestamp(at), source, request_id }
    }
}

fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

fn subject(identifiers: &[Identifier]) -> Subject {
    Subject::restore(identifiers.to_vec())
}

/// Everything of a subject, since its `Debug` shows no value.
fn exposed(subject: &Subject) -> Vec<(String, String)> {
    subject.identifiers().map(|one| (one.kind().to_string(), one.expose().to_owned())).collect()
}

proptest! {
    #[test]
    fn an_erasure_is_read_as_it_was_written(
        source in text(),
        request_id in text(),
        at: i64,
        identifiers in prop::collection::vec(identifier(), 0..6),
        not_applicable: bool,
    ) {
        let subject = subject(&identifiers);
        let mut deliver = Deliver::new(&source, &request_id, Timestamp(at), &subject);
        deliver.not_applicable = not_applicable;
        let text = write(&Request::Deliver(deliver));
        let Request::Deliver(read) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
        prop_assert_eq!((&*read.source, &*read.request_id), (&*source, &*request_id));
        prop_assert_eq!((read.received_at, read.not_applicable), (Timestamp(at), not_applicable));
        prop_assert_eq!(exposed(&read.subject().unwrap()), exposed(&subject));
    }

    #[test]
    fn ignored_events_are_read_as_they_were_written(
        source in text(),
        events in prop::collection::vec((text(), any::<u32>()), 0..4),
    ) {
        let written = events.iter().map(|(name, count)| (name.into(), *count)).collect();
        let text = write(&Request::Ignored(Ignored((&source).into(), written)));
        let Request::Ignored(Ignored(from, read)) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
        prop_assert_eq!(&*from, &*source);
        let read: Vec<_> = read.into_iter().map(|(name, count)| (name.into_owned(), count)).collect();
        prop_assert_eq!(read, events);
    }

    #[test]
    fn records_are_read_as_they_were_written(records in prop::collection::vec(record(), 0..4)) {
        prop_assert_eq!(read::<Vec<Record>>(&write(&records)), records);
    }

    #[test]
    fn keys_and_lists_are_read_as_they_were_written(
        keys in prop::collection::vec(key(), 0..4),
        state in of(prop::sample::select(vec![State::Done, State::Discarded, State::Pending, State::Attention])),
        limit: u32,
    ) {
        let time = |at: Option<&Key>| at.map(|key| key.received_at);
        let (from, until) = (time(keys.first()), time(keys.last()));
        let source = keys.last().map(|key| key.source.clone());
        let list = List { source, from, until, state, after: keys.first().cloned(), limit };
        for (request, is_find) in
            [(Request::Find(keys.clone()), true), (Request::Replay(keys.clone()), false)]
        {
            let text = write(&request);
            match serde_json::from_str(&text).unwrap() {
                Request::Find(read) if is_find => prop_assert_eq!(&read, &keys),
                Request::Replay(read) if !is_find => prop_assert_eq!(&read, &keys),
                _ => panic!("{text}"),
            }
        }
        prop_assert_eq!(&read::<Vec<Key>>(&write(&keys)), &keys);
        let term = Term::Person(keys.iter().map(|key| key.request_id.clone()).collect());
        for request in [
            Request::List(list.clone()),
            Request::Count(list.clone()),
            Request::Read(list.clone()),
            Request::Search(term.clone(), list.clone()),
        ] {
            let text = write(&request);
            let (Request::List(read)
            | Request::Count(read)
            | Request::Read(read)
            | Request::Search(_, read)) = serde_json::from_str(&text).unwrap()
            else {
                panic!("{text}")
            };
            prop_assert_eq!(read, list.clone());
            if let Request::Search(read, _) = serde_json::from_str(&text).unwrap() {
                prop_assert!(read == term);
            }
        }
    }

    #[test]
    fn what_the_other_side_never_writes_is_an_error_without_a_panic(
        text in text(),
        record in record(),
        cut in 0usize..400,
    ) {
        let mut records = write(&[record]);
        let nobody = subject(&[]);
        let deliver = Deliver::new(&text, &text, START, &nobody);
        let mut request = write(&Request::Deliver(deliver));
        for written in [&mut records, &mut request] {
            if cut < written.len() {
                written.truncate(written.floor_char_boundary(cut));
                prop_assert!(serde_json::from_str::<Vec<Record>>(written).is_err());
                prop_assert!(serde_json::from_str::<Request<'_>>(written).is_err());
            }
        }
        let _ = serde_json::from_str::<Request<'_>>(&text);
    }
}

#[test]
fn requests_without_content_are_words() {
    for (request, word) in [
        (Request::Resume, "\"resume\""),
        (Request::Status, "\"status\""),
        (Request::Wake, "\"wake\""),
        (Request::Dispose, "\"dispose\""),
        (Request::Directory, "\"directory\""),
        (Request::ListIgnored, "\"list_ignored\""),
    ] {
        assert_eq!(write(&request), word);
        let read: Request<'_> = serde_json::from_str(word).unwrap();
        assert_eq!(write(&read), word);
    }
}

#[test]
fn what_an_operator_asks_is_read_as_it_was_written() {
    let text = || "é\"\\\n😀".to_owned();
    for (request, written) in [
        (
            Request::Discard(Key::of("s", "r"), text()),
            r#"{"discard":[{"received_at":0,"source":"s","request_id":"r"},"é\"\\\n😀"]}"#,
        ),
        (
            Request::Acknowledge(Key::of("s", "r"), text()),
            r#"{"acknowledge":[{"received_at":0,"source":"s","request_id":"r"},"é\"\\\n😀"]}"#,
        ),
        (
            Request::find_whole("s", "r"),
            r#"{"find_whole":{"received_at":0,"source":"s","request_id":"r"}}"#,
        ),
        (
            Request::ReplayAll(Some(Outcome::Rejected), Timestamp(7), 9),
            r#"{"replay_all":["rejected",7,9]}"#,
        ),
        (Request::AcknowledgeAll(None, text(), 9), r#"{"acknowledge_all":[null,"é\"\\\n😀",9]}"#),
        (
            Request::Audit(audit::Ask::Begin(7, vec![Some(text()), None])),
            r#"{"audit":{"begin":[7,["é\"\\\n😀",null]]}}"#,
        ),
        (Request::Audit(audit::Ask::End(7, "200".into())), r#"{"audit":{"end":[7,"200"]}}"#),
        (Request::Audit(audit::Ask::List(None, 9)), r#"{"audit":{"list":[null,9]}}"#),
        (Request::Audit(audit::Ask::Clean), r#"{"audit":"clean"}"#),
        (Request::Page(vec!["identity".into()], 4, 250), r#"{"page":[["identity"],4,250]}"#),
        (Request::Adopt(text()), r#"{"adopt":"é\"\\\n😀"}"#),
        (Request::Forget(text()), r#"{"forget":"é\"\\\n😀"}"#),
        (
            Request::DiscardUnsendable(None, text(), 9),
            r#"{"discard_unsendable":[null,"é\"\\\n😀",9]}"#,
        ),
        (Request::Register("eu:insider.2".into()), r#"{"register":"eu:insider.2"}"#),
        (Request::Unregister("insider".into()), r#"{"unregister":"insider"}"#),
    ] {
        assert_eq!(write(&request), written);
        let read: Request<'_> = serde_json::from_str(written).unwrap();
        assert_eq!(write(&read), written);
    }
}

#[test]
fn a_text_of_another_version_is_an_error() {
    for text in [
        r#""pause""#,
        r#"{"erase":{"source":"s"}}"#,
        r#"{"deliver":{"source":"s","request_id":"r"}}"#,
        r#"{"deliver":{"source":"s","request_id":"r","received_at":"2026-11-22","identifiers":[]}}"#,
        r#"{"deliver":["s","r",1,[["email","a@example.com","k1:0"]]]}"#,
        r#"{"list":{"state":"lost","before":null,"limit":1}}"#,
        r#"{"list":{"state":null,"before":null,"limit":-1}}"#,
        r#"{"find":[{"source":"s","request_id":"r"}]}"#,
    ] {
        assert!(serde_json::from_str::<Request<'_>>(text).is_err(), "{text}");
    }
    let text = r#"{"deliver":{"source":"s","request_id":"r","received_at":1,
        "identifiers":[["email","a@example.com"],["iris_scan","x"]]}}"#;
    let Request::Deliver(deliver) = serde_json::from_str(text).unwrap() else { panic!() };
    assert!(deliver.subject().is_none(), "a kind of another version");
    let record = r#"{"source":"s","request_id":"r","slot":"","position":0,"received_at":1,
        "call":null,"identifier":null,"subject":null,"outcome":"OUTCOME","status":null,
        "attempts":0,"detail":null,"trace":null,"updated_at":1,"due_at":null}"#;
    assert!(serde_json::from_str::<Record>(&record.replace("OUTCOME", "accepted")).is_ok());
    assert!(serde_json::from_str::<Record>(&record.replace("OUTCOME", "forgotten")).is_err());
    assert!(serde_json::from_str::<Record>(&record.replace("\"due_at\":null", "\"x\":1")).is_err());
}
