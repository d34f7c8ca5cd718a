//! Rows whose call the account cannot make: its `api` was changed, or the lane is orphaned, which can
//! make no call at all. They wait until an operator moves or discards them.

use serde::{Deserialize, Serialize};

use super::record::Record;
use super::{Lane, Result};
use crate::delivery::database::{Database, Value};
use crate::receipt::{Outcome, Timestamp};

/// Rows that wait for a call that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsendable {
    /// The call.
    pub call: String,
    /// How many rows.
    pub waiting: i64,
}

impl<D: Database> Lane<D> {
    /// What waits and cannot be sent, by call.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn unsendable(&self) -> Result<Vec<Unsendable>> {
        const COUNT: &str = "SELECT COUNT(*) FROM delivery WHERE call = ? AND due_at IS NOT NULL";
        let mut all = Vec::new();
        let mut call = String::new();
        while let Some(next) = self.next_waiting_call(&call)? {
            call = next;
            if !self.can_make(&call) {
                let rows = self.database.query(COUNT, &[Value::from(&*call)])?;
                let waiting = rows.first().map_or(Ok(0), |row| row.integer(0))?;
                all.push(Unsendable { call: call.clone(), waiting });
            }
        }
        Ok(all)
    }

    /// The next kind of call that anything waits for, after `call` by name: found by one look into
    /// the index, however much waits.
    fn next_waiting_call(&self, call: &str) -> Result<Option<String>> {
        const NEXT: &str = "SELECT call FROM delivery INDEXED BY due
            WHERE due_at IS NOT NULL AND call > ? ORDER BY call LIMIT 1";
        let rows = self.database.query(NEXT, &[call.into()])?;
        rows.first().map(|row| Ok(row.text(0)?.to_owned())).transpose()
    }

    /// Ends at most `most` rows that wait and cannot be sent, of one call or of all, as
    /// [`discard`](Self::discard) does. Returns how many.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn discard_unsendable(
        &mut self,
        call: Option<&str>,
        note: &str,
        most: u32,
        now: Timestamp,
    ) -> Result<u32> {
        let mut left = most;
        for Unsendable { call: waits, .. } in self.unsendable()? {
            if call.is_some_and(|call| call != waits) {
                continue;
            }
            let which = "(source, request_id, slot) IN
                (SELECT source, request_id, slot FROM delivery
                 WHERE call = ? AND due_at IS NOT NULL LIMIT ?)";
            let ended = self.end(which, &[waits.into(), left.into()], note, now)?;
            left = left.saturating_sub(u32::try_from(ended.len()).unwrap_or(u32::MAX));
        }
        Ok(most.saturating_sub(left))
    }

    /// Whether anything waits that cannot be sent.
    pub(super) fn has_unsendable(&self) -> Result<bool> {
        let mut call = String::new();
        while let Some(next) = self.next_waiting_call(&call)? {
            call = next;
            if !self.can_make(&call) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A row as it can be shown: one that waits for something says what for.
    pub(super) fn shown(&self, record: Record) -> Record {
        let waits = record.due_at.is_some();
        let mut record = record.behind(&self.breaker);
        if waits && !record.call.as_deref().is_some_and(|call| self.can_make(call)) {
            record.outcome = Outcome::Blocked;
            record.due_at = None;
            record.detail = Some(
                if self.calls.is_empty() {
                    "the configuration does not name this lane any more: move or discard what waits"
                } else {
                    "the account cannot make this call any more: move or discard what waits"
                }
                .into(),
            );
        }
        record
    }

    /// Whether the account can make a call.
    pub(super) fn can_make(&self, call: &str) -> bool {
        self.calls.iter().any(|paced| paced.name == call)
    }
}
