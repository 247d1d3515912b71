ALTER TABLE durable_runs ADD COLUMN parent TEXT;
ALTER TABLE durable_runs ADD COLUMN cascades INTEGER NOT NULL DEFAULT 0;
ALTER TABLE durable_runs ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE durable_runs ADD COLUMN next_run TEXT;
ALTER TABLE durable_runs ADD COLUMN deadline INTEGER;
CREATE INDEX durable_runs_children ON durable_runs (parent, created_at, id) WHERE parent IS NOT NULL;
CREATE TABLE durable_joins (
    no INTEGER PRIMARY KEY,
    target_no INTEGER NOT NULL,
    run_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    UNIQUE (run_no, seq)
);
CREATE INDEX durable_joins_by_target ON durable_joins (target_no, no);
