CREATE INDEX durable_runs_not_completed ON durable_runs (created_at, id) WHERE output IS NULL;
ALTER TABLE durable_instances ADD COLUMN report TEXT;
ALTER TABLE durable_instances ADD COLUMN reported_at INTEGER;
