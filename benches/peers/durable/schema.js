// What the object stores: the relay's tables.

export const SCHEMA = `
CREATE TABLE IF NOT EXISTS lane (
    account TEXT PRIMARY KEY, failures INTEGER NOT NULL, blocked TEXT, rests_until INTEGER NOT NULL,
    open INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pace (call TEXT PRIMARY KEY, steady_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    source TEXT NOT NULL, request_id TEXT NOT NULL, slot TEXT NOT NULL, position INTEGER NOT NULL,
    received_at INTEGER NOT NULL, call TEXT, identifier TEXT, subject TEXT, names TEXT, person BLOB,
    outcome TEXT NOT NULL, status INTEGER, attempts INTEGER NOT NULL, detail TEXT, trace TEXT,
    updated_at INTEGER NOT NULL, failures INTEGER NOT NULL, deadline_at INTEGER NOT NULL,
    lease INTEGER NOT NULL, lease_until INTEGER, due_at INTEGER,
    PRIMARY KEY (source, request_id, slot)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due ON deliveries (call, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS waiting ON deliveries (received_at, source, request_id) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS leased ON deliveries (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS arrived ON deliveries (received_at, source, request_id);
CREATE INDEX IF NOT EXISTS attention ON deliveries (received_at, source, request_id)
    WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled');
CREATE INDEX IF NOT EXISTS kept ON deliveries (updated_at)
    WHERE person IS NOT NULL AND due_at IS NULL AND lease_until IS NULL;
`;

// What is known of an erasure.
export const FIND = `SELECT slot, position, received_at, call, identifier, subject, outcome, status,
    attempts, detail, trace, updated_at, due_at
    FROM deliveries WHERE source = ? AND request_id = ? ORDER BY position`;

export const INSERT = `INSERT INTO deliveries (source, request_id, slot, position, received_at, call,
    identifier, subject, names, person, outcome, attempts, detail, updated_at, failures, deadline_at,
    lease, lease_until, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, ?, ?, ?, ?)`;

// An erasure that had nobody whom the vendor takes has somebody now.
export const FORGET_NOBODY = "DELETE FROM deliveries WHERE source = ? AND request_id = ? AND slot = ''";

const SETTLE = (person) => `UPDATE deliveries SET outcome = ?, status = ?, attempts = ?, detail = ?,
    trace = ?, updated_at = ?, failures = ?, due_at = ?${person}, lease = lease + 1, lease_until = NULL
    WHERE source = ? AND request_id = ? AND slot = ? AND lease = ?`;
export const SETTLE_AND_KEEP = SETTLE("");
export const SETTLE_AND_ERASE = SETTLE(", person = NULL");

export const GIVE_BACK = `UPDATE deliveries SET due_at = ?, lease = lease + 1, lease_until = NULL
    WHERE source = ? AND request_id = ? AND slot = ? AND lease = ?`;

// Whoever held these leases is gone.
export const EXPIRE = `UPDATE deliveries SET due_at = ?, lease = lease + 1, lease_until = NULL
    WHERE lease_until <= ?`;

export const DUE = `SELECT source, request_id, slot, identifier, subject, person, attempts, failures,
    deadline_at, lease FROM deliveries WHERE call = ? AND due_at <= ? ORDER BY due_at LIMIT ?`;

export const LEASE = `UPDATE deliveries SET outcome = 'scheduled', due_at = NULL, lease = ?,
    lease_until = ? WHERE source = ? AND request_id = ? AND slot = ?`;

// The account is no longer blocked.
export const RELEASE = `UPDATE deliveries SET outcome = 'scheduled', due_at = ?
    WHERE outcome NOT IN ('accepted', 'already_absent', 'scheduled')
    AND outcome = 'blocked' AND due_at IS NOT NULL`;

export const FIRST_DUE = "SELECT MIN(due_at) AS at FROM deliveries WHERE call = ? AND due_at IS NOT NULL";
export const FIRST_LEASE = "SELECT MIN(lease_until) AS at FROM deliveries WHERE lease_until IS NOT NULL";

export const STORE_PACE = `INSERT INTO pace VALUES (?, ?)
    ON CONFLICT (call) DO UPDATE SET steady_at = excluded.steady_at`;
export const STORE_LANE = `INSERT INTO lane VALUES (?, ?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET
    failures = excluded.failures, blocked = excluded.blocked, rests_until = excluded.rests_until,
    open = excluded.open`;
