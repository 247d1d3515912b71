ALTER TABLE durable_runs ADD COLUMN fingerprint INTEGER;
