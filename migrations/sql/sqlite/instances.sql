CREATE TABLE durable_instances (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    lease_until INTEGER NOT NULL,
    lock_key INTEGER
);
