ALTER TABLE durable_runs
    ADD COLUMN priority BIGINT,
    DROP KEY durable_runs_due,
    ADD KEY durable_runs_due (owner, priority, wake_at, no);
