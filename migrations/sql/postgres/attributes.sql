ALTER TABLE durable_runs ADD COLUMN attributes TEXT;
ALTER TABLE durable_runs ADD COLUMN namespace TEXT COLLATE "C" NOT NULL DEFAULT 'default';
CREATE INDEX durable_runs_of_namespace ON durable_runs (namespace, created_at, id)
    WHERE namespace <> 'default';
CREATE TABLE durable_attributes (
    run_no BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    num BIGINT,
    word TEXT COLLATE "C",
    PRIMARY KEY (run_no, name)
);
CREATE INDEX durable_attributes_by_number ON durable_attributes (name, kind, num, run_no)
    WHERE num IS NOT NULL;
CREATE INDEX durable_attributes_by_text ON durable_attributes (name, word, run_no)
    WHERE word IS NOT NULL;
