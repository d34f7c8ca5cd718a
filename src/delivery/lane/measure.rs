//! What a lane counts for a monitoring system. Each count looks at a bounded number of rows beside
//! what waits.

use std::time::Duration;

use super::schema::{ATTENTION, FINAL};
use super::{BreakerState, Lane, Result, Status};
use crate::delivery::database::{Database, Value};
use crate::receipt::{Outcome, Timestamp};

/// How many rows of each kind are looked at: the newest.
const NEWEST: u32 = 5000;

/// How long ago a delivery may have come to be recent.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The deliveries that came in the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// When they were counted.
    pub at: Timestamp,
    /// How many have each outcome, without those that none has.
    pub outcomes: Vec<(Outcome, i64)>,
    /// Whether there are more than are counted, which are the newest.
    pub is_cut: bool,
}

impl<D: Database> Lane<D> {
    /// The deliveries that came in the last 24 hours, by outcome, where the lane has this status: what
    /// waits in a lane that makes no calls is blocked, as receipts show it.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn recent(&self, status: &Status, now: Timestamp) -> Result<Recent> {
        let ended = format!("INDEXED BY ended WHERE {FINAL}");
        let parts = [
            (0, ended.as_str()),
            (1, "INDEXED BY waiting WHERE due_at IS NOT NULL"),
            (2, "INDEXED BY leased WHERE lease_until IS NOT NULL"),
        ];
        let parts = parts.map(|(number, part)| {
            format!(
                "SELECT {number} AS part, outcome FROM (SELECT outcome FROM delivery {part}
                 AND received_at > ?1 ORDER BY received_at DESC LIMIT ?2)"
            )
        });
        let statement = format!(
            "SELECT part, outcome, COUNT(*) FROM ({}) GROUP BY part, outcome",
            parts.join(" UNION ALL ")
        );
        let since = now.before(DAY);
        let rows = self.database.query(&statement, &[since.0.into(), NEWEST.into()])?;
        let mut recent = Recent { at: now, outcomes: Vec::new(), is_cut: false };
        let is_halted = status.breaker == BreakerState::Blocked || status.orphaned.is_some();
        let mut totals = [0_i64; 3];
        for row in &rows {
            let (part, count) = (row.integer(0)?, row.integer(2)?);
            let total = usize::try_from(part).ok().and_then(|part| totals.get_mut(part));
            if let Some(total) = total {
                *total = total.saturating_add(count);
            }
            let Some(mut outcome) = Outcome::parse(row.text(1)?) else { continue };
            if outcome == Outcome::Scheduled && is_halted {
                outcome = Outcome::Blocked;
            }
            match recent.outcomes.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, known)) => *known = known.saturating_add(count),
                None => recent.outcomes.push((outcome, count)),
            }
        }
        recent.is_cut = totals.iter().any(|total| *total >= i64::from(NEWEST));
        Ok(recent)
    }

    /// How many deliveries a person must look at, where the lane has this status: what ended and needs
    /// one, and what waits for one. What ended is counted among the newest alone.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn attention(&self, status: &Status) -> Result<i64> {
        let statement = format!(
            "SELECT waits, call, COUNT(*) FROM
                (SELECT outcome, call, NOT ({FINAL}) AS waits FROM delivery INDEXED BY attention
                 WHERE {ATTENTION} ORDER BY received_at DESC LIMIT ?)
             WHERE outcome NOT IN ('discarded', 'not_applicable') GROUP BY waits, call"
        );
        let rows = self.database.query(&statement, &[Value::from(NEWEST)])?;
        let all_wait_for_a_person = status.breaker == BreakerState::Blocked;
        let mut count: i64 = if all_wait_for_a_person {
            status.waiting
        } else {
            status.unsendable.iter().map(|one| one.waiting).sum()
        };
        for row in &rows {
            let waits = row.integer(0)? != 0;
            let can_be_sent = row.optional_text(1)?.is_some_and(|call| self.can_make(call));
            // What waits and needs a person anyway is counted already.
            if !waits || (can_be_sent && !all_wait_for_a_person) {
                count = count.saturating_add(row.integer(2)?);
            }
        }
        Ok(count)
    }
}
