//! Waits for signals, signals, and the inboxes of runs.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// A signal keeps its row after it was delivered, which is how a second delivery is recognised.
/// Numbers of waiters and inbox items are never used twice: an owner that removes an item must not
/// hit a newer one.
///
/// | index | serves |
/// |---|---|
/// | `durable_waiters_by_token` | a signal looks for the longest-waiting waiter |
/// | `durable_signals_buffered` | a new wait looks for the oldest signal of its token |
/// | `durable_inbox_by_run` | claim and load: the items of a run, oldest first |
///
/// MySQL has no locks that end with a transaction and belong to no row; the rows of
/// `durable_gates` are there to be locked.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/signals.sql"),
    postgres: include_str!("../sql/postgres/signals.sql"),
    mysql: include_str!("../sql/mysql/signals.sql"),
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        UP.run(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Texts::drop_tables(
            manager,
            &[
                "durable_inbox",
                "durable_signals",
                "durable_waiters",
                "durable_gates",
            ],
        )
        .await
    }
}
