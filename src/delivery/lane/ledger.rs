//! The ledger: what has arrived, each delivery once.

use super::record::{self, COLUMNS, Record};
use super::{Accepted, Arrival, Claim, Lane, Lease, Part, Result, place};
use crate::delivery::database::{Database, StorageError, Value};
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
        let Arrival { source, request_id, received_at, parts } = arrival;
        let erasure = Erasure { source, request_id, received_at };
        let mut accepted = Accepted { records: Vec::new(), claims: Vec::new(), wake_by: None };
        // Of a new erasure all rows are stored here, and need not be read again.
        let mut all_new = true;
        for part in parts {
            let stored = match part {
                Part::Call { call, subject, names } => {
                    let has_room = accepted.claims.len() < room;
                    self.accept_call(erasure, call, (subject, names), has_room, now, &mut accepted)?
                }
                Part::Unusable { identifier, detail } => {
                    self.store_unusable(erasure, identifier, detail, now)?
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
        rows.iter().map(|row| Ok(record::read(row)?.behind(&self.breaker))).collect()
    }

    /// Stores one call of an arrival, and claims it where it may be made at once. `None` where it
    /// is known.
    fn accept_call(
        &mut self,
        erasure: Erasure<'_>,
        call: Call,
        (subject, names): (String, String),
        has_room: bool,
        now: Timestamp,
        accepted: &mut Accepted,
    ) -> Result<Option<Record>> {
        let slot = format!("{}:{subject}", call.name);
        let at_once = has_room && self.may_send_at_once(call.name, now);
        let sealed = self.seal(&call, &place(erasure.source, erasure.request_id, &slot))?;
        let lease_until = now.after(self.policy.lease);
        let entry = Entry {
            slot,
            call: Some(call.name),
            identifier: Some(call.identifier.kind().to_string()),
            subject: Some(subject),
            names: Some(names),
            person: Some(sealed),
            outcome: Outcome::Scheduled,
            detail: None,
            lease: i64::from(at_once),
            lease_until: at_once.then_some(lease_until),
            due_at: (!at_once).then_some(now),
        };
        let stored = match self.insert(erasure, entry, now)? {
            Ok(stored) => stored,
            Err(known) => {
                self.add_names(erasure, call, known, now, accepted)?;
                return Ok(None);
            }
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
                },
            });
        } else {
            self.add_due(call.name, now);
            let ready = self.paced(call.name).map_or(now, |paced| paced.ready_at());
            wake_by = now.max(ready).max(self.breaker.rests_until);
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

    /// A call that tries one identifier of a person after the other may have further ones now. What
    /// ended well stands; anything else is tried again from the first identifier on, with all that
    /// are known. A call under way does not have them, so its claim becomes void.
    fn add_names(
        &mut self,
        erasure: Erasure<'_>,
        mut call: Call,
        known: Entry,
        now: Timestamp,
        accepted: &mut Accepted,
    ) -> Result<()> {
        const KNOWN: &str = "SELECT names, person FROM delivery
            WHERE source = ? AND request_id = ? AND slot = ?
            AND outcome NOT IN ('accepted', 'already_absent', 'not_erased')";
        const STATEMENT: &str = "UPDATE delivery
            SET call = ?, identifier = ?, subject = ?, names = ?, person = ?,
                outcome = 'scheduled', failures = 0, deadline_at = ?, due_at = ?,
                lease_until = NULL, lease = lease + 1
            WHERE source = ? AND request_id = ? AND slot = ?";
        if call.alternatives.is_empty() {
            return Ok(());
        }
        let Erasure { source, request_id, .. } = erasure;
        let key = [source.into(), request_id.into(), known.slot.as_str().into()];
        let rows = self.database.query(KNOWN, &key)?;
        let Some(row) = rows.first() else { return Ok(()) };
        let mut names = row.text(0)?.to_owned();
        let before = names.len();
        for name in known.names.iter().flat_map(|names| names.split(' ')) {
            if !names.split(' ').any(|known| known == name) {
                names.push(' ');
                names.push_str(name);
            }
        }
        if names.len() == before {
            return Ok(());
        }
        let place = place(source, request_id, &known.slot);
        let waiting = row.optional_text(1)?.map(|sealed| self.seal.open(sealed, &place));
        if let Some(Ok((first, others))) = waiting {
            call.add_names(std::iter::once(first).chain(others));
        }
        let [source, request_id, slot] = key;
        let bindings: [Value; 10] = [
            call.name.into(),
            call.identifier.kind().to_string().into(),
            known.subject.into(),
            names.into(),
            self.seal(&call, &place)?.into(),
            now.after(self.policy.retry.deadline).0.into(),
            now.0.into(),
            source,
            request_id,
            slot,
        ];
        self.database.query(STATEMENT, &bindings)?;
        self.add_due(call.name, now);
        accepted.wake_by = Some(now);
        Ok(())
    }

    /// Stores a step that cannot be sent. That the request has no identifier for the vendor is
    /// stored only where nothing is known of the erasure.
    fn store_unusable(
        &mut self,
        erasure: Erasure<'_>,
        identifier: Option<String>,
        detail: &'static str,
        now: Timestamp,
    ) -> Result<Option<Record>> {
        if identifier.is_none() && !self.find(erasure.source, erasure.request_id)?.is_empty() {
            return Ok(None);
        }
        let entry = Entry {
            slot: identifier.clone().unwrap_or_default(),
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
        };
        Ok(self.insert(erasure, entry, now)?.ok())
    }

    /// An earlier webhook of the erasure named nobody whom the vendor takes: once one does, that row
    /// goes.
    fn drop_nothing(&self, erasure: Erasure<'_>, records: &mut Vec<Record>) -> Result<()> {
        let nothing = |record: &Record| record.identifier.is_none();
        if records.len() > 1 && records.iter().any(nothing) {
            let statement =
                "DELETE FROM delivery WHERE source = ? AND request_id = ? AND slot = ''";
            let bindings = [erasure.source.into(), erasure.request_id.into()];
            self.database.query(statement, &bindings)?;
            records.retain(|record| !nothing(record));
        }
        Ok(())
    }

    /// Inserts a row; gives the entry back where the row is there already. All rows of an erasure
    /// bear the time of its first webhook.
    fn insert(
        &self,
        erasure: Erasure<'_>,
        entry: Entry,
        now: Timestamp,
    ) -> Result<std::result::Result<Record, Entry>> {
        const STATEMENT: &str = "INSERT INTO delivery
            (source, request_id, slot, position, received_at, call, identifier, subject, names,
             person, outcome, attempts, detail, updated_at, failures, deadline_at, lease,
             lease_until, due_at)
            VALUES (?1, ?2, ?3,
                COALESCE((SELECT MAX(position) + 1 FROM delivery
                    WHERE source = ?1 AND request_id = ?2), 0),
                COALESCE((SELECT MIN(received_at) FROM delivery
                    WHERE source = ?1 AND request_id = ?2), ?4),
                ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12, 0, ?13, ?14, ?15, ?16)
            ON CONFLICT DO NOTHING RETURNING position, received_at";
        let Erasure { source, request_id, received_at } = erasure;
        let bindings: [Value; 16] = [
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
        ];
        let rows = self.database.query(STATEMENT, &bindings)?;
        let row = match &rows[..] {
            [] => return Ok(Err(entry)),
            [row] => row,
            _ => return Err(StorageError::Corrupt),
        };
        Ok(Ok(Record {
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
