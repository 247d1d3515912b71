CREATE TABLE IF NOT EXISTS durable_runs (
    no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id VARCHAR(191) NOT NULL,
    workflow VARCHAR(191) NOT NULL,
    version BIGINT NOT NULL,
    status VARCHAR(32) NOT NULL,
    token BIGINT NOT NULL,
    owner VARCHAR(191),
    wake_at BIGINT NOT NULL,
    wakes BIGINT NOT NULL,
    seen_wakes BIGINT NOT NULL,
    recoveries BIGINT NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT,
    tags LONGTEXT,
    failure LONGTEXT,
    output LONGBLOB,
    UNIQUE KEY durable_runs_id (id),
    KEY durable_runs_due (owner, wake_at, no),
    KEY durable_runs_newest (created_at, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_inputs (
    run_no BIGINT PRIMARY KEY,
    payload LONGBLOB NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_checkpoints (
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    ord BIGINT,
    kind VARCHAR(32) NOT NULL,
    name LONGTEXT NOT NULL,
    status VARCHAR(32) NOT NULL,
    attempt BIGINT NOT NULL,
    wake_at BIGINT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    rev BIGINT NOT NULL,
    site LONGTEXT,
    failure LONGTEXT,
    events LONGTEXT,
    result LONGBLOB,
    PRIMARY KEY (run_no, seq)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_tags (
    tag VARCHAR(191) NOT NULL,
    run_no BIGINT NOT NULL,
    PRIMARY KEY (tag, run_no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_published (
    run_no BIGINT NOT NULL,
    name VARCHAR(191) NOT NULL,
    payload LONGBLOB NOT NULL,
    PRIMARY KEY (run_no, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
