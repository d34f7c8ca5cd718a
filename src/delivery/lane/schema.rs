//! The tables of a lane, and the migrations from older versions.

use crate::delivery::database::{Database, StorageError, Value};

/// One script for each schema version; the last one makes the current version. A script that has been
/// deployed is never changed, and can be executed again after it failed at any of its statements.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE IF NOT EXISTS lane (
    account TEXT NOT NULL,
    failures INTEGER NOT NULL,
    blocked TEXT,
    rests_until INTEGER NOT NULL,
    open INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS flow (
    call TEXT PRIMARY KEY,
    steady_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    request_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    call TEXT,
    identifier TEXT,
    subject TEXT,
    names TEXT,
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
CREATE INDEX IF NOT EXISTS due ON deliveries (call, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS waiting ON deliveries (received_at, source, request_id)
    WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS ended ON deliveries (received_at, source, request_id)
    WHERE due_at IS NULL;
CREATE INDEX IF NOT EXISTS attention ON deliveries (received_at, source, request_id)
    WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled');
CREATE INDEX IF NOT EXISTS kept ON deliveries (updated_at) WHERE person IS NOT NULL AND due_at IS NULL;
",
    // A row is waiting (due_at), leased (lease_until) or final (neither). A delivery that is sent at
    // once writes four rows: the table and `leased` when it comes, the table and `ended` when it ends.
    // Without a rowid the primary key is the table itself, not an index beside it. The first statement
    // is for a second execution, after `deliveries` was dropped.
    "
CREATE TABLE IF NOT EXISTS deliveries (
    id, source, request_id, slot, received_at, call, identifier, subject, names, person, outcome,
    status, attempts, detail, trace, updated_at, failures, deadline_at, lease, due_at
);
CREATE TABLE IF NOT EXISTS delivery (
    source TEXT NOT NULL,
    request_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    position INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    call TEXT,
    identifier TEXT,
    subject TEXT,
    names TEXT,
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
    lease_until INTEGER,
    due_at INTEGER,
    PRIMARY KEY (source, request_id, slot)
) WITHOUT ROWID;
INSERT OR IGNORE INTO delivery
    SELECT source, request_id, slot, id, received_at, call, identifier, subject, names, person,
        outcome, status, attempts, detail, trace, updated_at, failures, deadline_at, lease, NULL,
        due_at
    FROM deliveries;
DROP TABLE deliveries;
CREATE INDEX IF NOT EXISTS due ON delivery (call, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS waiting ON delivery (received_at, source, request_id) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS leased ON delivery (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS ended ON delivery (received_at, source, request_id)
    WHERE due_at IS NULL AND lease_until IS NULL;
CREATE INDEX IF NOT EXISTS attention ON delivery (received_at, source, request_id)
    WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled');
CREATE INDEX IF NOT EXISTS kept ON delivery (updated_at)
    WHERE person IS NOT NULL AND due_at IS NULL AND lease_until IS NULL;
",
    // The breaker has a table of its own. When one that was open had opened was not known.
    "
CREATE TABLE IF NOT EXISTS breaker (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    failures INTEGER NOT NULL,
    suspects TEXT NOT NULL,
    suspects_rest_until INTEGER NOT NULL,
    blocked TEXT,
    probe_at INTEGER NOT NULL,
    quiet_until INTEGER NOT NULL,
    opened_at INTEGER
);
INSERT OR IGNORE INTO breaker
    SELECT 0, failures, '[]', 0, blocked, rests_until, rests_until, CASE open WHEN 0 THEN NULL ELSE 0 END
    FROM lane;
",
];

/// The condition of the index `attention`, word for word, so that SQLite uses it.
pub(super) const ATTENTION: &str = "outcome NOT IN ('accepted', 'already_absent', 'scheduled')";

/// A row that nothing more is done with.
pub(super) const FINAL: &str = "due_at IS NULL AND lease_until IS NULL";

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
    let applied = usize::try_from(version).unwrap_or_default();
    for script in MIGRATIONS.iter().skip(applied) {
        database.query(script, &[])?;
    }
    if version == 0 {
        let begin =
            "INSERT INTO lane SELECT ?, 0, NULL, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM lane)";
        database.query(begin, &[account.into()])?;
    }
    // Last: the scripts of a noted version are not executed again.
    let note = if stored.is_empty() {
        "INSERT INTO schema VALUES (?)"
    } else {
        "UPDATE schema SET version = ?"
    };
    database.query(note, &[Value::from(known)])?;
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
