//! What of an erasure cannot be sent: identifiers that a vendor cannot use, requests that name nobody whom
//! it takes, and what exceeds the number of rows that one erasure may have.

use super::ledger::{Entry, Erasure, MOST_ROWS};
use super::record::Record;
use super::{Lane, Result};
use crate::delivery::database::Database;
use crate::erasure::Subject;
use crate::pseudonym::Pseudonym;
use crate::receipt::{Outcome, Timestamp};

/// The slot of the row that says that an erasure has too many.
const EXCESS: &str = "excess";

impl<D: Database> Lane<D> {
    /// Stores a step that cannot be sent. That the request has no identifier for the vendor is
    /// stored only where nothing is known of the erasure; otherwise there is a row for each
    /// identifier, up to a number that no single request exceeds.
    pub(super) fn store_unusable(
        &mut self,
        erasure: Erasure<'_>,
        identifier: Option<(String, Pseudonym)>,
        (outcome, detail): (Outcome, &'static str),
        now: Timestamp,
    ) -> Result<Option<Record>> {
        let known = self.find(erasure.source, erasure.request_id)?;
        let entry = match identifier {
            None if known.is_empty() => Entry::unusable(String::new(), None, (outcome, detail)),
            None => {
                if outcome == Outcome::NotApplicable {
                    self.excuse(erasure, now)?;
                }
                return Ok(None);
            }
            Some((kind, subject)) => {
                let mut unusable = known.iter().filter(|record| record.call.is_none());
                let is_full = unusable.clone().count() >= Subject::MAX_VALUES;
                // A former version stored one row for each kind, under the kind alone.
                let is_known = |record: &Record| {
                    let slot = record.slot.strip_prefix(kind.as_str());
                    slot.is_some_and(|slot| match slot.strip_prefix(':') {
                        Some(stored) => subject.is(stored),
                        None => slot.is_empty(),
                    })
                };
                if is_full || unusable.any(is_known) {
                    return Ok(None);
                }
                let slot = format!("{kind}:{}", subject.stored);
                let unusable = (Outcome::InsufficientIdentification, detail);
                Entry::unusable(slot, Some((kind, subject.shown)), unusable)
            }
        };
        self.insert(erasure, entry, MOST_ROWS, now)
    }

    /// An earlier webhook of the erasure named nobody whom any vendor takes; this one names somebody
    /// whom another vendor takes.
    fn excuse(&self, erasure: Erasure<'_>, now: Timestamp) -> Result<()> {
        let statement = "UPDATE delivery SET outcome = 'not_applicable', updated_at = ?
            WHERE source = ? AND request_id = ? AND slot = ''
            AND outcome = 'insufficient_identification'";
        let bindings = [now.0.into(), erasure.source.into(), erasure.request_id.into()];
        self.database.query(statement, &bindings).map(drop)
    }

    /// An earlier webhook of the erasure named nobody whom the vendor takes: once one does, that row
    /// goes.
    pub(super) fn drop_nothing(
        &self,
        erasure: Erasure<'_>,
        records: &mut Vec<Record>,
    ) -> Result<()> {
        let nothing = |record: &Record| record.slot.is_empty();
        if records.len() > 1 && records.iter().any(nothing) {
            let statement =
                "DELETE FROM delivery WHERE source = ? AND request_id = ? AND slot = ''";
            let bindings = [erasure.source.into(), erasure.request_id.into()];
            self.database.query(statement, &bindings)?;
            records.retain(|record| !nothing(record));
        }
        Ok(())
    }

    /// A call was not stored. Where that is because the erasure has too many rows, its receipt says so.
    pub(super) fn note_excess(
        &self,
        erasure: Erasure<'_>,
        slot: &str,
        now: Timestamp,
    ) -> Result<Option<Record>> {
        const KNOWN: &str =
            "SELECT 1 FROM delivery WHERE source = ? AND request_id = ? AND slot = ?";
        let key = [erasure.source.into(), erasure.request_id.into(), slot.into()];
        if !self.database.query(KNOWN, &key)?.is_empty() {
            return Ok(None);
        }
        let detail = "the request has more identifiers than are taken under one request_id";
        let excess = (Outcome::InsufficientIdentification, detail);
        self.insert(erasure, Entry::unusable(EXCESS.to_owned(), None, excess), MOST_ROWS, now)
    }
}
