//! What a lane stores, and how older storage becomes today's.

use crate::delivery::database::{Database, StorageError, Value};

/// One script for each version; the last one makes today's. A script that has been deployed is
/// never changed.
const MIGRATIONS: &[&str] = &["
CREATE TABLE lane (
    account TEXT NOT NULL,
    failures INTEGER NOT NULL,
    blocked TEXT,
    rests_until INTEGER NOT NULL,
    open INTEGER NOT NULL
);
CREATE TABLE flow (
    call TEXT PRIMARY KEY,
    steady_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    request_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    call TEXT,
    identifier TEXT,
    subject TEXT,
    person TEXT,
    outcome TEXT NOT NULL,
    status INTEGER,
    attempts INTEGER NOT NULL,
    detail TEXT,
    trace TEXT,
    updated_at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    due_at INTEGER,
    UNIQUE (source, request_id, slot)
);
CREATE INDEX due ON deliveries (call, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX received ON deliveries (received_at, source, request_id);
CREATE INDEX attention ON deliveries (received_at, source, request_id)
    WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled');
CREATE INDEX kept ON deliveries (updated_at) WHERE person IS NOT NULL AND due_at IS NULL;
"];

/// Makes or migrates the tables of the lane of `account`.
///
/// # Errors
/// [`StorageError::UnknownSchema`] for storage of a later version, which is not touched.
pub fn prepare(database: &impl Database, account: &str) -> Result<(), StorageError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    database.query("CREATE TABLE IF NOT EXISTS schema (version INTEGER NOT NULL)", &[])?;
    let stored = database.query("SELECT version FROM schema", &[])?;
    let version = stored.first().map_or(Ok(0), |row| row.integer(0))?;
    if version > known || version < 0 {
        return Err(StorageError::UnknownSchema(version));
    }
    if version == known {
        return Ok(());
    }
    let done = usize::try_from(version).unwrap_or_default();
    for script in MIGRATIONS.iter().skip(done) {
        database.query(script, &[])?;
    }
    let note = if stored.is_empty() {
        "INSERT INTO schema VALUES (?)"
    } else {
        "UPDATE schema SET version = ?"
    };
    database.query(note, &[Value::from(known)])?;
    if version == 0 {
        database.query("INSERT INTO lane VALUES (?, 0, NULL, 0, 0)", &[account.into()])?;
    }
    Ok(())
}

/// Whose lane is stored, for whoever is woken without being told.
///
/// # Errors
/// [`StorageError`], also where no lane is.
pub fn account(database: &impl Database) -> Result<String, StorageError> {
    let rows = database.query("SELECT account FROM lane", &[])?;
    Ok(rows.first().ok_or(StorageError::Corrupt)?.text(0)?.to_owned())
}
