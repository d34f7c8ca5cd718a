//! A person has seen an outcome that needs attention. Nothing is sent or erased, and the outcome stays:
//! it needs no attention any more, until it changes, which a trigger of the schema watches.

use super::schema::{ATTENTION, FINAL};
use super::{Lane, Result};
use crate::delivery::database::{Database, Value};
use crate::receipt::{Outcome, Timestamp};

/// The outcomes that can be acknowledged, as [`Outcome::can_be_acknowledged`] has it.
const SEEN: &str = "outcome IN ('rejected', 'uncertain', 'exhausted', 'not_erased', \
     'insufficient_identification')";

impl<D: Database> Lane<D> {
    /// Acknowledges what needs attention of an erasure and is final, with this note. Of what was
    /// acknowledged before, the new note stays.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn acknowledge(
        &self,
        source: &str,
        request_id: &str,
        note: &str,
        now: Timestamp,
    ) -> Result<()> {
        let statement = format!(
            "UPDATE delivery SET acknowledged_at = ?, acknowledged_note = ?
             WHERE source = ? AND request_id = ? AND {FINAL} AND {SEEN}"
        );
        let bindings = [now.0.into(), note.into(), source.into(), request_id.into()];
        self.database.query(&statement, &bindings).map(drop)
    }

    /// The same for at most `most` deliveries of any erasure that were not acknowledged yet, with this
    /// outcome or with any. Returns how many.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn acknowledge_all(
        &self,
        outcome: Option<Outcome>,
        note: &str,
        most: u32,
        now: Timestamp,
    ) -> Result<u32> {
        let statement = format!(
            "UPDATE delivery SET acknowledged_at = ?, acknowledged_note = ?
             WHERE (source, request_id, slot) IN
                (SELECT source, request_id, slot FROM delivery INDEXED BY attention
                 WHERE {ATTENTION} AND {FINAL} AND {SEEN} AND (?3 IS NULL OR outcome = ?3) LIMIT ?)
             RETURNING 1"
        );
        let outcome = outcome.map(Outcome::name);
        let bindings: [Value; 4] = [now.0.into(), note.into(), outcome.into(), most.into()];
        let seen = self.database.query(&statement, &bindings)?;
        Ok(u32::try_from(seen.len()).unwrap_or(u32::MAX))
    }
}
