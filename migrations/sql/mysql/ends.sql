ALTER TABLE durable_runs ADD KEY durable_runs_ended (finished_at, no);
