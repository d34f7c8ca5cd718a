//! Notices: which erasures have changed since their platform's lane was told. A trigger writes them, so
//! each is stored in the same transaction as the change, whatever made it.

use super::{Lane, Record, Result};
use crate::delivery::database::Database;
use crate::receipt::Timestamp;

/// An erasure that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its source.
    pub source: String,
    /// The platform's id.
    pub request_id: String,
    /// Counts the changes.
    version: i64,
    /// What is known of it now.
    pub records: Vec<Record>,
}

/// The name of each trigger, when it runs, and which row is meant.
const TRIGGERS: [(&str, &str, &str); 3] = [
    ("notice_of_insert", "AFTER INSERT ON delivery WHEN NEW.outcome <> 'scheduled'", "NEW"),
    (
        "notice_of_update",
        "AFTER UPDATE OF outcome ON delivery WHEN NEW.outcome <> OLD.outcome",
        "NEW",
    ),
    ("notice_of_delete", "AFTER DELETE ON delivery WHEN OLD.outcome <> ''", "OLD"),
];

impl<D: Database> Lane<D> {
    /// From now on, changes of the erasures of these sources are noticed, and of no others. The names
    /// are those of the configuration: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn watch(&self, sources: &[&str]) -> Result<()> {
        const TABLE: &str = "CREATE TABLE IF NOT EXISTS notice (
            source TEXT NOT NULL,
            request_id TEXT NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (source, request_id)
        ) WITHOUT ROWID";
        const KNOWN: &str = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?";
        let named = |name: &&str| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let quoted = sources.iter().filter(|name| named(name)).map(|name| format!("'{name}'"));
        let quoted: Vec<String> = quoted.collect();
        if !quoted.is_empty() {
            self.database.query(TABLE, &[])?;
        }
        for (name, event, row) in TRIGGERS {
            let wanted = format!(
                "CREATE TRIGGER {name} {event} AND {row}.source IN ({}) BEGIN
                    INSERT INTO notice VALUES ({row}.source, {row}.request_id, 1)
                    ON CONFLICT DO UPDATE SET version = version + 1; END",
                quoted.join(", ")
            );
            let known = self.database.query(KNOWN, &[name.into()])?;
            let known = known.first().map(|row| row.text(0)).transpose()?;
            if known == Some(wanted.as_str()) {
                continue;
            }
            if known.is_some() {
                self.database.query(&format!("DROP TRIGGER {name}"), &[])?;
            }
            if !quoted.is_empty() {
                self.database.query(&wanted, &[])?;
            }
        }
        Ok(())
    }

    /// At most so many notices, each with what is known of its erasure. The lane must be
    /// [watched](Self::watch).
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn notices(&self, most: u32) -> Result<Vec<Notice>> {
        let statement = "SELECT source, request_id, version FROM notice LIMIT ?";
        let mut notices = Vec::new();
        for row in self.database.query(statement, &[most.into()])? {
            let (source, request_id) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            let records = self.find(&source, &request_id)?;
            notices.push(Notice { source, request_id, version: row.integer(2)?, records });
        }
        Ok(notices)
    }

    /// The platform's lane has been told of this change. Where there was another since, a notice stays.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn forget_notice(&self, notice: &Notice) -> Result<()> {
        let statement = "DELETE FROM notice WHERE source = ? AND request_id = ? AND version = ?";
        let Notice { source, request_id, version, .. } = notice;
        let bindings = [source.as_str().into(), request_id.as_str().into(), (*version).into()];
        self.database.query(statement, &bindings).map(drop)
    }

    /// Calls of this erasure that wait are given up by `at`, where that is before their deadline.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn give_up_by(&self, source: &str, request_id: &str, at: Timestamp) -> Result<()> {
        let statement = "UPDATE delivery SET deadline_at = MIN(deadline_at, ?)
            WHERE source = ? AND request_id = ?
            AND (due_at IS NOT NULL OR lease_until IS NOT NULL)";
        let bindings = [at.0.into(), source.into(), request_id.into()];
        self.database.query(statement, &bindings).map(drop)
    }

    /// Whether a call of this erasure is under way.
    ///
    /// # Errors
    /// [`StorageError`](crate::delivery::database::StorageError)
    pub fn is_under_way(&self, source: &str, request_id: &str) -> Result<bool> {
        let statement = "SELECT 1 FROM delivery
            WHERE source = ? AND request_id = ? AND lease_until IS NOT NULL LIMIT 1";
        let bindings = [source.into(), request_id.into()];
        Ok(!self.database.query(statement, &bindings)?.is_empty())
    }
}
