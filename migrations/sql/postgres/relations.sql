ALTER TABLE durable_runs ADD COLUMN parent TEXT COLLATE "C";
ALTER TABLE durable_runs ADD COLUMN cascades BIGINT NOT NULL DEFAULT 0;
ALTER TABLE durable_runs ADD COLUMN joined BIGINT NOT NULL DEFAULT 0;
ALTER TABLE durable_runs ADD COLUMN next_run TEXT COLLATE "C";
ALTER TABLE durable_runs ADD COLUMN deadline BIGINT;
CREATE INDEX durable_runs_children ON durable_runs (parent, created_at, id) WHERE parent IS NOT NULL;
CREATE TABLE durable_joins (
    no BIGSERIAL PRIMARY KEY,
    target_no BIGINT NOT NULL,
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    UNIQUE (run_no, seq)
);
CREATE INDEX durable_joins_by_target ON durable_joins (target_no, no);
