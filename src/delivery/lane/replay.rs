//! What an operator has tried again.

use super::{Lane, Result};
use crate::delivery::database::{Database, Value};
use crate::receipt::{Outcome, Timestamp};

/// What a replayed row becomes. It takes the time of the next attempt, which is now, and the new deadline.
/// What is blocked waits already: only its next attempt comes earlier, so its last result stays the last.
const AGAIN: &str = "UPDATE delivery SET due_at = ?1, failures = 0, deadline_at = ?2,
    outcome = CASE outcome WHEN 'blocked' THEN outcome ELSE 'scheduled' END,
    updated_at = CASE outcome WHEN 'blocked' THEN updated_at ELSE ?1 END";

impl<D: Database> Lane<D> {
    /// Tries again what is blocked, rejected, uncertain or exhausted of an erasure, as far as its
    /// identifiers are still there. The result that this replaces becomes history.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn replay(&mut self, source: &str, request_id: &str, now: Timestamp) -> Result<()> {
        let statement = format!(
            "{AGAIN} WHERE source = ? AND request_id = ? AND person IS NOT NULL
             AND lease_until IS NULL
             AND outcome IN ('blocked', 'rejected', 'uncertain', 'exhausted')"
        );
        let deadline = now.after(self.policy.retry.deadline);
        let bindings = [now.0.into(), deadline.0.into(), source.into(), request_id.into()];
        self.database.query(&statement, &bindings)?;
        self.find_due()
    }

    /// The same for at most `most` deliveries of any erasure, with this outcome or with any: those that
    /// ended before `before`, so that what fails again meanwhile is not tried again and again, or are blocked
    /// and not due yet; and that nobody has acknowledged: a person has decided that nothing more is done
    /// about those.
    /// Returns how many.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn replay_all(
        &mut self,
        outcome: Option<Outcome>,
        before: Timestamp,
        most: u32,
        now: Timestamp,
    ) -> Result<u32> {
        // Each has an index with few other rows in it.
        const ENDED: &str = "INDEXED BY kept
            WHERE person IS NOT NULL AND due_at IS NULL AND lease_until IS NULL
            AND acknowledged_at IS NULL AND outcome IN ('rejected', 'uncertain', 'exhausted')
            AND updated_at < ?3";
        const WAITING: &str = "INDEXED BY attention
            WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled')
            AND acknowledged_at IS NULL AND outcome = 'blocked'
            AND due_at > ?1 AND person IS NOT NULL AND ?3 IS NOT NULL";
        let mut left = most;
        for which in [ENDED, WAITING] {
            let statement = format!(
                "{AGAIN} WHERE (source, request_id, slot) IN
                    (SELECT source, request_id, slot FROM delivery {which}
                     AND (?4 IS NULL OR outcome = ?4) LIMIT ?5)
                 RETURNING 1"
            );
            let deadline = now.after(self.policy.retry.deadline);
            let bindings: [Value; 5] = [
                now.0.into(),
                deadline.0.into(),
                before.0.into(),
                outcome.map(Outcome::name).into(),
                left.into(),
            ];
            let replayed = self.database.query(&statement, &bindings)?;
            left = left.saturating_sub(u32::try_from(replayed.len()).unwrap_or(u32::MAX));
        }
        self.find_due()?;
        Ok(most.saturating_sub(left))
    }
}
