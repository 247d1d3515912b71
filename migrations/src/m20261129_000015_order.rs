//! The order of signals.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// `no` numbers signals as they are delivered. The order was that of their ids before, and an id
/// that a sender has named says nothing of the time.
///
/// On SQLite it is the number that a row has anyway, and on PostgreSQL a sequence that touches no
/// index unless a signal is buffered. MySQL numbers by an index only: one entry more per signal, at
/// its end. Signals that are there keep their order; on PostgreSQL they get no number, so that the
/// table is not written anew, and come first. A process of an earlier build that still runs beside
/// this one takes buffered signals by id, as it did.
///
/// | index | serves |
/// |---|---|
/// | `durable_signals_buffered` | the oldest buffered signal of a token |
/// | `durable_signals_no` (MySQL) | the number itself |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/order.sql"),
    postgres: include_str!("../sql/postgres/order.sql"),
    mysql: include_str!("../sql/mysql/order.sql"),
};

// On SQLite the table keeps its number, which nobody else names.
const DOWN: Texts = Texts {
    sqlite: "DROP INDEX durable_signals_buffered; \
        CREATE INDEX durable_signals_buffered ON durable_signals (token, id) WHERE buffered = 1",
    postgres: "DROP INDEX durable_signals_buffered; \
        ALTER TABLE durable_signals DROP COLUMN no; \
        CREATE INDEX durable_signals_buffered ON durable_signals (token, id) WHERE buffered",
    mysql: "ALTER TABLE durable_signals DROP KEY durable_signals_buffered, DROP COLUMN no, \
        ADD KEY durable_signals_buffered (token, buffered, id)",
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        UP.run(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        DOWN.run(manager).await
    }
}
