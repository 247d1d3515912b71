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
    /// Makes the change.
    ///
    /// MySQL commits each statement by itself, all or nothing, so a crash may leave some of them
    /// done and none recorded: those that say that they were done already are passed over there.
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
        if db.get_database_backend() != DbBackend::MySql {
            return db.execute_unprepared(text).await.map(drop);
        }
        for statement in text.split(";\n").filter(|it| !it.trim().is_empty()) {
            let done = db.execute_unprepared(statement).await;
            done.map(drop).or_else(excuse_repetition)?;
        }
        Ok(())
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

/// MySQL's numbers for a table, a column or an index that is there already, and for one that is
/// gone.
const REPETITIONS: [&str; 4] = ["1050 (", "1060 (", "1061 (", "1091 ("];

fn excuse_repetition(error: DbErr) -> Result<(), DbErr> {
    let text = error.to_string();
    if REPETITIONS.iter().any(|number| text.contains(number)) {
        return Ok(());
    }
    Err(error)
}
