CREATE TABLE IF NOT EXISTS durable_waiters (
    no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    token VARCHAR(191) NOT NULL,
    UNIQUE KEY durable_waiters_run (run_no, seq),
    KEY durable_waiters_by_token (token, no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_signals (
    id VARBINARY(16) NOT NULL PRIMARY KEY,
    token VARCHAR(191) NOT NULL,
    buffered BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    payload LONGBLOB,
    KEY durable_signals_buffered (token, buffered, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_inbox (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    run_no BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    seq BIGINT,
    attempt BIGINT,
    signal_id VARBINARY(16),
    failure LONGTEXT,
    payload LONGBLOB,
    KEY durable_inbox_by_run (run_no, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_gates (
    no BIGINT NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
INSERT IGNORE INTO durable_gates (no)
VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15);
