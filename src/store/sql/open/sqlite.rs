//! Opening an SQLite file.

use std::{path::PathBuf, str::FromStr, time::Duration};

use sea_orm::{
    DatabaseConnection, SqlxSqliteConnector,
    sqlx::{
        self, ConnectOptions, SqlitePool,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use tokio::time::Instant;

use super::opened::Opened;
use crate::driver::sql::{Connections, Dialect, Few};
use crate::store::error::StoreError;
use crate::store::sql::error::backend;
use crate::store::sql::options::SqlOptions;
use crate::store::sql::store::Liveness;

/// How long a write waits for another writer, such as a transaction of the host. Shorter turns
/// their long transactions into errors, longer hides that they are too long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a file is left alone that another process makes ready: that takes milliseconds.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Pages in the WAL before they go to the database file (16 MiB). SQLite's own 1000 copies hot
/// pages four times as often; a larger WAL makes a crash take longer to read.
const WAL_PAGES: &str = "4000";
/// Page cache of the writer, in KiB (negative by SQLite's convention). The inner pages of all
/// indexes fit; more helps only when many old runs are read.
const CACHE_KIB: &str = "-32000";
/// Statements kept prepared per connection: a few dozen texts exist, and four times as many
/// combinations of them.
const PREPARED: usize = 256;
/// Rows on their way from the database thread: more saves switches between the threads.
const ROWS_UNDER_WAY: usize = 256;
/// More than four readers gain nothing while the writer is busy: they share its processor.
const READERS: u32 = 4;
/// How long a call waits for a free reader before it fails; longer hides an overload.
const PATIENCE: Duration = Duration::from_secs(10);

/// The file at `url`.
pub(crate) async fn at(options: &SqlOptions, url: &str) -> Result<Opened, StoreError> {
    let file = SqliteConnectOptions::from_str(url);
    let file = file.map_err(|error| failed("read the database url", error))?;
    let name = file.get_filename().to_string_lossy();
    // sqlx gives memory databases a name of its own making.
    if url.contains(":memory:") || url.contains("mode=memory") || name.starts_with("file:") {
        return Err(failed("read the database url", NotAFile));
    }
    let file = settings(options, file.create_if_missing(true));
    let host = host(&file).await;
    let host = host.map_err(|error| failed("open the database", error))?;
    let host = SqlxSqliteConnector::from_sqlx_sqlite_pool(host);
    Ok(opened(options, file, host))
}

/// A connection for the host. SQLite answers that the file is locked, whatever the timeout, while
/// another process that starts makes a write-ahead log of its journal.
async fn host(file: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let began = Instant::now();
    loop {
        let pool = SqlitePoolOptions::new().max_connections(1);
        match pool.connect_with(file.clone()).await {
            Err(error) if is_locked(&error) && began.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            pool => return pool,
        }
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    code.is_some_and(|code| code == "5")
}

/// The file of a connection of the host.
pub(crate) async fn beside(
    options: &SqlOptions,
    host: &DatabaseConnection,
) -> Result<Opened, StoreError> {
    let file = host.get_sqlite_connection_pool().connect_options();
    if file.get_filename().to_string_lossy().starts_with("file:") {
        return Err(failed("read the host's connection", NotAFile));
    }
    let file = settings(options, (*file).clone());
    Ok(opened(options, file, host.clone()))
}

fn opened(options: &SqlOptions, file: SqliteConnectOptions, host: DatabaseConnection) -> Opened {
    let mut locks = file.get_filename().as_os_str().to_owned();
    locks.push(".locks");
    let read_only = file.clone().read_only(true).create_if_missing(false);
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        // A file cannot hang up on us; the ping would double the cost of a small query.
        .test_before_acquire(false)
        .connect_lazy_with(read_only.clone());
    let lookers = SqlitePoolOptions::new()
        .max_connections(options.dashboard_connections)
        .acquire_timeout(options.dashboard_timeout)
        .test_before_acquire(false)
        .connect_lazy_with(read_only);
    Opened {
        connections: Connections::Sqlite {
            writer: Few::new(file, 1),
            readers,
            lookers,
        },
        host,
        liveness: Liveness::Files(PathBuf::from(locks)),
        plane: None,
    }
}

fn settings(options: &SqlOptions, file: SqliteConnectOptions) -> SqliteConnectOptions {
    let synchronous = if options.is_synchronous {
        SqliteSynchronous::Full
    } else {
        SqliteSynchronous::Normal
    };
    file.journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .statement_cache_capacity(PREPARED)
        .row_buffer_size(ROWS_UNDER_WAY)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .pragma("cache_size", CACHE_KIB)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

fn failed(
    operation: &'static str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    backend(Dialect::Sqlite, operation, error)
}

/// The URL names no file.
#[derive(Debug, thiserror::Error)]
#[error("a memory database cannot be shared by connections; name a file, or use `MemoryStore`")]
struct NotAFile;
