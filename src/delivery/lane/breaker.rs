//! The breaker's state in storage, and what becomes of the rows when it opens and closes.

use std::borrow::Cow;
use std::time::Duration;

use super::schema::ATTENTION;
use super::{Lane, Lease, Record, Result};
use crate::delivery::breaker::{self, Breaker};
use crate::delivery::database::{Database, Row, StorageError, Value};
use crate::receipt::{Outcome, Timestamp};
use crate::vendor::Verdict;

/// A block that was shorter does not move deadlines.
const SHORT_BLOCK: Duration = Duration::from_secs(60);

/// The stored state; that of a new lane where none is.
pub(super) fn read(database: &impl Database) -> Result<Breaker> {
    let statement = "SELECT failures, suspects, suspects_rest_until, blocked, probe_at,
        quiet_until, opened_at FROM breaker";
    let rows = database.query(statement, &[])?;
    let Some(row) = rows.first() else { return Ok(Breaker::default()) };
    Ok(Breaker {
        failures: u32::try_from(row.integer(0)?).map_err(|_| StorageError::Corrupt)?,
        suspects: serde_json::from_slice(row.text(1)?.as_bytes())
            .map_err(|_| StorageError::Corrupt)?,
        suspects_rest_until: Timestamp(row.integer(2)?),
        blocked: row.optional_text(3)?.map(|reason| Cow::Owned(reason.to_owned())),
        probe_at: Timestamp(row.integer(4)?),
        quiet_until: Timestamp(row.integer(5)?),
        opened_at: row.optional_integer(6)?.map(Timestamp),
        last_probe_at: Timestamp::default(),
    })
}

impl<D: Database> Lane<D> {
    /// Records in the breaker what a call of `record` came to. Once the account turns out to work,
    /// what it had blocked is due again.
    pub(super) fn note(
        &mut self,
        record: &Record,
        lease: &Lease,
        claimed_at: Timestamp,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<()> {
        let before = self.breaker.clone();
        let random = self.random_number();
        let erasure = (record.source.as_str(), record.request_id.as_str());
        let result = breaker::Result { erasure, verdict, claimed_at, is_alone: lease.is_alone };
        self.breaker.note(&result, &self.policy.breaker, &self.policy.retry, now, random);
        if self.breaker == before {
            return Ok(());
        }
        let stored = self.store_change(&before, now);
        if stored.is_err() {
            self.breaker = before; // as it is stored
        }
        stored
    }

    /// Stores the breaker, after what its closing does to the rows: a failure in between leaves it open.
    fn store_change(&mut self, before: &Breaker, now: Timestamp) -> Result<()> {
        if before.is_open() && !self.breaker.is_open() {
            self.extend_deadlines(before, now)?;
            self.release(Outcome::Blocked, self.policy.breaker.probe, now)?;
        }
        self.store_breaker()
    }

    /// Closes the breaker: a person has corrected what was rejected.
    ///
    /// # Errors
    /// [`StorageError`]; then it is as it was.
    pub fn resume(&mut self, now: Timestamp) -> Result<()> {
        self.extend_deadlines(&self.breaker, now)?;
        let longest = self.policy.breaker.probe.max(self.policy.retry.longest);
        self.release(Outcome::Scheduled, longest, now)?;
        let before = std::mem::take(&mut self.breaker);
        let stored = self.store_breaker();
        if stored.is_err() {
            self.breaker = before;
        }
        stored
    }

    pub(super) fn store_breaker(&self) -> Result<()> {
        let breaker = &self.breaker;
        let suspects =
            serde_json::to_string(&breaker.suspects).map_err(|_| StorageError::Failed)?;
        let bindings = [
            Value::from(breaker.failures),
            suspects.into(),
            breaker.suspects_rest_until.0.into(),
            breaker.blocked.as_deref().into(),
            breaker.probe_at.0.into(),
            breaker.quiet_until.0.into(),
            breaker.opened_at.map(|at| at.0).into(),
        ];
        let statement = "INSERT OR REPLACE INTO breaker VALUES (0, ?, ?, ?, ?, ?, ?, ?)";
        self.database.query(statement, &bindings).map(drop)
    }

    /// When a stored deadline is, as far as it is known now: it does not come closer while the account
    /// is blocked.
    pub(super) fn deadline(&self, stored: Timestamp, now: Timestamp) -> Timestamp {
        let opened_at = self.breaker.opened_at.filter(|_| self.breaker.blocked.is_some());
        let blocked_for = opened_at.map(|opened_at| now.since(opened_at)).unwrap_or_default();
        stored.after(blocked_for)
    }

    /// The row of `call` whose turn it is to be a probe: of an erasure that has not failed; else of
    /// any other but the suspects; of these only once they have rested.
    pub(super) fn next_probe(&self, call: &str, now: Timestamp) -> Result<Option<Row>> {
        const OTHERS: &str = "AND (source, request_id) NOT IN
            (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?3))";
        const ANY: &str = "AND ?3 IS NOT NULL";
        let fresh = format!("{OTHERS} AND outcome = 'scheduled' AND failures = 0");
        let suspects = serde_json::to_string(&self.breaker.suspects);
        let suspects = suspects.map_err(|_| StorageError::Failed)?;
        let rested = now >= self.breaker.suspects_rest_until;
        let conditions = [fresh.as_str(), OTHERS].into_iter().chain(rested.then_some(ANY));
        for condition in conditions {
            let bindings = [call.into(), now.0.into(), suspects.as_str().into()];
            if let Some(row) = self.first_due(condition, "ASC", &bindings)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// When there may be another row to probe with, where none was found now.
    pub(super) fn next_candidate(&self, now: Timestamp) -> Result<Timestamp> {
        let next = "SELECT MIN(due_at) FROM delivery WHERE due_at > ?";
        let next = self.time(next, &[now.0.into()])?;
        let rested = self.breaker.suspects_rest_until;
        Ok(next.map_or(rested, |next| next.min(rested)))
    }

    /// Makes due what was blocked and would be due `within` this time: what is known to be rejected
    /// alone waits longer. With the outcome `blocked` a row is known to have been rejected while other
    /// erasures were not.
    fn release(&mut self, outcome: Outcome, within: Duration, now: Timestamp) -> Result<()> {
        let statement = format!(
            "UPDATE delivery SET outcome = ?, due_at = ?
             WHERE outcome = 'blocked' AND due_at <= ? AND {ATTENTION}"
        );
        let bindings = [outcome.name().into(), now.0.into(), now.after(within).0.into()];
        self.database.query(&statement, &bindings)?;
        self.find_due()
    }

    /// Moves the deadlines of what waits by the time for which the account was blocked.
    fn extend_deadlines(&self, before: &Breaker, now: Timestamp) -> Result<()> {
        let opened_at = before.opened_at.filter(|_| before.blocked.is_some());
        let Some(opened_at) = opened_at.filter(|at| now.since(*at) >= SHORT_BLOCK) else {
            return Ok(());
        };
        // What came later than the block is moved by less.
        let statement = "UPDATE delivery
            SET deadline_at = deadline_at + ?1 - MAX(?2, deadline_at - ?3)
            WHERE (due_at IS NOT NULL OR lease_until IS NOT NULL) AND deadline_at - ?3 < ?1";
        let deadline = i64::try_from(self.policy.retry.deadline.as_millis()).unwrap_or(i64::MAX);
        let bindings = [now.0.into(), opened_at.0.into(), deadline.into()];
        self.database.query(statement, &bindings).map(drop)
    }
}
