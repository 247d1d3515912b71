CREATE TABLE IF NOT EXISTS durable_instances (
    no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id VARCHAR(191) NOT NULL,
    lease_until BIGINT NOT NULL,
    lock_key VARCHAR(64),
    UNIQUE KEY durable_instances_id (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
