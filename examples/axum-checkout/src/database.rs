//! The app's own connection to its tables.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr,
    sqlx::{
        Connection as _, Executor as _,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::MigratorTrait as _;

use crate::migration::Migrator;

/// Connections of the pool on SQLite, which has one writer at a time; the others read.
const SQLITE_CONNECTIONS: u32 = 4;

/// Connections of the pool on a server. Each provider's call holds one while it writes; several
/// instances together stay below the 100 that PostgreSQL allows unless told otherwise.
const SERVER_CONNECTIONS: u32 = 8;

/// How long a call waits for a connection. What takes longer fails the attempt, and the step is
/// tried again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a write waits on SQLite for another process or for the workflow store to finish
/// theirs. What takes longer fails the attempt, as above.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the database at `sqlite://`, `postgres://` or `mysql://` and brings the app's tables up
/// to date. An SQLite file is created when missing.
pub(crate) async fn open(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(if url.starts_with("sqlite:") {
            SQLITE_CONNECTIONS
        } else {
            SERVER_CONNECTIONS
        })
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|options| {
        options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What a provider has done must still be known after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
    });
    options.map_sqlx_sqlite_pool_opts(|pool| {
        pool.after_release(|connection, _| {
            Box::pin(async move {
                // A full disk makes SQLite roll back by itself, and sqlx counts a transaction too
                // many from then on. Such a connection would keep the write lock one day. The
                // ping comes after the rollback of a transaction that was dropped.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
    });
    // A process that stands still in the middle of a call keeps its locks on a server, and others
    // wait for them. The server then ends the call, and the step is tried again.
    options.map_sqlx_postgres_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move {
                let limit = "SET idle_in_transaction_session_timeout = '10s'";
                connection.execute(limit).await.map(drop)
            })
        })
    });
    options.map_sqlx_mysql_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move {
                // MySQL has no such limit and reads a comment.
                let limit = "SET @shop = 1 /*M!100300 , SESSION idle_transaction_timeout = 10 */";
                connection.execute(limit).await.map(drop)
            })
        })
    });
    let db = Database::connect(options).await?;
    migrate(&db).await?;
    Ok(db)
}

/// Brings the app's tables up to date. Of two processes that do so at once, one may fail; it looks
/// again and finds the other's work done.
async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    const ATTEMPTS: u32 = 50;
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
