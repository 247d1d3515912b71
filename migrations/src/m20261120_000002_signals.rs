//! Waits for signals, signals, and the inboxes of runs.

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
/// A signal keeps its row after it was delivered, which is how a second delivery is recognised.
/// Numbers of waiters and inbox items are never used twice (AUTOINCREMENT): an owner that
/// removes an item must not hit a newer one.
///
/// | index | serves |
/// |---|---|
/// | `durable_waiters_by_token` | a signal looks for the longest-waiting waiter |
/// | `durable_signals_buffered` | a new wait looks for the oldest signal of its token |
/// | `durable_inbox_by_run` | claim and load: the items of a run, oldest first |
const SQLITE: &str = "
CREATE TABLE durable_waiters (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    run_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    token TEXT NOT NULL,
    UNIQUE (run_no, seq)
);
CREATE INDEX durable_waiters_by_token ON durable_waiters (token, no);
CREATE TABLE durable_signals (
    id BLOB NOT NULL UNIQUE,
    token TEXT NOT NULL,
    buffered INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    payload BLOB
);
CREATE INDEX durable_signals_buffered ON durable_signals (token, id) WHERE buffered = 1;
CREATE TABLE durable_inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    seq INTEGER,
    attempt INTEGER,
    signal_id BLOB,
    failure TEXT,
    payload BLOB
);
CREATE INDEX durable_inbox_by_run ON durable_inbox (run_no, id);
";

const DOWN: &str = "
DROP TABLE durable_inbox;
DROP TABLE durable_signals;
DROP TABLE durable_waiters;
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
