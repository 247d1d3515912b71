ALTER TABLE durable_runs ADD KEY durable_runs_of (workflow, created_at, id);
