//! The query of `GET /erasures?state=&vendor=&before=&limit=`.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

use crate::delivery::lane::{Key, Record};
use crate::json;
use crate::receipt::{State, Timestamp, millis};

/// The default number of erasures on a page.
const DEFAULT_LIMIT: u32 = 50;

/// The maximum number of erasures on a page.
const MAX_LIMIT: u32 = 200;

/// A query for erasures, newest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those with a delivery of this account.
    pub vendor: Option<String>,
    /// Only those after this one in the list.
    pub before: Option<Key>,
    /// The number of erasures on a page.
    pub limit: u32,
}

impl Query {
    /// Reads the query of a URL, the part after `?`.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the query.
    pub fn parse(query: &str) -> Result<Self, &'static str> {
        let mut parsed = Self { state: None, vendor: None, before: None, limit: DEFAULT_LIMIT };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                _ if value.is_empty() => {}
                "state" => {
                    let state = State::parse(&value);
                    parsed.state =
                        Some(state.ok_or("state must be done, discarded, pending or attention")?);
                }
                "vendor" => parsed.vendor = Some(value.into_owned()),
                "before" => {
                    let key = parse_cursor(&value);
                    parsed.before = Some(key.ok_or("before must be the next of an earlier page")?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    parsed.limit = limit.ok_or("limit must be a number from 1 to 200")?;
                }
                _ => return Err("the query may name state, vendor, before and limit"),
            }
        }
        Ok(parsed)
    }

    /// Whether a delivery is in the state that is asked for.
    pub fn is_about(&self, record: &Record) -> bool {
        match self.state {
            None => true,
            Some(State::Pending) => record.due_at.is_some(),
            Some(state) => record.outcome.state() == state,
        }
    }

    /// The `before` of the page that follows `key`.
    pub fn cursor(key: &Key) -> String {
        let Key { received_at, source, request_id } = key;
        let cursor = Cursor(*received_at, source.clone(), request_id.clone());
        Base64UrlUnpadded::encode_string(json::to_string(&cursor).as_bytes())
    }
}

/// The position of an erasure in the list: JSON in base64url, opaque to the caller.
#[derive(Serialize, Deserialize)]
struct Cursor(#[serde(with = "millis")] Timestamp, String, String);

fn parse_cursor(text: &str) -> Option<Key> {
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    let Cursor(received_at, source, request_id) = serde_json::from_slice(&bytes).ok()?;
    Some(Key { received_at, source, request_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_invalid_parameters_are_rejected() {
        let query = Query::parse("state=attention&vendor=insider&before=&limit=7").unwrap();
        assert_eq!((query.state, query.limit), (Some(State::Attention), 7));
        assert_eq!((query.vendor.as_deref(), query.before), (Some("insider"), None));
        assert_eq!(Query::parse("").unwrap().limit, DEFAULT_LIMIT);
        for wrong in
            ["state=odd", "before=W10", "limit=0", "limit=201", "limit=x", "before=x", "other=1"]
        {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_is_a_position() {
        let (source, request_id) = ("consent".to_owned(), "é/?&=".to_owned());
        let key = Key { received_at: Timestamp(1_795_325_400_123), source, request_id };
        let query = format!("before={}", Query::cursor(&key));
        assert_eq!(Query::parse(&query).unwrap().before, Some(key));
    }
}
