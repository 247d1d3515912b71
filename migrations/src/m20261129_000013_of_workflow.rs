//! Finding the runs of one workflow.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// Lists of a workflow with few runs or none read the whole table without it: of a million runs
/// that took 0.2 s on PostgreSQL and 8 s on MariaDB.
///
/// SQLite and MySQL write an index entry only when a column of it changes, so there it costs one
/// entry per run. PostgreSQL writes one with almost every version of a row: 8 % to 18 % more log
/// per commit. It has none, and reads the table with several processes instead.
///
/// | index | serves |
/// |---|---|
/// | `durable_runs_of` (SQLite, MySQL) | list by workflow |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/of_workflow.sql"),
    postgres: include_str!("../sql/postgres/of_workflow.sql"),
    mysql: include_str!("../sql/mysql/of_workflow.sql"),
};

const DOWN: Texts = Texts {
    sqlite: "DROP INDEX durable_runs_of",
    postgres: "SELECT 1",
    mysql: "ALTER TABLE durable_runs DROP KEY durable_runs_of",
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
