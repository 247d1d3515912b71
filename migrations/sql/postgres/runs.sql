CREATE TABLE durable_runs (
    no BIGSERIAL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    workflow TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    token BIGINT NOT NULL,
    owner TEXT COLLATE "C",
    wake_at BIGINT NOT NULL,
    wakes BIGINT NOT NULL,
    seen_wakes BIGINT NOT NULL,
    recoveries BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT,
    tags TEXT,
    failure TEXT,
    output BYTEA
) WITH (fillfactor = 60);
CREATE INDEX durable_runs_due ON durable_runs (wake_at)
    WHERE owner IS NULL AND wake_at < 9223372036854775807;
CREATE INDEX durable_runs_held ON durable_runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX durable_runs_newest ON durable_runs (created_at, id);
CREATE TABLE durable_inputs (
    run_no BIGINT PRIMARY KEY,
    payload BYTEA NOT NULL
);
CREATE TABLE durable_checkpoints (
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    ord BIGINT,
    kind TEXT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    status TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    wake_at BIGINT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    rev BIGINT NOT NULL,
    site TEXT,
    failure TEXT,
    events TEXT,
    result BYTEA,
    PRIMARY KEY (run_no, seq)
);
CREATE TABLE durable_tags (
    tag TEXT COLLATE "C" NOT NULL,
    run_no BIGINT NOT NULL,
    PRIMARY KEY (tag, run_no)
);
CREATE TABLE durable_published (
    run_no BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (run_no, name)
);
