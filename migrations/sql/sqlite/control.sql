CREATE TABLE durable_audit (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    acted_at INTEGER NOT NULL,
    actor TEXT,
    reason TEXT,
    action TEXT NOT NULL,
    detail TEXT
);
CREATE INDEX durable_audit_by_run ON durable_audit (run_id, no);
