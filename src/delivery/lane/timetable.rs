//! When a lane has something to do, and what it removes in time.

use std::time::Duration;

use super::record::{self, COLUMNS, Record};
use super::schema::FINAL;
use super::{CLEANING, Lane, Result};
use crate::delivery::database::{Database, Value};
use crate::receipt::Timestamp;
use crate::vendor::RETRY_AFTER_CAP;

/// How many rows that have waited too long one cleaning ends and reports at most.
const OVERDUE: u32 = 100;

impl<D: Database> Lane<D> {
    /// When the next call may be made; `None` where nothing waits.
    pub fn next_call(&self) -> Option<Timestamp> {
        let calls = self.calls.iter();
        let next = calls.filter_map(|call| Some(call.due_at?.max(call.ready_at())));
        next.min().map(|next| next.max(self.breaker.rests_until()).max(self.no_candidate_until))
    }

    /// When there is something to do next: a call, a lease that runs out, or a cleaning; `None` where
    /// nothing is stored.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn wake(&self) -> Result<Option<Timestamp>> {
        Ok(self.next_call().into_iter().chain(self.upkeep()?).min())
    }

    /// When a lease runs out, or there is something to clean.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn upkeep(&self) -> Result<Option<Timestamp>> {
        let lease = "SELECT MIN(lease_until) FROM delivery WHERE lease_until IS NOT NULL";
        let kept =
            format!("SELECT MIN(updated_at) FROM delivery WHERE person IS NOT NULL AND {FINAL}");
        let received = format!("SELECT MIN(received_at) FROM delivery WHERE {FINAL}");
        let received = self.time(&received, &[])?;
        let kept = self.time(&kept, &[])?;
        let times = [
            self.time(lease, &[])?,
            received.map(|time| time.after(self.policy.receipts)),
            kept.map(|time| time.after(self.policy.replay)),
        ];
        Ok(times.into_iter().flatten().min())
    }

    /// Removes receipts and identifiers whose time is over, a bounded number at a time, ends leases
    /// that ran out, and frees what a clock that went backwards has put far off. Returns the rows that
    /// are exhausted since they have waited too long.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn clean(&mut self, now: Timestamp) -> Result<Vec<Record>> {
        let before = |duration: Duration| now.0.saturating_sub(Timestamp(0).after(duration).0);
        let receipts = before(self.policy.receipts);
        self.database.query(
            &format!(
                "DELETE FROM delivery WHERE (source, request_id, slot) IN
                 (SELECT source, request_id, slot FROM delivery
                  WHERE received_at <= ? AND {FINAL} ORDER BY received_at LIMIT ?)"
            ),
            &[receipts.into(), CLEANING.into()],
        )?;
        self.database.query(
            &format!(
                "UPDATE delivery SET person = NULL WHERE (source, request_id, slot) IN
                 (SELECT source, request_id, slot FROM delivery
                  WHERE updated_at <= ? AND person IS NOT NULL AND {FINAL}
                  ORDER BY updated_at LIMIT ?)"
            ),
            &[before(self.policy.replay).into(), CLEANING.into()],
        )?;
        self.clean_ignored(receipts)?;
        // Nothing is ever due later than this.
        let farthest =
            now.after(self.policy.retry.longest.max(self.policy.lease)).after(RETRY_AFTER_CAP);
        for call in &self.calls {
            self.database.query(
                "UPDATE delivery SET due_at = ? WHERE call = ? AND due_at > ?",
                &[now.0.into(), call.name.into(), farthest.0.into()],
            )?;
        }
        let longest = now.after(self.policy.lease).0;
        let ended = "(lease_until <= ?1 OR lease_until > ?2)";
        self.end_leases(ended, &[now.0.into(), longest.into()])?;
        let exhausted = self.end_overdue(before(self.policy.hold), now)?;
        self.find_due()?;
        Ok(exhausted)
    }

    /// Ends what waits although its deadline was before `before`: nothing waits for ever, whether its
    /// account is blocked or makes this call no longer.
    fn end_overdue(&self, before: i64, now: Timestamp) -> Result<Vec<Record>> {
        let statement = format!(
            "UPDATE delivery SET outcome = 'exhausted', detail = ?, updated_at = ?, due_at = NULL,
                lease = lease + 1
             WHERE (source, request_id, slot) IN
                (SELECT source, request_id, slot FROM delivery INDEXED BY waiting
                 WHERE due_at IS NOT NULL AND received_at <= ?3 AND deadline_at <= ?3
                 ORDER BY received_at LIMIT ?)
             RETURNING {COLUMNS}"
        );
        let detail = "it could not be sent until the end of hold_days";
        let bindings = [detail.into(), now.0.into(), before.into(), OVERDUE.into()];
        let rows = self.database.query(&statement, &bindings)?;
        // One that cannot be read ends as well, and keeps no other from being reported.
        Ok(rows.iter().filter_map(|row| record::read(row).ok()).collect())
    }

    /// Ends the leases of the instance of the object before this one.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub(super) fn end_all_leases(&self, now: Timestamp) -> Result<()> {
        self.end_leases("lease_until IS NOT NULL", &[now.0.into()])
    }

    /// Makes the rows of these leases due at the first of `bindings`.
    fn end_leases(&self, which: &str, bindings: &[Value]) -> Result<()> {
        let statement = format!(
            "UPDATE delivery SET due_at = ?1, lease_until = NULL, lease = lease + 1 WHERE {which}"
        );
        self.database.query(&statement, bindings).map(drop)
    }

    /// Looks up when the first row of each call is due.
    pub(super) fn find_due(&mut self) -> Result<()> {
        self.no_candidate_until = Timestamp::default();
        (0..self.calls.len()).try_for_each(|index| self.find_due_of(index))
    }

    /// The same for the call at `index`.
    pub(super) fn find_due_of(&mut self, index: usize) -> Result<()> {
        const DUE: &str = "SELECT MIN(due_at) FROM delivery WHERE call = ? AND due_at IS NOT NULL";
        let Some(name) = self.calls.get(index).map(|call| call.name) else { return Ok(()) };
        let due = self.time(DUE, &[name.into()])?;
        if let Some(call) = self.calls.get_mut(index) {
            call.due_at = due;
        }
        Ok(())
    }

    pub(super) fn time(&self, statement: &str, bindings: &[Value]) -> Result<Option<Timestamp>> {
        let rows = self.database.query(statement, bindings)?;
        let time = rows.first().map(|row| row.optional_integer(0)).transpose()?;
        Ok(time.flatten().map(Timestamp))
    }
}
