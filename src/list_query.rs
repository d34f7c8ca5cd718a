//! The query of `GET /erasures?source=&state=&vendor=&from=&to=&overdue=&due_within_days=&before=&limit=`.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};

use crate::delivery::lane::{Key, Record};
use crate::json;
use crate::period::{self, Period};
use crate::receipt::{State, Timestamp, millis};

/// The default number of erasures on a page.
const DEFAULT_LIMIT: u32 = 50;

/// The maximum number of erasures on a page.
const MAX_LIMIT: u32 = 200;

/// The maximum of `due_within_days`: no request has longer to be answered.
const MAX_DAYS: u32 = 365;

/// What `state` may be.
const STATES: &str = "state must be done, discarded, acknowledged, pending or attention";

const DAY: Duration = Duration::from_secs(86_400);

/// A query for erasures, newest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// Only those of this source.
    pub source: Option<String>,
    /// Only those that came in this period.
    pub period: Period,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those with a delivery of this account.
    pub vendor: Option<String>,
    /// Only those that are not done, discarded or closed, and must be answered within this time; zero
    /// for those that are overdue.
    pub due_within: Option<Duration>,
    /// Only those after this one in the list.
    pub before: Option<Key>,
    /// The number of erasures on a page.
    pub limit: u32,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            source: None,
            period: Period::default(),
            state: None,
            vendor: None,
            due_within: None,
            before: None,
            limit: DEFAULT_LIMIT,
        }
    }
}

impl Query {
    /// Reads the query of a URL, the part after `?`.
    ///
    /// # Errors
    /// What is wrong with it. The message repeats nothing of the query.
    pub fn parse(query: &str) -> Result<Self, String> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !parsed.set(&name, &value)? {
                return Err("the query may name source, from, to, state, vendor, overdue, \
                     due_within_days, before and limit"
                    .to_owned());
            }
        }
        parsed.check_period()
    }

    /// Takes in one parameter, `value` as a URL has it; `false` where it has another name. An empty value
    /// is none.
    ///
    /// # Errors
    /// What is wrong with the value. The message does not repeat it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let bound = |name: &str| format!("{name} {}", period::EXPECTED);
        match name {
            "source" | "from" | "to" | "state" | "vendor" | "overdue" | "due_within_days"
            | "before" | "limit"
                if value.is_empty() => {}
            "source" => self.source = Some(value.to_owned()),
            "from" => self.period = self.period.beginning(value).ok_or_else(|| bound("from"))?,
            "to" => self.period = self.period.ending(value).ok_or_else(|| bound("to"))?,
            "state" => {
                let state = State::parse(value);
                self.state = Some(state.ok_or(STATES)?);
            }
            "overdue" if value == "true" => self.narrow(Duration::ZERO),
            "overdue" => return Err("overdue must be true".to_owned()),
            "due_within_days" => {
                let days = value.parse().ok().filter(|days| *days <= MAX_DAYS);
                let days: u32 = days.ok_or("due_within_days must be a number from 0 to 365")?;
                self.narrow(DAY.saturating_mul(days));
            }
            "vendor" => self.vendor = Some(value.to_owned()),
            "before" => {
                let key = parse_cursor(value);
                self.before = Some(key.ok_or("before must be the next of an earlier page")?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                self.limit = limit.ok_or("limit must be a number from 1 to 200")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether its period can hold anything.
    ///
    /// # Errors
    /// Where it ends before it begins.
    pub fn check_period(self) -> Result<Self, String> {
        if self.period.is_empty() { Err(period::ENDS_EARLY.to_owned()) } else { Ok(self) }
    }

    /// Of two times to be answered within, the shorter one counts.
    fn narrow(&mut self, within: Duration) {
        self.due_within = Some(self.due_within.map_or(within, |known| known.min(within)));
    }

    /// The states of deliveries that each lane lists.
    pub fn states(&self) -> Vec<Option<State>> {
        if self.state.is_none() && self.due_within.is_some() {
            return vec![Some(State::Pending), Some(State::Attention)];
        }
        vec![self.state]
    }

    /// After which position the lanes' lists begin. What came later than this need not be looked at
    /// for what is due: no source has less time to answer than `shortest`.
    pub fn start(&self, shortest: Duration, now: Timestamp) -> Option<Key> {
        let due = self.due_within.map(|within| {
            let latest = now.after(within).before(shortest);
            Timestamp(latest.0.saturating_add(1))
        });
        let first = |received_at| Key { received_at, ..Key::of("", "") };
        let ends = [due, self.period.until].into_iter().flatten().map(first);
        ends.chain(self.before.clone()).min()
    }

    /// Whether an erasure in this state, which must be answered by `due_by`, is asked for; `None` where
    /// its source is not configured any more.
    pub fn is_due(&self, state: State, due_by: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(within) = self.due_within else { return true };
        !state.is_over() && due_by.is_some_and(|due_by| due_by <= now.after(within))
    }

    /// Whether a delivery came in the period and is in the state that is asked for.
    pub fn is_about(&self, record: &Record) -> bool {
        let is_open = record.due_at.is_some() || !record.state().is_over();
        if !self.period.contains(record.received_at) {
            return false;
        }
        match self.state {
            None => self.due_within.is_none() || is_open,
            Some(State::Pending) => record.due_at.is_some(),
            Some(state) => record.state() == state,
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

impl Query {
    /// The position that a `before` names.
    pub fn position(before: &str) -> Option<Key> {
        parse_cursor(before)
    }
}

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
        let query = Query::parse("source=consent&from=2026-01-01&to=2026-01-31&state=").unwrap();
        assert_eq!((query.source.as_deref(), query.state), (Some("consent"), None));
        let days =
            (Timestamp::parse("2026-01-01T00:00:00Z"), Timestamp::parse("2026-02-01T00:00:00Z"));
        assert_eq!((query.period.from, query.period.until), days);
        for wrong in [
            "state=odd",
            "before=W10",
            "limit=0",
            "limit=201",
            "limit=x",
            "before=x",
            "other=1",
            "overdue=false",
            "overdue=1",
            "due_within_days=366",
            "due_within_days=-1",
            "due_within_days=x",
            "from=yesterday",
            "to=2026-02-30",
        ] {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_due_is_open_and_came_long_enough_ago() {
        let parse = |query: &str| Query::parse(query).unwrap();
        assert_eq!(parse("overdue=true").due_within, Some(Duration::ZERO));
        assert_eq!(parse("due_within_days=5").due_within, Some(DAY * 5));
        assert_eq!(parse("due_within_days=5&overdue=true").due_within, Some(Duration::ZERO));
        assert_eq!(parse("overdue=").due_within, None);
        let now = Timestamp(1_795_325_400_123);
        let query = parse("due_within_days=5");
        let by = Some(now.after(DAY * 5));
        for state in [State::Pending, State::Attention] {
            assert!(query.is_due(state, by, now));
            assert!(query.is_due(state, Some(Timestamp(0)), now), "overdue");
            assert!(!query.is_due(state, by.map(|by| Timestamp(by.0 + 1)), now));
            assert!(!query.is_due(state, None, now));
            assert!(parse("").is_due(state, None, now));
        }
        for state in [State::Done, State::Discarded] {
            assert!(!query.is_due(state, by, now));
        }
    }

    #[test]
    fn a_list_of_what_is_due_begins_where_the_first_may_be() {
        let now = Timestamp(1_795_325_400_123);
        let shortest = DAY * 30;
        let key = |received_at: Timestamp| Key { received_at, ..Key::of("consent", "r") };
        let due_last = key(now.before(DAY * 25));
        let query = Query::parse("due_within_days=5").unwrap();
        let start = query.start(shortest, now).unwrap();
        assert!(due_last < start && start < key(Timestamp(due_last.received_at.0 + 1)));
        for before in [key(Timestamp(7)), key(now)] {
            let query = Query { before: Some(before.clone()), ..Query::parse("").unwrap() };
            assert_eq!(query.start(shortest, now), Some(before.clone()));
            let query = Query { due_within: Some(DAY * 5), ..query };
            assert_eq!(query.start(shortest, now), Some(before.min(start.clone())));
        }
        assert_eq!(Query::parse("").unwrap().start(shortest, now), None);
        let until = Timestamp(now.0 - 1);
        for query in ["", "due_within_days=30"] {
            let period = Period { from: None, until: Some(until) };
            let query = Query { period, ..Query::parse(query).unwrap() };
            let start = query.start(shortest, now).unwrap();
            assert!(key(Timestamp(until.0 - 1)) < start && start < key(until), "{query:?}");
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
