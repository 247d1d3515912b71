//! Finding the few runs that something is the matter with, where there are no partial indexes.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// Runs that have failed, were cancelled or given up, are blocked or paused. Of a million runs there
/// are few or none, and a search for them read all: 6 s on MariaDB. PostgreSQL and SQLite find them
/// among the runs that have not completed.
///
/// An index of the status itself would be rewritten by most commits. The column is empty for all
/// that goes well, so there it costs one entry per run, written with the run's start.
///
/// | index | serves |
/// |---|---|
/// | `durable_runs_aside` (MySQL) | list by such statuses |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: "SELECT 1",
    postgres: "SELECT 1",
    mysql: include_str!("../sql/mysql/aside.sql"),
};

const DOWN: Texts = Texts {
    sqlite: "SELECT 1",
    postgres: "SELECT 1",
    mysql: "ALTER TABLE durable_runs DROP KEY durable_runs_aside, DROP COLUMN aside",
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
