//! Runs, their inputs, checkpoints, tags and published values.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables and indexes, for SQLite.
///
/// `durable_runs` is rewritten at each commit of a run and therefore narrow: the input, which
/// never changes and may be large, has a table of its own. Other tables name a run by its number,
/// which makes their keys small and lets them grow at the end. They are ordinary rowid tables:
/// with WITHOUT ROWID an insert costs twice as much.
///
/// | index | serves |
/// |---|---|
/// | `durable_runs_due` | claim: runs that nobody holds, longest due first |
/// | `durable_runs_held` | recover, resign, held, woken: the runs of one instance |
/// | `durable_runs_newest` | list: newest first, by page |
const SQLITE: &str = "
CREATE TABLE durable_runs (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    token INTEGER NOT NULL,
    owner TEXT,
    wake_at INTEGER NOT NULL,
    wakes INTEGER NOT NULL,
    seen_wakes INTEGER NOT NULL,
    recoveries INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    tags TEXT,
    failure TEXT,
    output BLOB
);
CREATE INDEX durable_runs_due ON durable_runs (wake_at)
    WHERE owner IS NULL AND wake_at < 9223372036854775807;
CREATE INDEX durable_runs_held ON durable_runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX durable_runs_newest ON durable_runs (created_at, id);
CREATE TABLE durable_inputs (
    run_no INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
);
CREATE TABLE durable_checkpoints (
    run_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ord INTEGER,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    wake_at INTEGER,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    rev INTEGER NOT NULL,
    site TEXT,
    failure TEXT,
    events TEXT,
    result BLOB,
    PRIMARY KEY (run_no, seq)
);
CREATE TABLE durable_tags (
    tag TEXT NOT NULL,
    run_no INTEGER NOT NULL,
    PRIMARY KEY (tag, run_no)
);
CREATE TABLE durable_published (
    run_no INTEGER NOT NULL,
    key TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run_no, key)
);
";

const DOWN: &str = "
DROP TABLE durable_published;
DROP TABLE durable_tags;
DROP TABLE durable_checkpoints;
DROP TABLE durable_inputs;
DROP TABLE durable_runs;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(SQLITE)
            .await
            .map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(DOWN)
            .await
            .map(drop)
    }
}
