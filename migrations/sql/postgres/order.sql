CREATE SEQUENCE durable_signals_no;
ALTER TABLE durable_signals ADD COLUMN no BIGINT;
ALTER TABLE durable_signals ALTER COLUMN no SET DEFAULT nextval('durable_signals_no');
ALTER SEQUENCE durable_signals_no OWNED BY durable_signals.no;
DROP INDEX durable_signals_buffered;
CREATE INDEX durable_signals_buffered ON durable_signals (token, no NULLS FIRST, id) WHERE buffered;
