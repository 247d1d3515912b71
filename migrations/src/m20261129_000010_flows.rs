//! The flow that a run was begun under.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// A number for the flow of the code that began a run; empty where that was not known. No index:
/// it is looked at for the runs that have not ended, on demand, and each start would pay for one.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/flows.sql"),
    postgres: include_str!("../sql/postgres/flows.sql"),
    mysql: include_str!("../sql/mysql/flows.sql"),
};

const DOWN: Texts = Texts {
    sqlite: "ALTER TABLE durable_runs DROP COLUMN fingerprint",
    postgres: "ALTER TABLE durable_runs DROP COLUMN fingerprint",
    mysql: "ALTER TABLE durable_runs DROP COLUMN fingerprint",
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
