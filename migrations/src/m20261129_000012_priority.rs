//! How urgent a run is.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// `priority` is empty for the usual run, whose priority is 0: so neither its row nor its entry in
/// an index becomes longer. It is written once, when the run starts.
///
/// - SQLite and PostgreSQL: a run that waits for its time stands in one of two indexes. The usual
///   runs are found as before, however many less urgent ones have been due for longer.
/// - MySQL: no partial indexes. The priority stands between owner and time in the one that there
///   is, where an empty field takes no room.
///
/// | index | serves |
/// |---|---|
/// | `durable_runs_due` | claim: runs that nobody holds, longest due first; on MySQL by priority |
/// | `durable_runs_ranked` (SQLite, PostgreSQL) | claim: the same for runs with a priority, by that |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/priority.sql"),
    postgres: include_str!("../sql/postgres/priority.sql"),
    mysql: include_str!("../sql/mysql/priority.sql"),
};

/// On SQLite a column that an index names cannot go before the index; on PostgreSQL they go with it.
const DOWN: Texts = Texts {
    sqlite: "DROP INDEX durable_runs_ranked; DROP INDEX durable_runs_due; \
        ALTER TABLE durable_runs DROP COLUMN priority; \
        CREATE INDEX durable_runs_due ON durable_runs (wake_at) \
        WHERE owner IS NULL AND wake_at < 9223372036854775807",
    postgres: "ALTER TABLE durable_runs DROP COLUMN priority; \
        CREATE INDEX durable_runs_due ON durable_runs (wake_at) \
        WHERE owner IS NULL AND wake_at < 9223372036854775807",
    mysql: "ALTER TABLE durable_runs DROP KEY durable_runs_due, DROP COLUMN priority, \
        ADD KEY durable_runs_due (owner, wake_at, no)",
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
