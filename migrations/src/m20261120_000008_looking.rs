//! What people look at: instances, and runs that have not completed.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// Most runs of a large table have completed, and people ask for the others: those that wait, run,
/// have failed or were cancelled. A run has an output once it has completed and never before, so
/// its commits leave the index alone until then; one over the status would be rewritten by most of
/// them. MySQL has no partial indexes.
///
/// | index | serves |
/// |---|---|
/// | `durable_runs_not_completed` | list by statuses without `completed`, failures |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/looking.sql"),
    postgres: include_str!("../sql/postgres/looking.sql"),
    mysql: include_str!("../sql/mysql/looking.sql"),
};

const DOWN: Texts = Texts {
    sqlite: "DROP INDEX durable_runs_not_completed; \
        ALTER TABLE durable_instances DROP COLUMN report; \
        ALTER TABLE durable_instances DROP COLUMN reported_at",
    postgres: "DROP INDEX durable_runs_not_completed; \
        ALTER TABLE durable_instances DROP COLUMN report, DROP COLUMN reported_at",
    mysql: "ALTER TABLE durable_instances DROP COLUMN report, DROP COLUMN reported_at",
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
