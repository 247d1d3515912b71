CREATE INDEX durable_runs_ended ON durable_runs (finished_at, no) WHERE finished_at IS NOT NULL;
