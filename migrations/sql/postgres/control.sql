CREATE TABLE durable_audit (
    no BIGSERIAL PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL,
    acted_at BIGINT NOT NULL,
    actor TEXT,
    reason TEXT,
    action TEXT NOT NULL,
    detail TEXT
);
CREATE INDEX durable_audit_by_run ON durable_audit (run_id, no);
