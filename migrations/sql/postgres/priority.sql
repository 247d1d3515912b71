ALTER TABLE durable_runs ADD COLUMN priority BIGINT;
DROP INDEX durable_runs_due;
CREATE INDEX durable_runs_due ON durable_runs (wake_at)
    WHERE owner IS NULL AND wake_at < 9223372036854775807 AND priority IS NULL;
CREATE INDEX durable_runs_ranked ON durable_runs (priority, wake_at)
    WHERE owner IS NULL AND wake_at < 9223372036854775807 AND priority IS NOT NULL;
