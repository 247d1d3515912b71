CREATE TABLE durable_listens (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    run_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    anchor INTEGER NOT NULL,
    facts TEXT NOT NULL,
    UNIQUE (run_no, seq)
);
CREATE INDEX durable_listens_by_anchor ON durable_listens (anchor, no);
CREATE TABLE durable_events (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    payload BLOB
);
CREATE INDEX durable_events_by_id ON durable_events (id);
CREATE INDEX durable_events_by_end ON durable_events (expires_at);
CREATE TABLE durable_event_facts (
    fact INTEGER NOT NULL,
    event_no INTEGER NOT NULL,
    PRIMARY KEY (fact, event_no)
);
CREATE INDEX durable_event_facts_by_event ON durable_event_facts (event_no);
CREATE TABLE durable_heard (
    run_no INTEGER NOT NULL,
    id BLOB NOT NULL,
    forget_at INTEGER NOT NULL,
    PRIMARY KEY (run_no, id)
);
CREATE INDEX durable_heard_by_end ON durable_heard (forget_at);
