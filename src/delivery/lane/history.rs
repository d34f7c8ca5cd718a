//! Attempts are history. The row of a delivery holds its last result. Whatever replaces a result, a
//! further attempt, a replay, a discard or a confirmation that came late, a trigger of the schema keeps
//! the one before it, in the same transaction: the newest hundred of each delivery. A delivery that
//! comes to its end by its first attempt replaces none, and writes no further row.
//!
//! History goes where its row goes: when the row is renamed, moved to another lane, or removed.

use super::{Lane, Record, Result};
use crate::delivery::database::{Database, Row, StorageError};
use crate::receipt::{Attempt, Outcome, Timestamp};

impl<D: Database> Lane<D> {
    /// What is known of an erasure, as [`find`](Self::find) has it, with the former results of each
    /// delivery.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn find_with_history(&self, source: &str, request_id: &str) -> Result<Vec<Record>> {
        const STATEMENT: &str = "SELECT slot, at, outcome, status, detail, trace FROM attempt
            WHERE source = ? AND request_id = ? ORDER BY slot, at, number";
        let mut records = self.find(source, request_id)?;
        for row in self.database.query(STATEMENT, &[source.into(), request_id.into()])? {
            let slot = row.text(0)?;
            if let Some(record) = records.iter_mut().find(|record| record.slot == slot) {
                record.history.push(read(&row)?);
            }
        }
        Ok(records)
    }
}

fn read(row: &Row) -> Result<Attempt> {
    let owned = |at| Ok(row.optional_text(at)?.map(str::to_owned));
    let status = row.optional_integer(3)?.map(u16::try_from).transpose();
    Ok(Attempt {
        at: Timestamp(row.integer(1)?),
        outcome: Outcome::parse(row.text(2)?).ok_or(StorageError::Corrupt)?,
        status: status.map_err(|_| StorageError::Corrupt)?,
        detail: owned(4)?,
        trace: owned(5)?,
    })
}
