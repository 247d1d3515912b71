ALTER TABLE durable_instances ADD COLUMN report LONGTEXT, ADD COLUMN reported_at BIGINT;
