ALTER TABLE durable_runs ADD COLUMN attributes TEXT;
ALTER TABLE durable_runs ADD COLUMN namespace TEXT NOT NULL DEFAULT 'default';
CREATE INDEX durable_runs_of_namespace ON durable_runs (namespace, created_at, id)
    WHERE namespace <> 'default';
CREATE TABLE durable_attributes (
    run_no INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    num INTEGER,
    word TEXT,
    PRIMARY KEY (run_no, name)
);
CREATE INDEX durable_attributes_by_number ON durable_attributes (name, kind, num, run_no)
    WHERE num IS NOT NULL;
CREATE INDEX durable_attributes_by_text ON durable_attributes (name, word, run_no)
    WHERE word IS NOT NULL;
