//! What an operator sees and does.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::reading::Bindings;
use super::record::{self, COLUMNS, Record};
use super::schema::{ATTENTION, FINAL};
use super::unsendable::Unsendable;
use super::{Lane, Result};
use crate::delivery::breaker::{Breaker, Leave};
use crate::delivery::database::{Database, Row, Value};
use crate::delivery::directory::Orphaned;
use crate::delivery::jurisdiction::Jurisdiction;
use crate::delivery::wire::List;
use crate::receipt::{State, Timestamp, millis};

/// Where an erasure stands in a list, newest first: when it came, its source, its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// When its first webhook came in.
    #[serde(with = "millis")]
    pub received_at: Timestamp,
    /// The source that sent it.
    pub source: String,
    /// The platform's id.
    pub request_id: String,
}

impl Key {
    /// An erasure whose place in a list does not matter.
    pub fn of(source: &str, request_id: &str) -> Self {
        let received_at = Timestamp::default();
        Self { received_at, source: source.to_owned(), request_id: request_id.to_owned() }
    }

    /// A row of its three columns.
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            received_at: Timestamp(row.integer(0)?),
            source: row.text(1)?.to_owned(),
            request_id: row.text(2)?.to_owned(),
        })
    }
}

/// Whether a lane makes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum BreakerState {
    /// Calls flow.
    Closed,
    /// The vendor asked for a pause.
    Resting,
    /// The vendor fails: calls go one at a time.
    Probing,
    /// A person must correct something.
    Blocked,
}

impl BreakerState {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A lane at a glance.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// The account.
    pub vendor: String,
    /// Which of the account's lanes, counted from zero. The lane does not know it: whoever opened it
    /// does, and so with the next two.
    pub shard: u32,
    /// Where the lane is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<Jurisdiction>,
    /// Why the configuration does not name the lane; it makes no call then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphaned: Option<Orphaned>,
    /// Deliveries that are not final.
    pub waiting: i64,
    /// Erasures of which something waits although they should have been answered by now. The lane does
    /// not know how long each source has: whoever opened it does, by [`Lane::overdue`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overdue: i64,
    /// When the oldest of them came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_received_at: Option<Timestamp>,
    /// When the lane does something next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Whether it makes calls.
    pub breaker: BreakerState,
    /// Failures in a row.
    pub failures: u32,
    /// What a person must correct.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when calls have gone one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// For how many whole hours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open_hours: i64,
    /// Of the deliveries that came first and last, those whose identifiers were sealed with a key that
    /// is not configured. They can be sent once it is, as `PSEUDONYM_KEY_PREVIOUS`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: i64,
    /// No call is made before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests_until: Option<Timestamp>,
    /// Rows written since the object was started, index entries included: what Cloudflare bills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_written: Option<u64>,
    /// What waits for a call that the account cannot make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsendable: Vec<Unsendable>,
    /// How fast each call may be made.
    pub pace: Vec<PaceStatus>,
}

/// How many ids are read at once.
const IDS: u32 = 500;

/// How many deliveries at either end of what waits are looked at for their key.
const SAMPLE: u32 = 500;

fn hours(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs() / 3600).unwrap_or(i64::MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// One call's pace.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaceStatus {
    /// The call.
    pub call: Cow<'static, str>,
    /// At most so many calls …
    pub calls: u32,
    /// … within any window of this length.
    pub per_seconds: u32,
    /// About how many were made in the window that ends now, since the object was started.
    pub used: u32,
}

impl<D: Database> Lane<D> {
    /// The lane at a glance.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn status(&self, now: Timestamp) -> Result<Status> {
        const COUNT: &str = "SELECT (SELECT COUNT(*) FROM delivery WHERE due_at IS NOT NULL)
            + (SELECT COUNT(*) FROM delivery WHERE lease_until IS NOT NULL)";
        const OLDEST: &str = "SELECT MIN(received_at) FROM
            (SELECT MIN(received_at) AS received_at FROM delivery WHERE due_at IS NOT NULL
             UNION ALL
             SELECT MIN(received_at) FROM delivery INDEXED BY leased
             WHERE lease_until IS NOT NULL)";
        let rows = self.database.query(COUNT, &[])?;
        let waiting = rows.first().map_or(Ok(0), |row| row.integer(0))?;
        let oldest = self.time(OLDEST, &[])?;
        let Breaker { failures, blocked, opened_at, .. } = &self.breaker;
        let rests_until = self.breaker.rests_until();
        let breaker = match (blocked, opened_at, self.breaker.leave(now)) {
            (Some(_), ..) => BreakerState::Blocked,
            (None, Some(_), _) => BreakerState::Probing,
            (None, None, Leave::RestUntil(_)) => BreakerState::Resting,
            (None, None, _) => BreakerState::Closed,
        };
        let pace = self.calls.iter().map(|call| PaceStatus {
            call: call.name.into(),
            calls: call.pace.calls,
            per_seconds: call.pace.per_seconds,
            used: call.used(now),
        });
        Ok(Status {
            vendor: self.account.clone(),
            shard: 0,
            jurisdiction: None,
            orphaned: None,
            waiting,
            overdue: 0,
            oldest_received_at: oldest,
            next_attempt_at: if waiting > 0 { self.wake()? } else { None },
            breaker,
            failures: *failures,
            reason: blocked.as_deref().map(str::to_owned),
            opened_at: *opened_at,
            open_hours: opened_at.map_or(0, |at| hours(now.since(at))),
            unreadable: self.unreadable()?,
            rests_until: (rests_until > now).then_some(rests_until),
            rows_written: self.database.rows_written(),
            unsendable: self.unsendable()?,
            pace: pace.collect(),
        })
    }

    /// How many erasures of a source came by `latest` and have something that waits for its next
    /// attempt; 1,000 where there are more.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn overdue(&self, source: &str, latest: Timestamp) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM (SELECT DISTINCT received_at, request_id
            FROM delivery INDEXED BY waiting
            WHERE due_at IS NOT NULL AND received_at <= ? AND source = ? LIMIT 1000)";
        let rows = self.database.query(COUNT, &[latest.0.into(), source.into()])?;
        rows.first().map_or(Ok(0), |row| row.integer(0))
    }

    /// Counts what is sealed with an unknown key, of a sample of what waits.
    fn unreadable(&self) -> Result<i64> {
        let sample = |order| {
            format!(
                "SELECT * FROM (SELECT source, request_id, slot, person FROM delivery
                 INDEXED BY waiting WHERE due_at IS NOT NULL
                 ORDER BY received_at {order} LIMIT {SAMPLE})"
            )
        };
        let statement = format!(
            "SELECT COUNT(*) FROM ({} UNION {}) WHERE substr(person, 5, 1) = '.'
             AND substr(person, 1, 5) NOT IN (?, ?)",
            sample("ASC"),
            sample("DESC")
        );
        let rows = self.database.query(&statement, &self.seal.prefixes().map(Value::from))?;
        rows.first().map_or(Ok(0), |row| row.integer(0))
    }

    /// At most `most` erasures that came before `before`, newest first. With a `state`, those that
    /// may be in it as far as this lane knows.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn list(&self, state: Option<State>, before: Option<&Key>, most: u32) -> Result<Vec<Key>> {
        let (after, limit) = (before.cloned(), most);
        self.list_of(&List { state, after, limit, ..List::default() })
    }

    /// The same of one source and of a period.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn list_of(&self, list: &List) -> Result<Vec<Key>> {
        let blocked = self.breaker.blocked.is_some() || self.has_unsendable()?;
        // Each of these has an index that is in the order of the list, but for the few rows that are
        // leased.
        let waiting = "INDEXED BY waiting WHERE due_at IS NOT NULL";
        let leased = "INDEXED BY leased WHERE lease_until IS NOT NULL";
        let ended = format!("INDEXED BY ended WHERE {FINAL}");
        let done =
            format!("{ended} AND outcome IN ('accepted', 'already_absent', 'not_applicable')");
        let attention = format!("INDEXED BY attention WHERE {ATTENTION}");
        let discarded = format!("{attention} AND outcome = 'discarded'");
        let attention = format!("{attention} AND outcome NOT IN ('discarded', 'not_applicable')");
        let parts: &[&str] = match list.state {
            None => &[&ended, waiting, leased],
            Some(State::Done) => &[&done],
            Some(State::Pending) => &[waiting, leased],
            Some(State::Discarded) => &[&discarded],
            Some(State::Acknowledged) => {
                &["INDEXED BY acknowledged WHERE acknowledged_at IS NOT NULL"]
            }
            Some(State::Attention) if blocked => &[&attention, waiting, leased],
            Some(State::Attention) => &[&attention],
        };
        let mut bindings = Bindings::default();
        let (bounds, most) = (bindings.newest_first(list), bindings.add(list.limit));
        let mut statement = String::new();
        for part in parts {
            let union = if statement.is_empty() { "" } else { " UNION " };
            statement.push_str(&format!(
                "{union}SELECT * FROM (SELECT DISTINCT received_at, source, request_id
                 FROM delivery {part} AND {bounds}
                 ORDER BY received_at DESC, source DESC, request_id DESC LIMIT {most})"
            ));
        }
        statement.push_str(&format!(" ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT {most}"));
        let rows = self.database.query(&statement, &bindings.0)?;
        rows.iter().map(Key::read).collect()
    }

    /// The first id of a source's erasures for which `is_it` holds. Every id of the source is looked at.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn find_id(&self, source: &str, is_it: impl Fn(&str) -> bool) -> Result<Option<String>> {
        let statement = "SELECT DISTINCT request_id FROM delivery
            WHERE source = ? AND request_id > ? ORDER BY request_id LIMIT ?";
        let mut last = String::new();
        loop {
            let bindings = [source.into(), last.as_str().into(), IDS.into()];
            let rows = self.database.query(statement, &bindings)?;
            for row in &rows {
                if is_it(row.text(0)?) {
                    return row.text(0).map(|id| Some(id.to_owned()));
                }
            }
            let Some(row) = rows.last() else { return Ok(None) };
            row.text(0)?.clone_into(&mut last);
        }
    }

    /// Ends what waits of an erasure, is under way, or could be replayed: everything whose identifiers
    /// are stored. They are erased. Returns the rows that were ended. Of a call that is under way,
    /// only the vendor's confirmation counts from now on.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn discard(
        &mut self,
        source: &str,
        request_id: &str,
        note: &str,
        now: Timestamp,
    ) -> Result<Vec<Record>> {
        self.discard_from(source, request_id, 0, note, now)
    }

    /// The same for the rows from this position on.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn discard_from(
        &mut self,
        source: &str,
        request_id: &str,
        position: i64,
        note: &str,
        now: Timestamp,
    ) -> Result<Vec<Record>> {
        let which = "source = ? AND request_id = ? AND position >= ? AND person IS NOT NULL";
        self.end(which, &[source.into(), request_id.into(), position.into()], note, now)
    }

    /// Ends the rows of the condition `which`, which takes `bindings`.
    pub(super) fn end(
        &mut self,
        which: &str,
        bindings: &[Value],
        note: &str,
        now: Timestamp,
    ) -> Result<Vec<Record>> {
        let statement = format!(
            "UPDATE delivery SET outcome = 'discarded', detail = ?, updated_at = ?, person = NULL,
                due_at = NULL, lease_until = NULL, lease = lease + 1, acknowledged_at = NULL,
                acknowledged_note = NULL
             WHERE {which} RETURNING {COLUMNS}"
        );
        let mut all: Vec<Value> = vec![note.into(), now.0.into()];
        all.extend_from_slice(bindings);
        let rows = self.database.query(&statement, &all)?;
        self.find_due()?;
        rows.iter().map(record::read).collect()
    }
}
