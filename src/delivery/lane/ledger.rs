//! The ledger: what has arrived, each delivery once.

use std::time::Duration;

use super::record::{self, COLUMNS, Record};
use super::{Accepted, Arrival, Claim, Lane, Lease, Part, Result, place};
use crate::delivery::database::{Database, StorageError, Value};
use crate::pseudonym::Pseudonym;
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::Call;

/// Where an arrival is stored.
#[derive(Clone, Copy)]
pub(super) struct Erasure<'a> {
    pub(super) source: &'a str,
    pub(super) request_id: &'a str,
    received_at: Timestamp,
}

/// What a row begins as.
pub(super) struct Entry {
    slot: String,
    call: Option<&'static str>,
    identifier: Option<String>,
    subject: Option<String>,
    names: Option<String>,
    person: Option<String>,
    outcome: Outcome,
    detail: Option<&'static str>,
    lease: i64,
    lease_until: Option<Timestamp>,
    due_at: Option<Timestamp>,
}

/// How many calls one erasure may have at an account; what comes beyond is shown in its receipt, and
/// not sent.
const MOST_CALLS: u32 = 500;

/// How many rows one erasure may have, with those that cannot be sent.
pub(super) const MOST_ROWS: u32 = 600;

impl Entry {
    /// What cannot be sent: `identifier` is its kind and its pseudonym, where the request has one.
    pub(super) fn unusable(
        slot: String,
        identifier: Option<(String, String)>,
        (outcome, detail): (Outcome, &'static str),
    ) -> Self {
        let (identifier, subject) = identifier.unzip();
        Self {
            slot,
            call: None,
            identifier,
            subject,
            names: None,
            person: None,
            outcome,
            detail: Some(detail),
            lease: 0,
            lease_until: None,
            due_at: None,
        }
    }
}

/// The slot of the row of `call` for the identifier of this pseudonym.
fn slot(call: &Call, stored: &str) -> String {
    format!("{}:{stored}", call.name)
}

impl<D: Database> Lane<D> {
    /// Stores what is new of an arrival, and claims what may be sent at once: at most `room` calls.
    /// What is known already stays as it is, so the same webhook may come as often as it likes.
    /// Nothing is sent at once while something else is due: it waits for its turn.
    ///
    /// # Errors
    /// [`StorageError`]; then nothing may be acknowledged.
    pub fn accept(
        &mut self,
        arrival: Arrival<'_>,
        room: usize,
        now: Timestamp,
    ) -> Result<Accepted> {
        self.correct_clock(now);
        let Arrival { source, request_id, received_at, repeat_after, parts } = arrival;
        let erasure = Erasure { source, request_id, received_at };
        if let Some(repeat_after) = repeat_after {
            self.end_repetition(erasure, repeat_after)?;
        }
        let mut accepted = Accepted { records: Vec::new(), claims: Vec::new(), wake_by: None };
        // Of a new erasure all rows are stored here, and need not be read again.
        let mut all_new = true;
        for part in parts {
            let stored = match part {
                Part::Call { call, subject, alternatives } => {
                    let has_room = accepted.claims.len() < room;
                    let names = std::iter::once(subject).chain(alternatives).collect();
                    self.accept_call(erasure, call, names, has_room, now, &mut accepted)?
                }
                Part::Unusable { identifier, detail, outcome } => {
                    self.store_unusable(erasure, identifier, (outcome, detail), now)?
                }
            };
            let next = i64::try_from(accepted.records.len()).unwrap_or(i64::MAX);
            match stored {
                Some(record) if record.position == next => accepted.records.push(record),
                _ => all_new = false,
            }
        }
        if !all_new {
            accepted.records = self.find(source, request_id)?;
            self.drop_nothing(erasure, &mut accepted.records)?;
        }
        Ok(accepted)
    }

    /// What is known of an erasure, in the order of its arrival; empty where nothing is.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn find(&self, source: &str, request_id: &str) -> Result<Vec<Record>> {
        let statement = format!(
            "SELECT {COLUMNS} FROM delivery WHERE source = ? AND request_id = ? ORDER BY position"
        );
        let rows = self.database.query(&statement, &[source.into(), request_id.into()])?;
        rows.iter().map(|row| Ok(self.shown(record::read(row)?))).collect()
    }

    /// Stores one call of an arrival, and claims it where it may be made at once. `None` where it
    /// is known.
    fn accept_call(
        &mut self,
        erasure: Erasure<'_>,
        call: Call,
        names: Vec<Pseudonym>,
        has_room: bool,
        now: Timestamp,
        accepted: &mut Accepted,
    ) -> Result<Option<Record>> {
        let Some((call, names)) = self.new_names(erasure, call, names)? else { return Ok(None) };
        let Some(subject) = names.first() else { return Ok(None) };
        let slot = slot(&call, &subject.stored);
        let at_once = has_room && self.may_send_at_once(call.name, now);
        let sealed = self.seal(&call, &place(erasure.source, erasure.request_id, &slot))?;
        let lease_until = now.after(self.policy.lease);
        let stored: Vec<&str> = names.iter().map(|name| name.stored.as_str()).collect();
        let excess = slot.clone();
        let entry = Entry {
            slot,
            call: Some(call.name),
            identifier: Some(call.identifier.kind().to_string()),
            subject: Some(subject.shown.clone()),
            names: Some(stored.join(" ")),
            person: Some(sealed),
            outcome: Outcome::Scheduled,
            detail: None,
            lease: i64::from(at_once),
            lease_until: at_once.then_some(lease_until),
            due_at: (!at_once).then_some(now),
        };
        let Some(stored) = self.insert(erasure, entry, MOST_CALLS, now)? else {
            return self.note_excess(erasure, &excess, now);
        };
        let mut wake_by = lease_until;
        if at_once {
            self.count_call(call.name, now)?;
            accepted.claims.push(Claim {
                call,
                record: stored.clone(),
                claimed_at: now,
                lease: Lease {
                    number: 1,
                    until: lease_until,
                    failures: 0,
                    deadline_at: now.after(self.policy.retry.deadline),
                    is_alone: false,
                },
            });
        } else {
            self.add_due(call.name, now);
            let ready = self.paced(call.name).map_or(now, |paced| paced.ready_at());
            wake_by = now.max(ready).max(self.breaker.rests_until());
        }
        accepted.wake_by = Some(accepted.wake_by.map_or(wake_by, |first| first.min(wake_by)));
        Ok(Some(stored.behind(&self.breaker)))
    }

    /// Whether a new row of `call` may be sent before anything that waits.
    fn may_send_at_once(&self, call: &str, now: Timestamp) -> bool {
        let mut calls = self.calls.iter();
        let paced = calls.find(|paced| paced.name == call);
        self.is_free(now) && paced.is_some_and(|paced| !paced.has_due(now) && paced.is_ready(now))
    }

    /// Where an erasure with a derived id has ended long ago, the same message is a new request: the
    /// earlier one keeps its receipt, under an id with its time.
    fn end_repetition(&self, erasure: Erasure<'_>, repeat_after: Duration) -> Result<()> {
        const STATEMENT: &str = "UPDATE delivery
            SET request_id = request_id || '~' || received_at, person = NULL
            WHERE source = ?1 AND request_id = ?2 AND received_at <= ?3
            AND NOT EXISTS (SELECT 1 FROM delivery WHERE source = ?1 AND request_id = ?2
                AND (due_at IS NOT NULL OR lease_until IS NOT NULL))";
        let Erasure { source, request_id, received_at } = erasure;
        let before = received_at.0.saturating_sub(Timestamp(0).after(repeat_after).0);
        let bindings = [source.into(), request_id.into(), before.into()];
        self.database.query(STATEMENT, &bindings).map(drop)
    }

    /// Inserts a row; `None` where the row is there already, or the erasure has `most` rows. All rows
    /// of an erasure bear the time of its first webhook.
    pub(super) fn insert(
        &self,
        erasure: Erasure<'_>,
        entry: Entry,
        most: u32,
        now: Timestamp,
    ) -> Result<Option<Record>> {
        const STATEMENT: &str = "INSERT INTO delivery
            (source, request_id, slot, position, received_at, call, identifier, subject, names,
             person, outcome, attempts, detail, updated_at, failures, deadline_at, lease,
             lease_until, due_at)
            SELECT ?1, ?2, ?3, COALESCE(MAX(position) + 1, 0), COALESCE(MIN(received_at), ?4),
                ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12, 0, ?13, ?14, ?15, ?16
            FROM delivery WHERE source = ?1 AND request_id = ?2 HAVING COUNT(*) < ?17
            ON CONFLICT DO NOTHING RETURNING position, received_at";
        let Erasure { source, request_id, received_at } = erasure;
        let bindings: [Value; 17] = [
            source.into(),
            request_id.into(),
            entry.slot.as_str().into(),
            received_at.0.into(),
            entry.call.into(),
            entry.identifier.as_deref().into(),
            entry.subject.as_deref().into(),
            entry.names.as_deref().into(),
            entry.person.as_deref().into(),
            entry.outcome.name().into(),
            entry.detail.into(),
            now.0.into(),
            now.after(self.policy.retry.deadline).0.into(),
            entry.lease.into(),
            entry.lease_until.map(|until| until.0).into(),
            entry.due_at.map(|due| due.0).into(),
            most.into(),
        ];
        let rows = self.database.query(STATEMENT, &bindings)?;
        let row = match &rows[..] {
            [] => return Ok(None),
            [row] => row,
            _ => return Err(StorageError::Corrupt),
        };
        Ok(Some(Record {
            source: source.to_owned(),
            request_id: request_id.to_owned(),
            slot: entry.slot,
            position: row.integer(0)?,
            received_at: Timestamp(row.integer(1)?),
            call: entry.call.map(Into::into),
            identifier: entry.identifier,
            subject: entry.subject,
            outcome: entry.outcome,
            status: None,
            attempts: 0,
            detail: entry.detail.map(Into::into),
            trace: None,
            updated_at: now,
            due_at: entry.due_at.or(entry.lease_until),
            acknowledged: None,
            history: Vec::new(),
        }))
    }
}
