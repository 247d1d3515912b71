CREATE INDEX durable_runs_ended ON durable_runs (finished_at) WHERE finished_at IS NOT NULL;
