CREATE INDEX durable_runs_of ON durable_runs (workflow, created_at, id);
