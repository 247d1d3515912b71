//! How runs belong together: children, those who wait for the end of another, successors. And
//! until when a run may take.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// A run has a parent that started it and, once it has continued as another run, that one's id.
/// `cascades` says that a cancelled parent takes it along. `joined` says that others may wait for
/// its end: it stands in the row because an end locks the row, and so sees who came before. At its
/// `deadline` it is cancelled.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/relations.sql"),
    postgres: include_str!("../sql/postgres/relations.sql"),
    mysql: include_str!("../sql/mysql/relations.sql"),
};

/// On SQLite a column that an index names cannot go before the index; the others do not mind.
const DOWN: Texts = Texts {
    sqlite: "DROP TABLE durable_joins; DROP INDEX durable_runs_children; \
        ALTER TABLE durable_runs DROP COLUMN parent; \
        ALTER TABLE durable_runs DROP COLUMN cascades; \
        ALTER TABLE durable_runs DROP COLUMN joined; \
        ALTER TABLE durable_runs DROP COLUMN next_run; \
        ALTER TABLE durable_runs DROP COLUMN deadline",
    postgres: "DROP TABLE durable_joins; ALTER TABLE durable_runs DROP COLUMN parent, \
        DROP COLUMN cascades, DROP COLUMN joined, DROP COLUMN next_run, DROP COLUMN deadline",
    mysql: "DROP TABLE IF EXISTS durable_joins; ALTER TABLE durable_runs \
        DROP KEY durable_runs_children, DROP COLUMN parent, DROP COLUMN cascades, \
        DROP COLUMN joined, DROP COLUMN next_run, DROP COLUMN deadline",
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
