CREATE TABLE IF NOT EXISTS durable_audit (
    no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    run_id VARCHAR(191) NOT NULL,
    acted_at BIGINT NOT NULL,
    actor VARCHAR(191),
    reason LONGTEXT,
    action VARCHAR(32) NOT NULL,
    detail LONGTEXT,
    KEY durable_audit_by_run (run_id, no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
