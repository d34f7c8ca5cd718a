//! What one side writes, the other reads.

use std::time::Duration;

use erasure_relay::delivery::lane::{Accepted, Arrival, Key, Lease, Part, Record, Settlement};
use erasure_relay::delivery::wire::*;
use erasure_relay::erasure::{CustomName, Identifier, Kind};
use erasure_relay::json::Json;
use erasure_relay::receipt::{Outcome, State, Timestamp};
use erasure_relay::vendor::{Call, Verdict};
use proptest::option::of;
use proptest::prelude::*;

use crate::world::{IDENTITY, PROFILE, START};

const OUTCOMES: [Outcome; 9] = [
    Outcome::Accepted,
    Outcome::AlreadyAbsent,
    Outcome::Scheduled,
    Outcome::Blocked,
    Outcome::NotErased,
    Outcome::Rejected,
    Outcome::Uncertain,
    Outcome::Exhausted,
    Outcome::InsufficientIdentification,
];

fn named(name: &str) -> Option<&'static str> {
    [IDENTITY, PROFILE].into_iter().find(|known| *known == name)
}

fn identifier() -> impl Strategy<Value = Identifier> {
    let custom = Kind::Custom(CustomName::parse("loyalty_id").unwrap());
    let kinds = [Kind::UserId, Kind::Email, Kind::PhoneNumber, Kind::Uuid, Kind::InsiderId, custom];
    (prop::sample::select(kinds.to_vec()), any::<String>())
        .prop_map(|(kind, value)| Identifier::restore(kind, value))
}

fn call() -> impl Strategy<Value = Call> {
    let names = prop::sample::select(vec![IDENTITY, PROFILE]);
    (names, identifier(), prop::collection::vec(identifier(), 0..4))
        .prop_map(|(name, identifier, alternatives)| Call { name, identifier, alternatives })
}

/// What a part is made of: a call or none, two texts.
type Made = (Option<Call>, Option<String>, String);

fn made() -> impl Strategy<Value = Made> {
    (of(call()), of(any::<String>()), any::<String>())
}

fn part((call, identifier, text): Made) -> Part {
    match call {
        Some(call) => Part::Call { call, names: format!("{text} {text}"), subject: text },
        None => Part::Unusable { identifier, detail: text },
    }
}

prop_compose! {
    fn verdict()(
        outcome in prop::sample::select(OUTCOMES.to_vec()),
        detail in of(any::<String>()),
        status in of(any::<u16>()),
        pause in of(0u64..3_600_000),
        trace in of(any::<String>()),
    ) -> Verdict {
        let retry_after = pause.map(Duration::from_millis);
        Verdict { outcome, detail: detail.map(Into::into), status, retry_after, trace }
    }
}

prop_compose! {
    fn lease()(id in any::<i64>(), number in any::<i64>()) -> Lease {
        Lease { id, number }
    }
}

prop_compose! {
    fn record()(
        (id, received_at, updated_at) in any::<(i64, i64, i64)>(),
        (source, request_id) in any::<(String, String)>(),
        (call, identifier, subject) in any::<(Option<String>, Option<String>, Option<String>)>(),
        (detail, trace) in any::<(Option<String>, Option<String>)>(),
        outcome in prop::sample::select(OUTCOMES.to_vec()),
        (status, attempts, due_at) in any::<(Option<u16>, u32, Option<i64>)>(),
    ) -> Record {
        let [received_at, updated_at] = [received_at, updated_at].map(Timestamp);
        let due_at = due_at.map(Timestamp);
        Record {
            id, source, request_id, received_at, call, identifier, subject, outcome, status,
            attempts, detail, trace, updated_at, due_at,
        }
    }
}

prop_compose! {
    fn key()(at in any::<i64>(), source in any::<String>(), request_id in any::<String>()) -> Key {
        Key { received_at: Timestamp(at), source, request_id }
    }
}

/// Everything of a call, since its `Debug` shows no value.
fn exposed(call: &Call) -> String {
    let all = std::iter::once(&call.identifier).chain(&call.alternatives);
    let all: Vec<_> = all.map(|one| (one.kind().to_string(), one.expose())).collect();
    format!("{} {all:?}", call.name)
}

fn told(part: &Part) -> String {
    match part {
        Part::Call { call, subject, names } => {
            format!("{} {subject:?} {names:?}", exposed(call))
        }
        Part::Unusable { identifier, detail } => format!("{identifier:?} {detail:?}"),
    }
}

proptest! {
    #[test]
    fn an_arrival_is_read_as_it_was_written(
        source: String,
        request_id: String,
        parts in prop::collection::vec(made(), 0..6),
    ) {
        let parts = parts.into_iter().map(part).collect();
        let received_at = START;
        let arrival = Arrival { source: &source, request_id: &request_id, received_at, inline: 6, parts };
        let text = write_arrival(&arrival);
        let json = Json::parse(text.as_bytes()).unwrap();
        let read = read_arrival(&json, &named).unwrap();
        prop_assert_eq!((read.source, read.request_id), (arrival.source, arrival.request_id));
        prop_assert_eq!((read.received_at, read.inline), (received_at, 6));
        let [read, written] = [&read.parts, &arrival.parts]
            .map(|parts| parts.iter().map(told).collect::<Vec<_>>());
        prop_assert_eq!(read, written);
    }

    #[test]
    fn what_was_accepted_is_read_as_it_was_written(
        records in prop::collection::vec(record(), 0..4),
        leases in prop::collection::vec((0usize..100, lease()), 0..4),
    ) {
        let text = write_accepted(&Accepted { records: records.clone(), leases: leases.clone() });
        let read = read_accepted(&Json::parse(text.as_bytes()).unwrap()).unwrap();
        prop_assert_eq!((read.records, read.leases), (records, leases));
    }

    #[test]
    fn settlements_are_read_as_they_were_written(
        source: String,
        request_id: String,
        parts in prop::collection::vec(
            (lease(), verdict(), 0u32..9, of((call(), any::<String>()))), 0..4),
    ) {
        let parts = parts.into_iter().map(|(lease, verdict, attempts, follow_up)| {
            Settlement { lease, verdict, attempts, follow_up }
        });
        let parts: Vec<_> = parts.collect();
        let text = write_settlements(&source, &request_id, &parts);
        let json = Json::parse(text.as_bytes()).unwrap();
        let (read_source, read_id, read) = read_settlements(&json, &named).unwrap();
        prop_assert_eq!((read_source, read_id), (&source[..], &request_id[..]));
        prop_assert_eq!(read.len(), parts.len());
        for (read, written) in read.iter().zip(&parts) {
            prop_assert_eq!(read.lease, written.lease);
            prop_assert_eq!(&read.verdict, &written.verdict);
            prop_assert_eq!(read.attempts, written.attempts);
            let [read, written] = [read, written].map(|one| {
                one.follow_up.as_ref().map(|(call, subject)| (exposed(call), subject.clone()))
            });
            prop_assert_eq!(read, written);
        }
    }

    #[test]
    fn keys_and_queries_are_read_as_they_were_written(
        keys in prop::collection::vec(key(), 0..4),
        state in of(prop::sample::select(vec![State::Done, State::Pending, State::Attention])),
        most: u32,
    ) {
        let text = write_keys(&keys);
        prop_assert_eq!(&read_keys(&Json::parse(text.as_bytes()).unwrap()).unwrap(), &keys);
        let text = write_query(state, keys.first(), most);
        let read = read_query(&Json::parse(text.as_bytes()).unwrap()).unwrap();
        prop_assert_eq!(read, (state, keys.first().cloned(), most));
    }

    #[test]
    fn what_the_other_side_never_writes_is_refused_without_a_panic(text: String, cut in 0usize..200) {
        let (received_at, parts) = (START, Vec::new());
        let arrival = Arrival { source: &text, request_id: "r", received_at, inline: 6, parts };
        let mut written = write_arrival(&arrival);
        written.truncate(written.floor_char_boundary(cut));
        for text in [text.as_bytes(), written.as_bytes()] {
            let Ok(json) = Json::parse(text) else { continue };
            let _ = read_arrival(&json, &named);
            let _ = read_accepted(&json);
            let _ = read_settlements(&json, &named);
            let _ = read_query(&json);
            let _ = read_records(&json);
            let _ = read_keys(&json);
        }
    }
}

#[test]
fn a_call_that_the_account_does_not_make_is_garbled() {
    let text = r#"["s","r",[["unknown","k1:0",["email","a@example.com"],null,null]]]"#;
    let json = Json::parse(text.as_bytes()).unwrap();
    assert_eq!(read_arrival(&json, &named).err(), Some(Garbled));
}
