ALTER TABLE durable_runs
    ADD COLUMN aside VARCHAR(32) GENERATED ALWAYS AS (CASE WHEN status IN
        ('blocked', 'paused', 'cancelling', 'failed', 'cancelled', 'dead', 'compensation_failed')
        THEN status END) STORED,
    ADD KEY durable_runs_aside (aside, created_at, id);
