CREATE TABLE durable_waiters (
    no BIGSERIAL PRIMARY KEY,
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    token TEXT COLLATE "C" NOT NULL,
    UNIQUE (run_no, seq)
);
CREATE INDEX durable_waiters_by_token ON durable_waiters (token, no);
CREATE TABLE durable_signals (
    id BYTEA NOT NULL UNIQUE,
    token TEXT COLLATE "C" NOT NULL,
    buffered BOOLEAN NOT NULL,
    sent_at BIGINT NOT NULL,
    payload BYTEA
);
CREATE INDEX durable_signals_buffered ON durable_signals (token, id) WHERE buffered;
CREATE TABLE durable_inbox (
    id BIGSERIAL PRIMARY KEY,
    run_no BIGINT NOT NULL,
    kind TEXT NOT NULL,
    seq BIGINT,
    attempt BIGINT,
    signal_id BYTEA,
    failure TEXT,
    payload BYTEA
);
CREATE INDEX durable_inbox_by_run ON durable_inbox (run_no, id);
