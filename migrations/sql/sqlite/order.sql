CREATE TABLE durable_signals_in_order (
    no INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    token TEXT NOT NULL,
    buffered INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    payload BLOB
);
INSERT INTO durable_signals_in_order (id, token, buffered, sent_at, payload)
    SELECT id, token, buffered, sent_at, payload FROM durable_signals ORDER BY id;
DROP TABLE durable_signals;
ALTER TABLE durable_signals_in_order RENAME TO durable_signals;
CREATE INDEX durable_signals_buffered ON durable_signals (token) WHERE buffered = 1;
