//! Runs that have ended, by when they did.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// Retention removes the runs that ended first. A run has an end once, so its other commits leave
/// the index alone; one that held the status as well would be rewritten by most of them. On SQLite
/// and PostgreSQL it covers the ended runs only. On MySQL it covers all, and the runs without an
/// end stand together in it.
///
/// | index | serves |
/// |---|---|
/// | `durable_runs_ended` | prune; on MySQL also the runs that have not ended |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/ends.sql"),
    postgres: include_str!("../sql/postgres/ends.sql"),
    mysql: include_str!("../sql/mysql/ends.sql"),
};

const DOWN: Texts = Texts {
    sqlite: "DROP INDEX durable_runs_ended",
    postgres: "DROP INDEX durable_runs_ended",
    mysql: "ALTER TABLE durable_runs DROP KEY durable_runs_ended",
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
