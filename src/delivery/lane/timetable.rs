//! When a lane has something to do, and what it does away with in time.

use super::row::Record;
use super::{Lane, Result, SWEEP};
use crate::delivery::database::{Database, Value};
use crate::receipt::Timestamp;
use crate::vendor::RETRY_AFTER_CAP;

impl<D: Database> Lane<D> {
    /// When the next call may be made, or a lease runs out; `None` where nothing waits.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn next_call(&self) -> Result<Option<Timestamp>> {
        let mut next: Option<Timestamp> = None;
        for call in &self.calls {
            const DUE: &str =
                "SELECT MIN(due_at) FROM deliveries WHERE call = ? AND due_at IS NOT NULL";
            if let Some(due) = self.time(DUE, &[call.name.into()])? {
                let at = due.max(call.pacer.ready_at(call.flow)).max(self.breaker.rests_until);
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        Ok(next)
    }

    /// The same of some records, as far as they tell.
    pub fn first_due(&self, records: &[Record]) -> Option<Timestamp> {
        let due = |record: &Record| {
            let call = record.call.as_ref()?;
            let paced = self.calls.iter().find(|paced| paced.name == call)?;
            Some(record.due_at?.max(paced.pacer.ready_at(paced.flow)))
        };
        records.iter().filter_map(due).min()
    }

    /// When there is something to do next, be it a call or a cleaning; `None` where nothing is
    /// stored.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn wake(&self) -> Result<Option<Timestamp>> {
        let mut wake = self.next_call()?;
        let mut at = |time: Timestamp| wake = Some(wake.map_or(time, |wake| wake.min(time)));
        if let Some(received) = self.time(
            "SELECT received_at FROM deliveries WHERE due_at IS NULL ORDER BY received_at LIMIT 1",
            &[],
        )? {
            at(received.after(self.policy.receipts));
        }
        if let Some(updated) = self.time(
            "SELECT MIN(updated_at) FROM deliveries WHERE person IS NOT NULL AND due_at IS NULL",
            &[],
        )? {
            at(updated.after(self.policy.replay));
        }
        Ok(wake)
    }

    /// Removes receipts and identifiers whose time is over, a bounded number at a time, and frees
    /// what a clock that went backwards has put far off.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn sweep(&self, now: Timestamp) -> Result<()> {
        let before = |duration: std::time::Duration| Timestamp(0).after(duration).0;
        let bindings = [now.0.saturating_sub(before(self.policy.receipts)).into(), SWEEP.into()];
        self.database.query(
            "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries
             WHERE received_at <= ? AND due_at IS NULL ORDER BY received_at LIMIT ?)",
            &bindings,
        )?;
        let bindings = [now.0.saturating_sub(before(self.policy.replay)).into(), SWEEP.into()];
        self.database.query(
            "UPDATE deliveries SET person = NULL WHERE id IN (SELECT id FROM deliveries
             WHERE updated_at <= ? AND person IS NOT NULL AND due_at IS NULL
             ORDER BY updated_at LIMIT ?)",
            &bindings,
        )?;
        // Nothing is ever due later than this.
        let farthest =
            now.after(self.policy.retry.longest.max(self.policy.lease)).after(RETRY_AFTER_CAP);
        for call in &self.calls {
            self.database.query(
                "UPDATE deliveries SET due_at = ? WHERE call = ? AND due_at > ?",
                &[now.0.into(), call.name.into(), farthest.0.into()],
            )?;
        }
        Ok(())
    }

    pub(super) fn time(&self, statement: &str, bindings: &[Value]) -> Result<Option<Timestamp>> {
        let rows = self.database.query(statement, bindings)?;
        let time = rows.first().map(|row| row.optional_integer(0)).transpose()?;
        Ok(time.flatten().map(Timestamp))
    }
}
