//! What a run was asked since its newest claim.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// `asked` is 1 for a run that was asked to cancel since it was claimed, 2 if it is to undo its
/// steps first. The commits of its owner leave it as it is, so that a run which continues as
/// another one hands on a request that its owner had not seen.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/requests.sql"),
    postgres: include_str!("../sql/postgres/requests.sql"),
    mysql: include_str!("../sql/mysql/requests.sql"),
};

const DOWN: Texts = Texts {
    sqlite: "ALTER TABLE durable_runs DROP COLUMN asked",
    postgres: "ALTER TABLE durable_runs DROP COLUMN asked",
    mysql: "ALTER TABLE durable_runs DROP COLUMN asked",
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
