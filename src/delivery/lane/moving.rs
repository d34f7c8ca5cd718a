//! Moves rows from a lane that cannot send them to the lane where they belong now.
//!
//! ```text
//! old lane   page     some rows, as they are stored
//! new lane   adopt    stores them; what it knows already is merged
//! old lane   forget   removes them, unless they were changed meanwhile
//! ```
//!
//! Each step is one transaction and can be repeated. Whatever is lost in between, a row is in the old
//! lane, in the new one, or in both, and the next page holds what was not forgotten. Identifiers stay
//! sealed: they are bound to source, request id and slot, and not to the lane.
//!
//! Rows travel as one text, a JSON array with an array of values for each row, which SQLite writes
//! and reads.

use super::schema::MOST_ATTEMPTS;
use super::{Lane, Result};
use crate::delivery::database::{Database, Value};
use crate::delivery::shards::shard_of;
use crate::receipt::Timestamp;

/// Everything of a row but its lease, which ends. Statements here rely on the order of those up to
/// `trace`.
const COLUMNS: &str = "source, request_id, slot, updated_at, received_at, position, call, \
     identifier, subject, names, person, outcome, status, attempts, detail, trace, failures, \
     deadline_at, lease, due_at, acknowledged_at, acknowledged_note";

/// Where a row's former results follow its columns.
const HISTORY: usize = 22;

/// What a row of the same delivery takes over from one that the vendor confirmed.
const TAKEN: &str = "updated_at = excluded.updated_at, call = excluded.call, \
     identifier = excluded.identifier, subject = excluded.subject, names = excluded.names, \
     outcome = excluded.outcome, status = excluded.status, attempts = excluded.attempts, \
     detail = excluded.detail, trace = excluded.trace, acknowledged_at = NULL, \
     acknowledged_note = NULL";

/// The former results of a row, as [`Lane::adopt`] reads them.
const FORMER: &str = "(SELECT json_group_array(json_array(one.at, one.number, one.outcome, one.status, \
     one.detail, one.trace)) FROM attempt AS one WHERE one.source = delivery.source \
     AND one.request_id = delivery.request_id AND one.slot = delivery.slot)";

/// How long a page becomes, in bytes, unless one row alone is longer. A text in SQLite has 2 MB at most
/// (<https://developers.cloudflare.com/durable-objects/platform/limits/>).
const PAGE_BYTES: usize = 500_000;

/// The vendor confirmed it.
const GOOD: &str = "outcome IN ('accepted', 'already_absent')";

impl<D: Database> Lane<D> {
    /// At most `most` rows that an account can take that makes `calls` and has `shards` lanes, all for
    /// the same one of them, and which that is; `None` where there are none. In a lane that can make
    /// no call itself, these are all of its rows; in any other, those that wait and cannot be sent.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn page(&self, calls: &[String], shards: u32, most: u32) -> Result<Option<(u32, String)>> {
        let calls = calls.iter().filter(|call| !self.can_make(call));
        let mut bindings: Vec<Value> = calls.map(|call| Value::from(&**call)).collect();
        let marks = vec!["?"; bindings.len()].join(", ");
        let which = if self.calls.is_empty() {
            format!("call IS NULL OR call IN ({marks})")
        } else {
            format!("due_at IS NOT NULL AND call IN ({marks})")
        };
        bindings.push(most.into());
        let statement = format!(
            "SELECT source, request_id, json_array({COLUMNS}, json({FORMER})) FROM delivery
             WHERE {which} ORDER BY source, request_id, slot LIMIT ?"
        );
        let mut page: Option<(u32, String)> = None;
        for row in self.database.query(&statement, &bindings)? {
            let home = shard_of(row.text(0)?, row.text(1)?, shards);
            match &mut page {
                None => page = Some((home, format!("[{}", row.text(2)?))),
                Some((shard, rows)) if *shard == home => {
                    if rows.len().saturating_add(row.text(2)?.len()) > PAGE_BYTES {
                        break;
                    }
                    rows.push(',');
                    rows.push_str(row.text(2)?);
                }
                Some(_) => {}
            }
        }
        if let Some((_, rows)) = &mut page {
            rows.push(']');
        }
        Ok(page)
    }

    /// Stores rows of another lane, as [`page`](Self::page) gave them. Of a delivery that is known
    /// here, the row stays that was here, unless the vendor confirmed the other one alone.
    ///
    /// The history of a delivery is that of both rows, and has the last result of the row that did not
    /// stay.
    ///
    /// What waits has a new deadline, since it could not be sent where it was, and what was blocked
    /// there is due at once. All rows of an erasure
    /// then bear the time of its first webhook; and that a webhook named nobody
    /// whom the vendor takes is dropped where another row is there.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError); then nothing may be forgotten.
    pub fn adopt(&mut self, rows: &str, now: Timestamp) -> Result<()> {
        const OTHERS: &str = "FROM delivery AS other
            WHERE other.source = delivery.source AND other.request_id = delivery.request_id";
        const MOVED: &str =
            "(source, request_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
        self.adopt_history(rows)?;
        let first = format!("MIN(moved.first, (SELECT MIN(received_at) {OTHERS}))");
        let mut values = Vec::new();
        for (index, _) in COLUMNS.split(", ").enumerate() {
            values.push(format!("value ->> {index}"));
        }
        let values = values.join(", ");
        for statement in [
            format!(
                "INSERT INTO delivery ({COLUMNS}) SELECT {values} FROM json_each(?1) WHERE TRUE
                 ON CONFLICT (source, request_id, slot) DO UPDATE
                 SET {TAKEN}, person = NULL, due_at = NULL, lease_until = NULL,
                     lease = delivery.lease + 1
                 WHERE excluded.{GOOD} AND NOT delivery.{GOOD}"
            ),
            format!(
                "UPDATE delivery SET received_at = {first} FROM
                    (SELECT value ->> 0 AS source, value ->> 1 AS request_id,
                        MIN(value ->> 4) AS first
                     FROM json_each(?1) GROUP BY 1, 2) AS moved
                 WHERE delivery.source = moved.source AND delivery.request_id = moved.request_id
                 AND delivery.received_at > {first}"
            ),
            format!(
                "DELETE FROM delivery WHERE slot = '' AND {MOVED} AND EXISTS
                    (SELECT 1 {OTHERS} AND other.slot <> '')"
            ),
        ] {
            self.database.query(&statement, &[rows.into()])?;
        }
        let deadline = now.after(self.policy.retry.deadline).0.into();
        let statement = format!(
            "UPDATE delivery SET deadline_at = MAX(deadline_at, ?2), outcome = 'scheduled',
                due_at = CASE outcome WHEN 'blocked' THEN ?3 ELSE due_at END
             WHERE {MOVED} AND due_at IS NOT NULL"
        );
        self.database.query(&statement, &[rows.into(), deadline, now.0.into()])?;
        self.find_due()
    }

    /// Adds the former results of rows that are about to be adopted, and the last result of each row of
    /// which another one is here. The result that the other one may lose is kept by a trigger.
    fn adopt_history(&self, rows: &str) -> Result<()> {
        let last = format!(
            "INSERT INTO attempt
            SELECT source, request_id, slot, value ->> 3, value ->> 13, value ->> 11,
                value ->> 12, value ->> 14, value ->> 15
            FROM json_each(?1) JOIN delivery
                ON source = value ->> 0 AND request_id = value ->> 1 AND slot = value ->> 2
            WHERE value ->> 13 > 0
                AND (updated_at, outcome, attempts) <> (value ->> 3, value ->> 11, value ->> 13)
                AND (delivery.{GOOD} OR value ->> 11 NOT IN ('accepted', 'already_absent'))
             ON CONFLICT DO NOTHING"
        );
        let former = format!(
            "INSERT INTO attempt
             SELECT moved.value ->> 0, moved.value ->> 1, moved.value ->> 2, one.value ->> 0,
                one.value ->> 1, one.value ->> 2, one.value ->> 3, one.value ->> 4,
                one.value ->> 5
             FROM json_each(?1) AS moved, json_each(moved.value, '$[{HISTORY}]') AS one WHERE TRUE
             ON CONFLICT DO NOTHING"
        );
        let excess = format!(
            "DELETE FROM attempt WHERE (source, request_id, slot, at, number) IN
                (SELECT one.source, one.request_id, one.slot, one.at, one.number
                 FROM json_each(?1) JOIN attempt AS one ON one.source = value ->> 0
                    AND one.request_id = value ->> 1 AND one.slot = value ->> 2
                 WHERE (SELECT COUNT(*) FROM attempt AS later WHERE later.source = one.source
                    AND later.request_id = one.request_id AND later.slot = one.slot
                    AND (later.at, later.number) > (one.at, one.number)) >= {MOST_ATTEMPTS})"
        );
        for statement in [last, former, excess] {
            self.database.query(&statement, &[rows.into()])?;
        }
        Ok(())
    }

    /// Removes rows that another lane has adopted, unless they were changed since. Returns how many.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn forget(&mut self, rows: &str) -> Result<u32> {
        const STATEMENT: &str = "DELETE FROM delivery
            WHERE lease_until IS NULL AND (source, request_id, slot, updated_at) IN
            (SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?))
            RETURNING 1";
        let forgotten = self.database.query(STATEMENT, &[rows.into()])?;
        self.find_due()?;
        Ok(u32::try_from(forgotten.len()).unwrap_or(u32::MAX))
    }
}
