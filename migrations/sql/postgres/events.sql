CREATE TABLE durable_listens (
    no BIGSERIAL PRIMARY KEY,
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    anchor BIGINT NOT NULL,
    facts TEXT NOT NULL,
    UNIQUE (run_no, seq)
);
CREATE INDEX durable_listens_by_anchor ON durable_listens (anchor, no);
CREATE TABLE durable_events (
    no BIGSERIAL PRIMARY KEY,
    id BYTEA NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    payload BYTEA
);
CREATE INDEX durable_events_by_id ON durable_events (id);
CREATE INDEX durable_events_by_end ON durable_events (expires_at);
CREATE TABLE durable_event_facts (
    fact BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (fact, event_no)
);
CREATE INDEX durable_event_facts_by_event ON durable_event_facts (event_no);
CREATE TABLE durable_heard (
    run_no BIGINT NOT NULL,
    id BYTEA NOT NULL,
    forget_at BIGINT NOT NULL,
    PRIMARY KEY (run_no, id)
);
CREATE INDEX durable_heard_by_end ON durable_heard (forget_at);
