//! The ledger: what has arrived, once.

use super::row::{self, COLUMNS, Record};
use super::{Accepted, Arrival, Lane, Lease, Part, Result, place};
use crate::delivery::breaker::Leave;
use crate::delivery::database::{Database, StorageError, Value};
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::Call;

/// What a row begins as.
struct Entry<'a> {
    slot: &'a str,
    call: Option<&'a str>,
    identifier: Option<String>,
    subject: Option<&'a str>,
    names: Option<&'a str>,
    person: Option<String>,
    outcome: Outcome,
    detail: Option<&'a str>,
    lease: i64,
    due_at: Option<Timestamp>,
}

impl<D: Database> Lane<D> {
    /// Stores what is new of an arrival, and leases what may go at once. What is known already
    /// stays as it is, so the same webhook may come as often as it likes.
    ///
    /// # Errors
    /// [`StorageError`]; then nothing may be acknowledged.
    pub fn accept(&mut self, arrival: &Arrival<'_>, now: Timestamp) -> Result<Accepted> {
        self.heed(now);
        let mut leases = Vec::new();
        for (index, part) in arrival.parts.iter().enumerate() {
            match part {
                Part::Call { call, subject, names } => {
                    let inline = leases.len() < arrival.inline && self.policy.inline;
                    let lease = self.store_call(arrival, call, (subject, names), inline, now)?;
                    leases.extend(lease.map(|lease| (index, lease)));
                }
                Part::Unusable { identifier, detail } => {
                    self.store_unusable(arrival, identifier.as_deref(), detail, now)?;
                }
            }
        }
        let mut records = self.find(arrival.source, arrival.request_id)?;
        let nothing = |record: &Record| record.identifier.is_none();
        if records.len() > 1 && records.iter().any(nothing) {
            // An earlier webhook of this erasure named nobody whom the vendor takes; now one is.
            let statement =
                "DELETE FROM deliveries WHERE source = ? AND request_id = ? AND slot = ''";
            self.database.query(statement, &[arrival.source.into(), arrival.request_id.into()])?;
            records.retain(|record| !nothing(record));
        }
        Ok(Accepted { records, leases })
    }

    /// What is known of an erasure, in the order of its arrival; empty where nothing is.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn find(&self, source: &str, request_id: &str) -> Result<Vec<Record>> {
        let statement = format!(
            "SELECT {COLUMNS} FROM deliveries WHERE source = ? AND request_id = ? ORDER BY id"
        );
        let rows = self.database.query(&statement, &[source.into(), request_id.into()])?;
        rows.iter().map(|row| row::read(row, &self.breaker)).collect()
    }

    fn store_call(
        &mut self,
        arrival: &Arrival<'_>,
        call: &Call,
        (subject, names): (&str, &str),
        inline: bool,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        let slot = format!("{}:{subject}", call.name);
        let person = self.seal(call, &place(arrival.source, arrival.request_id, &slot))?;
        let at_once = inline && self.breaker.leave(now) == Leave::Free && self.is_ready(call, now);
        let mut entry = Entry {
            slot: &slot,
            call: Some(call.name),
            identifier: Some(call.identifier.kind().to_string()),
            subject: Some(subject),
            names: Some(names),
            person: Some(person),
            outcome: Outcome::Scheduled,
            detail: None,
            lease: 0,
            due_at: Some(now),
        };
        if at_once {
            entry.lease = 1;
            entry.due_at = Some(now.after(self.policy.lease));
        }
        let Some(id) = self.insert(arrival, entry, now)? else {
            if !call.alternatives.is_empty() {
                self.add_names(arrival, call, (&slot, subject, names), now)?;
            }
            return Ok(None);
        };
        let granted = at_once && self.take_pace(call.name, now)?;
        Ok(granted.then_some(Lease { id, number: 1 }))
    }

    /// A person who is looked for under one name after the other may have further ones now. What
    /// went well stands; the rest is tried from the first name on, with all that are known. A call
    /// under way does not know them, so its lease ends.
    fn add_names(
        &mut self,
        arrival: &Arrival<'_>,
        call: &Call,
        (slot, subject, names): (&str, &str, &str),
        now: Timestamp,
    ) -> Result<()> {
        const KNOWN: &str = "SELECT id, names, person FROM deliveries
            WHERE source = ? AND request_id = ? AND slot = ?
            AND outcome NOT IN ('accepted', 'already_absent', 'not_erased')";
        const STATEMENT: &str = "UPDATE deliveries
            SET call = ?, identifier = ?, subject = ?, names = ?, person = ?,
                outcome = 'scheduled', failures = 0, deadline_at = ?, due_at = ?, lease = lease + 1
            WHERE id = ?";
        let bindings = [arrival.source.into(), arrival.request_id.into(), slot.into()];
        let rows = self.database.query(KNOWN, &bindings)?;
        let Some(row) = rows.first() else { return Ok(()) };
        let mut all = row.text(1)?.to_owned();
        let is_new =
            |name: &&str| !row.text(1).is_ok_and(|all| all.split(' ').any(|it| it == *name));
        let further: Vec<&str> = names.split(' ').filter(is_new).collect();
        if further.is_empty() {
            return Ok(());
        }
        for name in further {
            all.push(' ');
            all.push_str(name);
        }
        let place = place(arrival.source, arrival.request_id, slot);
        let mut call = call.clone();
        let waiting = row.optional_text(2)?.map(|sealed| self.seal.open(sealed, &place));
        if let Some(Ok((first, others))) = waiting {
            call.add_names(std::iter::once(first).chain(others));
        }
        let bindings: [Value; 8] = [
            call.name.into(),
            call.identifier.kind().to_string().into(),
            subject.into(),
            all.into(),
            self.seal(&call, &place)?.into(),
            now.after(self.policy.retry.deadline).0.into(),
            now.0.into(),
            row.integer(0)?.into(),
        ];
        self.database.query(STATEMENT, &bindings).map(drop)
    }

    fn store_unusable(
        &mut self,
        arrival: &Arrival<'_>,
        identifier: Option<&str>,
        detail: &str,
        now: Timestamp,
    ) -> Result<()> {
        if identifier.is_none() && !self.find(arrival.source, arrival.request_id)?.is_empty() {
            return Ok(());
        }
        let entry = Entry {
            slot: identifier.unwrap_or_default(),
            call: None,
            identifier: identifier.map(str::to_owned),
            subject: None,
            names: None,
            person: None,
            outcome: Outcome::InsufficientIdentification,
            detail: Some(detail),
            lease: 0,
            due_at: None,
        };
        self.insert(arrival, entry, now).map(drop)
    }

    /// Inserts a row; `None` where it is there already. All rows of an erasure bear the time of
    /// its first webhook.
    fn insert(
        &self,
        arrival: &Arrival<'_>,
        entry: Entry<'_>,
        now: Timestamp,
    ) -> Result<Option<i64>> {
        const STATEMENT: &str = "INSERT INTO deliveries
            (source, request_id, slot, received_at, call, identifier, subject, names, person,
             outcome, attempts, detail, updated_at, failures, deadline_at, lease, due_at)
            VALUES (?, ?, ?, COALESCE((SELECT MIN(received_at) FROM deliveries
                WHERE source = ? AND request_id = ?), ?), ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, ?, ?, ?)
            ON CONFLICT DO NOTHING RETURNING id";
        let bindings: [Value; 17] = [
            arrival.source.into(),
            arrival.request_id.into(),
            entry.slot.into(),
            arrival.source.into(),
            arrival.request_id.into(),
            arrival.received_at.0.into(),
            entry.call.into(),
            entry.identifier.into(),
            entry.subject.into(),
            entry.names.into(),
            entry.person.into(),
            entry.outcome.name().into(),
            entry.detail.into(),
            now.0.into(),
            now.after(self.policy.retry.deadline).0.into(),
            entry.lease.into(),
            entry.due_at.map(|due| due.0).into(),
        ];
        match &self.database.query(STATEMENT, &bindings)?[..] {
            [] => Ok(None),
            [row] => row.integer(0).map(Some),
            _ => Err(StorageError::Corrupt),
        }
    }

    fn is_ready(&self, call: &Call, now: Timestamp) -> bool {
        let mut calls = self.calls.iter();
        let paced = calls.find(|paced| paced.name == call.name);
        paced.is_some_and(|paced| paced.pacer.take(paced.flow, now).is_some())
    }
}
