//! Instances and their leases.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// `no` tells two enrollments of the same id apart and is never reused. `lock_key` names the lock
/// at the server that the instance holds while it lives.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/instances.sql"),
    postgres: include_str!("../sql/postgres/instances.sql"),
    mysql: include_str!("../sql/mysql/instances.sql"),
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        UP.run(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Texts::drop_tables(manager, &["durable_instances"]).await
    }
}
