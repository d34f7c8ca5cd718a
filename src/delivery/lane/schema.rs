//! The tables of a lane, and the migrations from older versions.

use crate::delivery::database::{Database, StorageError, Value};

/// How a schema version is made from the one before it.
struct Migration {
    /// Columns of `delivery` that are added first, where they are not there yet.
    columns: &'static [(&'static str, &'static str)],
    /// What is executed then.
    script: &'static str,
}

impl Migration {
    /// One that adds no column.
    const fn script(script: &'static str) -> Self {
        Self { columns: &[], script }
    }
}

/// One for each schema version; the last one makes the current version. One that has been deployed is
/// never changed, and can be executed again after it failed at any of its statements.
const MIGRATIONS: &[Migration] = &[
    Migration::script(
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
    ),
    // A row is waiting (due_at), leased (lease_until) or final (neither). A delivery that is sent at
    // once writes four rows: the table and `leased` when it comes, the table and `ended` when it ends.
    // Without a rowid the primary key is the table itself, not an index beside it. The first statement
    // is for a second execution, after `deliveries` was dropped.
    Migration::script(
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
    ),
    // The breaker has a table of its own. When one that was open had opened was not known.
    Migration::script(
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
    ),
    // Attempts are history: the row holds the last result, and a trigger keeps each one that it replaces
    // (see history.rs). A row that was replayed is scheduled, and one that cannot be opened is blocked again
    // and again, without a further attempt: neither is another result. What a person has acknowledged needs no attention, until its outcome changes.
    Migration {
        columns: &[("acknowledged_at", "INTEGER"), ("acknowledged_note", "TEXT")],
        script: "
CREATE TABLE IF NOT EXISTS attempt (
    source TEXT NOT NULL,
    request_id TEXT NOT NULL,
    slot TEXT NOT NULL,
    at INTEGER NOT NULL,
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER,
    detail TEXT,
    trace TEXT,
    PRIMARY KEY (source, request_id, slot, at, number)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS attempt_of_update AFTER UPDATE OF outcome, updated_at ON delivery
WHEN OLD.attempts > 0 AND (NEW.outcome <> OLD.outcome OR NEW.updated_at <> OLD.updated_at)
BEGIN
    INSERT INTO attempt SELECT OLD.source, OLD.request_id, OLD.slot, OLD.updated_at, OLD.attempts,
        OLD.outcome, OLD.status, OLD.detail, OLD.trace
    WHERE NOT EXISTS
        (SELECT 1 FROM attempt WHERE source = OLD.source AND request_id = OLD.request_id
         AND slot = OLD.slot AND number = OLD.attempts AND (OLD.outcome = 'scheduled'
            OR (outcome, status, detail) IS (OLD.outcome, OLD.status, OLD.detail)))
    ON CONFLICT DO NOTHING;
    DELETE FROM attempt WHERE source = OLD.source AND request_id = OLD.request_id
        AND slot = OLD.slot AND (at, number) IN
        (SELECT at, number FROM attempt WHERE source = OLD.source AND request_id = OLD.request_id
         AND slot = OLD.slot ORDER BY at DESC, number DESC LIMIT -1 OFFSET 100);
END;
CREATE TRIGGER IF NOT EXISTS attempt_of_rename AFTER UPDATE OF request_id ON delivery
BEGIN
    UPDATE attempt SET request_id = NEW.request_id
    WHERE source = OLD.source AND request_id = OLD.request_id AND slot = OLD.slot;
END;
CREATE TRIGGER IF NOT EXISTS attempt_of_delete AFTER DELETE ON delivery
BEGIN
    DELETE FROM attempt
    WHERE source = OLD.source AND request_id = OLD.request_id AND slot = OLD.slot;
END;
CREATE TRIGGER IF NOT EXISTS acknowledged_until AFTER UPDATE OF outcome ON delivery
WHEN NEW.acknowledged_at IS NOT NULL AND NEW.outcome <> OLD.outcome
BEGIN
    UPDATE delivery SET acknowledged_at = NULL, acknowledged_note = NULL
    WHERE source = NEW.source AND request_id = NEW.request_id AND slot = NEW.slot;
END;
DROP INDEX IF EXISTS attention;
CREATE INDEX IF NOT EXISTS attention ON delivery (received_at, source, request_id)
    WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled') AND acknowledged_at IS NULL;
CREATE INDEX IF NOT EXISTS acknowledged ON delivery (received_at, source, request_id)
    WHERE acknowledged_at IS NOT NULL;
",
    },
];

/// How many former results of one delivery are kept: the newest. The trigger `attempt_of_update` has the
/// same number.
pub(super) const MOST_ATTEMPTS: u32 = 100;

/// The condition of the index `attention`, word for word, so that SQLite uses it.
pub(super) const ATTENTION: &str =
    "outcome NOT IN ('accepted', 'already_absent', 'scheduled') AND acknowledged_at IS NULL";

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
    for (migration, number) in MIGRATIONS.iter().zip(1_i64..).skip(applied) {
        for (column, kind) in migration.columns {
            if !has_column(database, column)? {
                let add = format!("ALTER TABLE delivery ADD COLUMN {column} {kind}");
                database.query(&add, &[])?;
            }
        }
        database.query(migration.script, &[])?;
        if number == 1 {
            let begin =
                "INSERT INTO lane SELECT ?, 0, NULL, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM lane)";
            database.query(begin, &[account.into()])?;
        }
        // Last: what has been noted is not executed again.
        let note = if number == 1 && stored.is_empty() {
            "INSERT INTO schema VALUES (?)"
        } else {
            "UPDATE schema SET version = ?"
        };
        database.query(note, &[Value::from(number)])?;
    }
    Ok(())
}

/// Whether `delivery` has this column, of whose name no other one is a part.
fn has_column(database: &impl Database, column: &str) -> Result<bool, StorageError> {
    const DEFINED: &str =
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'delivery'";
    let rows = database.query(DEFINED, &[])?;
    rows.first().map_or(Ok(false), |row| Ok(row.text(0)?.contains(column)))
}

/// Whose lane is stored, for whoever is woken without being told.
///
/// # Errors
/// [`StorageError`], also where no lane is.
pub fn account(database: &impl Database) -> Result<String, StorageError> {
    let rows = database.query("SELECT account FROM lane", &[])?;
    Ok(rows.first().ok_or(StorageError::Corrupt)?.text(0)?.to_owned())
}
