//! The ledger: what has arrived, each delivery once.

use std::time::Duration;

use super::record::{self, COLUMNS, Record};
use super::{Accepted, Arrival, Claim, Lane, Lease, Part, Result, place};
use crate::delivery::database::{Database, Row, StorageError, Value};
use crate::erasure::{Identifier, Subject};
use crate::pseudonym::Pseudonym;
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::Call;

/// Where an arrival is stored.
#[derive(Clone, Copy)]
struct Erasure<'a> {
    source: &'a str,
    request_id: &'a str,
    received_at: Timestamp,
}

/// What a row begins as.
struct Entry {
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

/// The slot of the row that says that an erasure has too many.
const EXCESS: &str = "excess";

/// How many calls one erasure may have at an account; what comes beyond is shown in its receipt, and
/// not sent.
const MOST_CALLS: u32 = 500;

/// How many rows one erasure may have, with those that cannot be sent.
const MOST_ROWS: u32 = 600;

impl Entry {
    fn unusable(slot: String, identifier: Option<String>, detail: &'static str) -> Self {
        Self {
            slot,
            call: None,
            identifier,
            subject: None,
            names: None,
            person: None,
            outcome: Outcome::InsufficientIdentification,
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

    /// What of a call must be stored as a row of its own, with its pseudonyms; `None` where that is
    /// nothing.
    ///
    /// A call that reaches a person tries the identifiers one after the other, each of them once,
    /// whichever webhook brought it. Further ones go to a row that still waits; what is under way or
    /// has ended stays as it is.
    fn new_names(
        &mut self,
        erasure: Erasure<'_>,
        call: Call,
        names: Vec<Pseudonym>,
    ) -> Result<Option<(Call, Vec<Pseudonym>)>> {
        const KNOWN: &str = "SELECT slot, names, person, due_at IS NOT NULL, call FROM delivery
            WHERE source = ? AND request_id = ? AND call IS NOT NULL";
        let reaches_person = self.reaches_person(call.name);
        let is_rotated = names.iter().any(|name| name.stored_before.is_some());
        if !reaches_person && !is_rotated {
            return Ok(Some((call, names))); // the primary key tells whether it is known
        }
        let Erasure { source, request_id, .. } = erasure;
        let known = self.database.query(KNOWN, &[source.into(), request_id.into()])?;
        let Call { name, identifier, alternatives } = call;
        let mut new = Vec::new();
        for (identifier, pseudonym) in std::iter::once(identifier).chain(alternatives).zip(names) {
            let mut is_known = false;
            for row in &known {
                // A row may make another call by now, in the place of the one that it is named after.
                let (call, stored) = row.text(0)?.split_once(':').unwrap_or_default();
                is_known |= call == name && pseudonym.is(stored);
                let names = row.optional_text(1)?.unwrap_or_default();
                is_known |= row.text(4)? == name && names.split(' ').any(|it| pseudonym.is(it));
            }
            if !is_known {
                new.push((identifier, pseudonym));
            }
        }
        for row in &known {
            let takes_names = reaches_person && row.integer(3)? == 1 && row.text(4)? == name;
            if takes_names && !new.is_empty() && self.add_names(erasure, name, row, &new)? {
                new.clear();
            }
        }
        let mut new = new.into_iter();
        let Some((identifier, subject)) = new.next() else { return Ok(None) };
        let (alternatives, others): (_, Vec<_>) = new.unzip();
        let names = std::iter::once(subject).chain(others).collect();
        Ok(Some((Call { name, identifier, alternatives }, names)))
    }

    /// Adds further identifiers to a row that waits; `false` where its own cannot be opened.
    fn add_names(
        &mut self,
        erasure: Erasure<'_>,
        name: &'static str,
        row: &Row,
        new: &[(Identifier, Pseudonym)],
    ) -> Result<bool> {
        const STATEMENT: &str = "UPDATE delivery SET names = ?, person = ?
            WHERE source = ? AND request_id = ? AND slot = ?";
        let Erasure { source, request_id, .. } = erasure;
        let slot = row.text(0)?;
        let place = place(source, request_id, slot);
        let opened = row.optional_text(2)?.map(|sealed| self.seal.open(sealed, &place));
        let Some(Ok((identifier, alternatives))) = opened else { return Ok(false) };
        let mut call = Call { name, identifier, alternatives };
        call.add_names(new.iter().map(|(identifier, _)| identifier.clone()));
        let mut names = row.optional_text(1)?.unwrap_or_default().to_owned();
        for (_, pseudonym) in new {
            names.push(' ');
            names.push_str(&pseudonym.stored);
        }
        let bindings = [
            names.into(),
            self.seal(&call, &place)?.into(),
            source.into(),
            request_id.into(),
            slot.into(),
        ];
        self.database.query(STATEMENT, &bindings)?;
        Ok(true)
    }

    /// Stores a step that cannot be sent. That the request has no identifier for the vendor is
    /// stored only where nothing is known of the erasure; otherwise there is a row for each
    /// identifier, up to a number that no single request exceeds.
    fn store_unusable(
        &mut self,
        erasure: Erasure<'_>,
        identifier: Option<(String, Pseudonym)>,
        (outcome, detail): (Outcome, &'static str),
        now: Timestamp,
    ) -> Result<Option<Record>> {
        let known = self.find(erasure.source, erasure.request_id)?;
        let entry = match identifier {
            None if known.is_empty() => {
                Entry { outcome, ..Entry::unusable(String::new(), None, detail) }
            }
            None => {
                if outcome == Outcome::NotApplicable {
                    self.excuse(erasure, now)?;
                }
                return Ok(None);
            }
            Some((kind, subject)) => {
                let mut unusable = known.iter().filter(|record| record.call.is_none());
                let is_full = unusable.clone().count() >= Subject::MAX_VALUES;
                // A former version stored one row for each kind, under the kind alone.
                let is_known = |record: &Record| {
                    let slot = record.slot.strip_prefix(kind.as_str());
                    slot.is_some_and(|slot| match slot.strip_prefix(':') {
                        Some(stored) => subject.is(stored),
                        None => slot.is_empty(),
                    })
                };
                if is_full || unusable.any(is_known) {
                    return Ok(None);
                }
                let slot = format!("{kind}:{}", subject.stored);
                let entry = Entry::unusable(slot, Some(kind), detail);
                Entry { subject: Some(subject.shown), ..entry }
            }
        };
        self.insert(erasure, entry, MOST_ROWS, now)
    }

    /// An earlier webhook of the erasure named nobody whom any vendor takes; this one names somebody
    /// whom another vendor takes.
    fn excuse(&self, erasure: Erasure<'_>, now: Timestamp) -> Result<()> {
        let statement = "UPDATE delivery SET outcome = 'not_applicable', updated_at = ?
            WHERE source = ? AND request_id = ? AND slot = ''
            AND outcome = 'insufficient_identification'";
        let bindings = [now.0.into(), erasure.source.into(), erasure.request_id.into()];
        self.database.query(statement, &bindings).map(drop)
    }

    /// An earlier webhook of the erasure named nobody whom the vendor takes: once one does, that row
    /// goes.
    fn drop_nothing(&self, erasure: Erasure<'_>, records: &mut Vec<Record>) -> Result<()> {
        let nothing = |record: &Record| record.slot.is_empty();
        if records.len() > 1 && records.iter().any(nothing) {
            let statement =
                "DELETE FROM delivery WHERE source = ? AND request_id = ? AND slot = ''";
            let bindings = [erasure.source.into(), erasure.request_id.into()];
            self.database.query(statement, &bindings)?;
            records.retain(|record| !nothing(record));
        }
        Ok(())
    }

    /// A call was not stored. Where that is because the erasure has too many rows, its receipt says so.
    fn note_excess(
        &self,
        erasure: Erasure<'_>,
        slot: &str,
        now: Timestamp,
    ) -> Result<Option<Record>> {
        const KNOWN: &str =
            "SELECT 1 FROM delivery WHERE source = ? AND request_id = ? AND slot = ?";
        let key = [erasure.source.into(), erasure.request_id.into(), slot.into()];
        if !self.database.query(KNOWN, &key)?.is_empty() {
            return Ok(None);
        }
        let detail = "the request has more identifiers than are taken under one request_id";
        self.insert(erasure, Entry::unusable(EXCESS.to_owned(), None, detail), MOST_ROWS, now)
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
    fn insert(
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
        }))
    }
}
