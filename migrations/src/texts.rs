//! What a migration says to each database.

use sea_orm_migration::prelude::{DbErr, SchemaManager};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// The same change, for each database. Types differ, and so do indexes; the schema builder has no
/// words for partial ones, fill factors or collations.
pub(crate) struct Texts {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    pub(crate) mysql: &'static str,
}

impl Texts {
    pub(crate) async fn run(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let text = match db.get_database_backend() {
            DbBackend::Sqlite => self.sqlite,
            DbBackend::Postgres => self.postgres,
            DbBackend::MySql => self.mysql,
            other => {
                let message = format!("axum-durable has no tables for {other:?}");
                return Err(DbErr::Migration(message));
            }
        };
        db.execute_unprepared(text).await.map(drop)
    }

    pub(crate) async fn drop_tables(
        manager: &SchemaManager<'_>,
        tables: &[&str],
    ) -> Result<(), DbErr> {
        for table in tables {
            let text = format!("DROP TABLE IF EXISTS {table}");
            manager.get_connection().execute_unprepared(&text).await?;
        }
        Ok(())
    }
}
