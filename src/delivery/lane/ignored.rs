//! Counts of events that were no erasures, by source and name: a slip at the platform, such as a
//! misspelt event, would otherwise lose every erasure in silence. They are kept by the first shard of
//! the source's first account, in a table that is made when the first one comes.

use std::borrow::Cow;

use super::{CLEANING, Lane, Result};
use crate::delivery::database::Database;
use crate::receipt::Timestamp;

/// How many names of events are counted for one source. The names come from outside; what exceeds
/// this is counted together.
const MAX_NAMES: u32 = 50;

/// The name under which the events beyond [`MAX_NAMES`] are counted.
const OTHER: &str = "other";

/// The source of one kind of event, its name, how often it came, and when first and last, in
/// milliseconds since the Unix epoch.
pub type IgnoredEvent = (String, String, i64, i64, i64);

impl<D: Database> Lane<D> {
    /// Counts events of `source`, each with the number that came.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn count_ignored(
        &mut self,
        source: &str,
        events: &[(Cow<'_, str>, u32)],
        now: Timestamp,
    ) -> Result<()> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS ignored (
            source TEXT NOT NULL,
            event TEXT NOT NULL,
            count INTEGER NOT NULL,
            first_at INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            PRIMARY KEY (source, event)
        ) WITHOUT ROWID";
        const COUNT: &str = "INSERT INTO ignored
            SELECT ?1,
                CASE WHEN EXISTS (SELECT 1 FROM ignored WHERE source = ?1 AND event = ?2)
                    OR (SELECT COUNT(*) FROM ignored WHERE source = ?1 AND event <> ?5) < ?6
                THEN ?2 ELSE ?5 END,
                ?3, ?4, ?4
            WHERE TRUE
            ON CONFLICT DO UPDATE SET
                count = count + excluded.count, last_at = MAX(last_at, excluded.last_at)";
        self.database.query(TABLE, &[])?;
        for (event, count) in events {
            let bindings = [
                source.into(),
                event.as_ref().into(),
                (*count).into(),
                now.0.into(),
                OTHER.into(),
                MAX_NAMES.into(),
            ];
            self.database.query(COUNT, &bindings)?;
        }
        Ok(())
    }

    /// The events that were counted, by source and name.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn ignored(&self) -> Result<Vec<IgnoredEvent>> {
        if !self.has_ignored()? {
            return Ok(Vec::new());
        }
        let statement = "SELECT source, event, count, first_at, last_at FROM ignored
            ORDER BY source, event";
        let rows = self.database.query(statement, &[])?;
        let read = |row: &crate::delivery::database::Row| {
            let (source, event) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            Ok((source, event, row.integer(2)?, row.integer(3)?, row.integer(4)?))
        };
        rows.iter().map(read).collect()
    }

    /// Removes what came last at `oldest` or before.
    pub(super) fn clean_ignored(&self, oldest: i64) -> Result<()> {
        if !self.has_ignored()? {
            return Ok(());
        }
        let statement = "DELETE FROM ignored WHERE (source, event) IN
            (SELECT source, event FROM ignored WHERE last_at <= ? LIMIT ?)";
        self.database.query(statement, &[oldest.into(), CLEANING.into()]).map(drop)
    }

    fn has_ignored(&self) -> Result<bool> {
        let statement = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ignored'";
        Ok(!self.database.query(statement, &[])?.is_empty())
    }
}
