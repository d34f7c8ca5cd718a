CREATE TABLE schema (version INTEGER NOT NULL);
INSERT INTO schema VALUES (1);
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
