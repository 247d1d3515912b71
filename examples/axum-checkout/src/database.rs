//! The app's own connection to its tables.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use sea_orm_migration::MigratorTrait as _;

use crate::migration::Migrator;

/// Connections of the pool: SQLite has one writer at a time, the others read.
const CONNECTIONS: u32 = 4;

/// How long a write waits for another process or for the workflow store to finish theirs. What
/// takes longer fails the attempt, and the step is tried again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the database, creates it when missing and brings the app's tables up to date.
pub(crate) async fn open(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(CONNECTIONS).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|options| {
        options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What a provider has done must still be known after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
    });
    let db = Database::connect(options).await?;
    migrate(&db).await?;
    Ok(db)
}

/// Brings the app's tables up to date. Of two processes that do so at once, one fails; it looks
/// again and finds the other's work done.
async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    const ATTEMPTS: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(100);
    for _ in 1..ATTEMPTS {
        match Migrator::up(db, None).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::debug!(%error, "migration failed, trying again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Migrator::up(db, None).await
}
