CREATE TABLE durable_waiters (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    run_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    token TEXT NOT NULL,
    UNIQUE (run_no, seq)
);
CREATE INDEX durable_waiters_by_token ON durable_waiters (token, no);
CREATE TABLE durable_signals (
    id BLOB NOT NULL UNIQUE,
    token TEXT NOT NULL,
    buffered INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    payload BLOB
);
CREATE INDEX durable_signals_buffered ON durable_signals (token, id) WHERE buffered = 1;
CREATE TABLE durable_inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    seq INTEGER,
    attempt INTEGER,
    signal_id BLOB,
    failure TEXT,
    payload BLOB
);
CREATE INDEX durable_inbox_by_run ON durable_inbox (run_no, id);
