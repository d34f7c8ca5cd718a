//! What an operator looks for: the body of `POST /erasures/search`. It is a body, so that a person is in no
//! URL, which logs and browsers keep:
//!
//! ```json
//! { "subject": { "email": "sample@useinsider.com" }, "state": "attention", "limit": 20 }
//! { "request_id": "a7551968-d5d6-44b2-9831-815ac9017798" }
//! { "request_id": "k4f2a:9f2c41d07b6e" }
//! { "trace": "8c1f0a2b3c4d5e6f-SIN" }
//! ```
//!
//! `subject` is what a [webhook of the relay's own](crate::source) holds, and is read as there. Beside it
//! are the parameters of `GET /erasures`.

use crate::delivery::wire::Term;
use crate::erasure::{RequestId, Subject};
use crate::json::Json;
use crate::list_query::Query;
use crate::pseudonym::Pseudonyms;
use crate::source::standard_webhooks::subject;

/// The maximum length of the body, in bytes.
pub const MAX_BODY_BYTES: u32 = 16 * 1024;

/// How many identifiers a person may be looked for by: each is two names, one for each key, and a statement
/// of the runtime's SQL takes 100 values.
const MAX_IDENTIFIERS: usize = 20;

/// The longest id of an answer, in bytes.
const MAX_TRACE_BYTES: usize = 256;

/// A search.
#[derive(Debug)]
pub struct Search {
    /// What erasures are found by.
    pub sought: Sought,
    /// Which of them are shown.
    pub query: Query,
}

/// What erasures are found by.
#[derive(Debug)]
pub enum Sought {
    /// A person, by any of these identifiers.
    Person(Subject),
    /// The vendor's id of its answer.
    Trace(String),
    /// The platform's id, or the pseudonym that a log or an alert shows in its place.
    Request(String),
}

impl Search {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the body.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        const ONE: &str = "the body must name one of subject, trace and request_id";
        const KNOWN: &str = "the body may name subject, trace or request_id, and source, from, to, state, \
             vendor, overdue, due_within_days, before and limit";
        const TYPES: &str = "limit and due_within_days must be integers, and overdue must be true";
        let json = Json::parse(body).map_err(|wrong| format!("the body {wrong}"))?;
        let Json::Object(members) = &json else {
            return Err("the body must be a JSON object".to_owned());
        };
        let (mut query, mut sought) = (Query::default(), None);
        for (name, value) in members.iter() {
            let found = match (name, value) {
                ("subject" | "trace" | "request_id", Json::Null) => return Err(ONE.to_owned()),
                (_, Json::Null) => continue,
                ("subject", _) => {
                    let subject = subject(&json, "/subject").map_err(|wrong| wrong.to_string())?;
                    if !(1..=MAX_IDENTIFIERS).contains(&subject.identifiers().count()) {
                        return Err("/subject must name 1 to 20 identifiers".to_owned());
                    }
                    Sought::Person(subject)
                }
                ("trace", Json::Text(trace)) if (1..=MAX_TRACE_BYTES).contains(&trace.len()) => {
                    Sought::Trace(trace.trim().to_owned())
                }
                ("trace", _) => return Err("/trace must be a string of 1 to 256 bytes".to_owned()),
                ("request_id", Json::Text(id)) if RequestId::parse(id).is_some() => {
                    Sought::Request(id.clone().into_owned())
                }
                ("request_id", _) => {
                    return Err(format!("/request_id must be {}", RequestId::EXPECTED));
                }
                _ => {
                    let text = match (name, value) {
                        ("limit" | "due_within_days", Json::Integer(number)) => number.to_string(),
                        ("overdue", Json::Bool(value)) => value.to_string(),
                        ("limit" | "due_within_days" | "overdue", _) => {
                            return Err(TYPES.to_owned());
                        }
                        (_, Json::Text(text)) => text.clone().into_owned(),
                        _ => return Err(KNOWN.to_owned()),
                    };
                    if !query.set(name, &text)? {
                        return Err(KNOWN.to_owned());
                    }
                    continue;
                }
            };
            if sought.replace(found).is_some() {
                return Err(ONE.to_owned());
            }
        }
        Ok(Self { sought: sought.ok_or(ONE)?, query: query.check_period()? })
    }
}

impl Sought {
    /// As lanes are asked for it: a person by pseudonyms alone, under the present key and the previous one.
    pub fn term(self, pseudonyms: &Pseudonyms) -> Term {
        match self {
            Self::Trace(trace) => Term::Trace(trace),
            Self::Request(id) => Term::Request(id),
            Self::Person(subject) => {
                let names = subject.identifiers().map(|one| pseudonyms.of(one));
                let names = names.flat_map(|one| [Some(one.stored), one.stored_before]);
                Term::Person(names.flatten().collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::receipt::State;

    const KEY: &str = "a key of 16 bytes or more";
    const OTHER: &str = "another key of some length";

    fn parse(body: &str) -> Result<Search, String> {
        Search::parse(body.as_bytes())
    }

    fn term(body: &str, key: &str, previous: Option<&str>) -> Term {
        let previous = previous.map(Into::into);
        let pseudonyms = Pseudonyms::new(&key.into(), previous.as_ref()).unwrap();
        parse(body).unwrap().sought.term(&pseudonyms)
    }

    fn names(body: &str, key: &str, previous: Option<&str>) -> Vec<String> {
        match term(body, key, previous) {
            Term::Person(names) => names,
            _ => panic!("{body}"),
        }
    }

    #[test]
    fn a_person_is_named_as_a_webhook_names_them() {
        let plain = names(r#"{"subject":{"email":"a@example.com"}}"#, KEY, None);
        assert_eq!(plain.len(), 1);
        for same in [
            r#"{"subject":{"email":" a@example.com\n"}}"#,
            r#"{"subject":{"email":"\ufeffa@example.com\u00a0","phone_number":null}}"#,
            r#"{"subject":{"email":"a@example.com","note":[1]}}"#,
        ] {
            assert_eq!(names(same, KEY, None), plain, "{same}");
        }
        for other in [
            r#"{"subject":{"email":"b@example.com"}}"#,
            r#"{"subject":{"email":"A@example.com"}}"#,
            r#"{"subject":{"uuid":"a@example.com"}}"#,
            r#"{"subject":{"custom":{"email":"a@example.com"}}}"#,
        ] {
            assert_ne!(names(other, KEY, None), plain, "{other}");
        }
        let both = names(r#"{"subject":{"email":"a@example.com"}}"#, OTHER, Some(KEY));
        assert_eq!((both.len(), &both[1]), (2, &plain[0]), "under the previous key as well");
        let all = r#"{"subject":{"user_ids":["1","2"],"custom":{"loyalty":"3"},"uuid":"4"}}"#;
        assert_eq!(names(all, KEY, Some(OTHER)).len(), 8);
    }

    #[test]
    fn ids_are_looked_for_as_they_are() {
        let request = |id: &str| Term::Request(id.to_owned());
        assert!(term(r#"{"request_id":"r 1"}"#, KEY, None) == request("r 1"));
        let shown = r#"{"request_id":"k4f2a:9f2c41d07b6e"}"#;
        assert!(term(shown, KEY, None) == request("k4f2a:9f2c41d07b6e"));
        let trace = Term::Trace("8c1f-SIN".to_owned());
        assert!(term(r#"{"trace":" 8c1f-SIN\n"}"#, KEY, None) == trace);
    }

    #[test]
    fn what_a_list_takes_narrows_a_search() {
        let body = r#"{"trace":"t","state":"attention","source":"consent","vendor":"insider","limit":7,
            "from":"2026-01-01","to":"2026-01-31","overdue":true,"due_within_days":5}"#;
        let query = parse(body).unwrap().query;
        let same = "state=attention&source=consent&vendor=insider&limit=7&from=2026-01-01&to=2026-01-31\
            &overdue=true&due_within_days=5";
        assert_eq!(query, Query::parse(same).unwrap());
        assert_eq!(query.state, Some(State::Attention));
    }

    #[test]
    fn what_is_wrong_is_told_without_what_was_sent() {
        let many = format!(r#"{{"subject":{{"user_ids":["pii"{}]}}}}"#, r#","pii-2""#.repeat(30));
        assert!(parse(&many).is_ok(), "the same one is one");
        let ids: Vec<String> = (0..21).map(|number| format!("\"pii-{number}\"")).collect();
        let many = format!(r#"{{"subject":{{"user_ids":[{}]}}}}"#, ids.join(","));
        for body in [
            "",
            "pii",
            r#""pii""#,
            "{}",
            r#"["pii"]"#,
            r#"{"limit":7}"#,
            r#"{"subject":"pii"}"#,
            r#"{"subject":{}}"#,
            r#"{"subject":{"email":""}}"#,
            r#"{"subject":{"pii@example.com":"pii"}}"#,
            r#"{"subject":{"email":7}}"#,
            r#"{"subject":{"custom":{"pii@example.com":"pii"}}}"#,
            r#"{"subject":{"email":"pii@example.com"},"trace":"t"}"#,
            r#"{"request_id":"pii","trace":"t"}"#,
            r#"{"subject":{"email":"pii"},"subject":{"email":"pii"}}"#,
            r#"{"request_id":""}"#,
            r#"{"request_id":7}"#,
            r#"{"trace":""}"#,
            r#"{"trace":["pii"]}"#,
            r#"{"trace":"t","pii":"pii"}"#,
            r#"{"trace":"t","email":"pii"}"#,
            r#"{"trace":"t","state":"pii"}"#,
            r#"{"trace":"t","limit":"pii"}"#,
            r#"{"trace":"t","limit":{"pii":1}}"#,
            r#"{"trace":"t","overdue":false}"#,
            &many,
        ] {
            let wrong = parse(body).unwrap_err();
            assert!(!wrong.contains("pii") && !wrong.is_empty(), "{body}: {wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_a_fault(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Search::parse(&body);
        }
    }
}
