//! What operators did to runs.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// The log names runs by their id and not by their number, because it outlives them.
///
/// | index | serves |
/// |---|---|
/// | `durable_audit_by_run` | the log of a run, newest first |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/control.sql"),
    postgres: include_str!("../sql/postgres/control.sql"),
    mysql: include_str!("../sql/mysql/control.sql"),
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        UP.run(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Texts::drop_tables(manager, &["durable_audit"]).await
    }
}
