//! Search attributes, and whose runs are whose.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// A row for each attribute of a run is what conditions look at; `durable_runs.attributes` has all
/// of a run's as JSON, for whoever reads the run, and is made from the rows in the transaction that
/// changes them. `num` is a number or boolean as an integer of the same order, so that every
/// database compares exactly; `word` is a text, compared by bytes.
///
/// Most runs are in the namespace `default`, which is found like a query without one.
///
/// | index | serves |
/// |---|---|
/// | `durable_attributes_by_number` | list by a number or boolean |
/// | `durable_attributes_by_text` | list by a text |
/// | `durable_runs_of_namespace` | list by a namespace that is not `default` |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/attributes.sql"),
    postgres: include_str!("../sql/postgres/attributes.sql"),
    mysql: include_str!("../sql/mysql/attributes.sql"),
};

/// On SQLite a column that an index names cannot go before the index; the others do not mind.
const DOWN: Texts = Texts {
    sqlite: "DROP TABLE durable_attributes; DROP INDEX durable_runs_of_namespace; \
        ALTER TABLE durable_runs DROP COLUMN namespace; \
        ALTER TABLE durable_runs DROP COLUMN attributes",
    postgres: "DROP TABLE durable_attributes; ALTER TABLE durable_runs DROP COLUMN namespace, \
        DROP COLUMN attributes",
    mysql: "DROP TABLE IF EXISTS durable_attributes; ALTER TABLE durable_runs \
        DROP KEY durable_runs_of_namespace, DROP COLUMN namespace, DROP COLUMN attributes",
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
