CREATE TABLE durable_runs (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    token INTEGER NOT NULL,
    owner TEXT,
    wake_at INTEGER NOT NULL,
    wakes INTEGER NOT NULL,
    seen_wakes INTEGER NOT NULL,
    recoveries INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    tags TEXT,
    failure TEXT,
    output BLOB
);
CREATE INDEX durable_runs_due ON durable_runs (wake_at)
    WHERE owner IS NULL AND wake_at < 9223372036854775807;
CREATE INDEX durable_runs_held ON durable_runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX durable_runs_newest ON durable_runs (created_at, id);
CREATE TABLE durable_inputs (
    run_no INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
);
CREATE TABLE durable_checkpoints (
    run_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ord INTEGER,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    wake_at INTEGER,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    rev INTEGER NOT NULL,
    site TEXT,
    failure TEXT,
    events TEXT,
    result BLOB,
    PRIMARY KEY (run_no, seq)
);
CREATE TABLE durable_tags (
    tag TEXT NOT NULL,
    run_no INTEGER NOT NULL,
    PRIMARY KEY (tag, run_no)
);
CREATE TABLE durable_published (
    run_no INTEGER NOT NULL,
    name TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run_no, name)
);
