ALTER TABLE durable_runs
    ADD COLUMN attributes LONGTEXT,
    ADD COLUMN namespace VARCHAR(191) NOT NULL DEFAULT 'default',
    ADD KEY durable_runs_of_namespace (namespace, created_at, id);
CREATE TABLE IF NOT EXISTS durable_attributes (
    run_no BIGINT NOT NULL,
    name VARCHAR(64) NOT NULL,
    kind VARCHAR(8) NOT NULL,
    num BIGINT,
    word VARBINARY(255),
    PRIMARY KEY (run_no, name),
    KEY durable_attributes_by_number (name, kind, num, run_no),
    KEY durable_attributes_by_text (name, word, run_no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
