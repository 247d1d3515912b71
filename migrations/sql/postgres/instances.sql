CREATE TABLE durable_instances (
    no BIGSERIAL PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    lease_until BIGINT NOT NULL,
    lock_key BIGINT
);
