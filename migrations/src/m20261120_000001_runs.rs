//! Runs, their inputs, checkpoints, tags and published values.

#![expect(
    elided_lifetimes_in_paths,
    reason = "`async_trait` wants the signature of the trait"
)]

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};

use crate::texts::Texts;

/// `durable_runs` is rewritten at each commit of a run and therefore narrow: the input, which
/// never changes and may be large, has a table of its own. Other tables name a run by its number,
/// which makes their keys small and lets them grow at the end.
///
/// - SQLite: ordinary rowid tables; with WITHOUT ROWID an insert costs twice as much.
/// - PostgreSQL: a page of `durable_runs` is filled to 60 %, so that the new version of a row
///   stays on its page and no index is touched (HOT).
/// - MySQL: no partial indexes, so the due ones and the held ones share one, by owner.
///
/// | index | serves |
/// |---|---|
/// | `durable_runs_due` | claim: runs that nobody holds, longest due first |
/// | `durable_runs_held` | recover, resign, held, look: the runs of one instance |
/// | `durable_runs_newest` | list: newest first, by page |
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: Texts = Texts {
    sqlite: include_str!("../sql/sqlite/runs.sql"),
    postgres: include_str!("../sql/postgres/runs.sql"),
    mysql: include_str!("../sql/mysql/runs.sql"),
};

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        UP.run(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Texts::drop_tables(
            manager,
            &[
                "durable_published",
                "durable_tags",
                "durable_checkpoints",
                "durable_inputs",
                "durable_runs",
            ],
        )
        .await
    }
}
