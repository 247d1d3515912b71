ALTER TABLE durable_runs
    ADD COLUMN parent VARCHAR(191),
    ADD COLUMN cascades BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN joined BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN next_run VARCHAR(191),
    ADD COLUMN deadline BIGINT,
    ADD KEY durable_runs_children (parent, created_at, id);
CREATE TABLE IF NOT EXISTS durable_joins (
    no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    target_no BIGINT NOT NULL,
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    UNIQUE KEY durable_joins_run (run_no, seq),
    KEY durable_joins_by_target (target_no, no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
