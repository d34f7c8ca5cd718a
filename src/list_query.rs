//! What an operator asks a list for: `GET /erasures?state=&vendor=&before=&limit=`.

use base64ct::{Base64UrlUnpadded, Encoding};
use percent_encoding::percent_decode_str;

use crate::delivery::lane::{Key, Record};
use crate::delivery::wire;
use crate::json::Json;
use crate::receipt::State;

/// Erasures on one page, where the query does not say.
const DEFAULT_LIMIT: u32 = 50;

/// Erasures on one page, at most.
const MAX_LIMIT: u32 = 200;

/// A query for erasures, newest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those that this account has a delivery of.
    pub vendor: Option<String>,
    /// Only those that stand after this one.
    pub before: Option<Key>,
    /// At most so many.
    pub limit: u32,
}

impl Query {
    /// Reads the part of a URL after its `?`.
    ///
    /// # Errors
    /// What is wrong with it. The text repeats nothing of the query.
    pub fn parse(query: &str) -> Result<Self, &'static str> {
        let mut parsed = Self { state: None, vendor: None, before: None, limit: DEFAULT_LIMIT };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            match name {
                _ if value.is_empty() => {}
                "state" => {
                    let state = State::parse(&value);
                    parsed.state = Some(state.ok_or("state must be done, pending or attention")?);
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

    /// Whether a delivery is why its erasure is in the list.
    pub fn is_about(&self, record: &Record) -> bool {
        match self.state {
            None => true,
            Some(State::Pending) => record.due_at.is_some(),
            Some(state) => record.outcome.state() == state,
        }
    }

    /// The `before` that goes on after `key`.
    pub fn cursor(key: &Key) -> String {
        Base64UrlUnpadded::encode_string(wire::write_keys(std::slice::from_ref(key)).as_bytes())
    }
}

fn parse_cursor(text: &str) -> Option<Key> {
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    let json = Json::parse(&bytes).ok()?;
    wire::read_keys(&json).ok()?.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Timestamp;

    #[test]
    fn reads_what_it_knows_and_refuses_the_rest() {
        let query = Query::parse("state=attention&vendor=insider&before=&limit=7").unwrap();
        assert_eq!((query.state, query.limit), (Some(State::Attention), 7));
        assert_eq!((query.vendor.as_deref(), query.before), (Some("insider"), None));
        assert_eq!(Query::parse("").unwrap().limit, DEFAULT_LIMIT);
        for wrong in ["state=odd", "limit=0", "limit=201", "limit=x", "before=x", "other=1"] {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_names_its_place() {
        let (source, request_id) = ("consent".to_owned(), "é/?&=".to_owned());
        let key = Key { received_at: Timestamp(1_795_325_400_123), source, request_id };
        let query = format!("before={}", Query::cursor(&key));
        assert_eq!(Query::parse(&query).unwrap().before, Some(key));
    }
}
