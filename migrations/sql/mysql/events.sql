CREATE TABLE IF NOT EXISTS durable_listens (
    no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    run_no BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    anchor BIGINT NOT NULL,
    facts LONGTEXT NOT NULL,
    UNIQUE KEY durable_listens_run (run_no, seq),
    KEY durable_listens_by_anchor (anchor, no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_events (
    no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id VARBINARY(16) NOT NULL,
    name VARCHAR(191) NOT NULL,
    expires_at BIGINT NOT NULL,
    payload LONGBLOB,
    KEY durable_events_by_id (id),
    KEY durable_events_by_end (expires_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_event_facts (
    fact BIGINT NOT NULL,
    event_no BIGINT NOT NULL,
    PRIMARY KEY (fact, event_no),
    KEY durable_event_facts_by_event (event_no)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS durable_heard (
    run_no BIGINT NOT NULL,
    id VARBINARY(16) NOT NULL,
    forget_at BIGINT NOT NULL,
    PRIMARY KEY (run_no, id),
    KEY durable_heard_by_end (forget_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
