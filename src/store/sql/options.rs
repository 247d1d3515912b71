//! Settings of the store, and how it is opened.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use axum_durable_migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, SqliteTransactionMode, SqlxSqliteConnector, Statement,
    TransactionOptions, TransactionTrait,
    sqlx::{
        ConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};

use super::error::backend;
use super::store::{Shared, SqlStore};
use crate::driver::sql::{Readers, Writer};
use crate::store::error::StoreError;
use crate::time::{Clock, SystemClock};

/// How long a write waits for another writer, such as a transaction of the host. Shorter turns
/// their long transactions into errors, longer hides that they are too long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages in the WAL before they go to the database file (16 MiB). SQLite's own 1000 copies hot
/// pages four times as often; a larger WAL makes a crash take longer to read.
const WAL_PAGES: &str = "4000";
/// Page cache of the writer, in KiB (negative by SQLite's convention). The inner pages of all
/// indexes fit; more helps only when many old runs are read.
const CACHE_KIB: &str = "-32000";
/// Statements kept prepared per connection: a few dozen texts exist, and four times as many
/// combinations of them.
const PREPARED: usize = 256;
/// What is being done, for errors.
const MIGRATE: &str = "migrate the database";
/// Rows on their way from the database thread: more saves switches between the threads.
const ROWS_UNDER_WAY: usize = 256;

impl SqlStore {
    /// Opens the database at `url`, creates what is missing, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::SchemaAhead`] if a newer build has migrated it, [`StoreError::Backend`] if it
    /// cannot be opened; an SQLite database must be a file.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::options().connect(url).await
    }

    /// Settings for a store, to be changed before it is opened.
    pub fn options() -> SqlOptions {
        SqlOptions::default()
    }
}

/// Settings of a [`SqlStore`].
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before `connect`"]
pub struct SqlOptions {
    clock: Arc<dyn Clock>,
    synchronous: SqliteSynchronous,
    auto_migrate: bool,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            synchronous: SqliteSynchronous::Full,
            auto_migrate: true,
        }
    }
}

impl SqlOptions {
    /// The clock that judges leases and due times on SQLite. Default: this machine's, because the
    /// file is on this machine.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Acknowledges commits before they are on the disk (`synchronous=NORMAL`).
    ///
    /// Faster for a handful of concurrent runs. A power cut may then lose the last moments, in
    /// which steps may have had effects that will be repeated; a crash of the process loses
    /// nothing. Default: `FULL`.
    pub fn synchronous_normal(mut self) -> Self {
        self.synchronous = SqliteSynchronous::Normal;
        self
    }

    /// Whether to bring the tables up to date when the store is opened. Default: yes, because a
    /// new user has no migrations to run. Without, call `Migrator::up` of
    /// `axum-durable-migrations` first.
    pub const fn auto_migrate(mut self, migrate: bool) -> Self {
        self.auto_migrate = migrate;
        self
    }

    /// Opens the database at `url`, such as `sqlite://checkout.db`, and creates the file.
    ///
    /// # Errors
    ///
    /// [`StoreError::SchemaAhead`] if a newer build has migrated it, [`StoreError::Backend`] if it
    /// cannot be opened, or if its tables are behind and were not to be migrated.
    pub async fn connect(self, url: &str) -> Result<SqlStore, StoreError> {
        let options = self.sqlite(url)?;
        let mut locks = options.get_filename().as_os_str().to_owned();
        locks.push(".locks");
        let host = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await;
        let host = host.map_err(|error| backend("open the database", error))?;
        let host = SqlxSqliteConnector::from_sqlx_sqlite_pool(host);
        self.migrate(&host).await?;
        Ok(SqlStore(Arc::new(Shared {
            clock: self.clock,
            readers: Readers::new(options.clone()),
            writer: Writer::new(options),
            host,
            locks: PathBuf::from(locks),
        })))
    }

    fn sqlite(&self, url: &str) -> Result<SqliteConnectOptions, StoreError> {
        const OPERATION: &str = "read the database url";
        let options = SqliteConnectOptions::from_str(url);
        let options = options.map_err(|error| backend(OPERATION, error))?;
        let file = options.get_filename().to_string_lossy();
        // sqlx gives memory databases a name of its own making.
        if url.contains(":memory:") || url.contains("mode=memory") || file.starts_with("file:") {
            return Err(backend(OPERATION, NotAFile));
        }
        Ok(options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(self.synchronous)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(false)
            .statement_cache_capacity(PREPARED)
            .row_buffer_size(ROWS_UNDER_WAY)
            .pragma("wal_autocheckpoint", WAL_PAGES)
            .pragma("cache_size", CACHE_KIB)
            .pragma("temp_store", "memory")
            .disable_statement_logging())
    }

    /// Looks and migrates in one transaction with the write lock: instances that start together
    /// wait for each other, and a crash in the middle leaves the schema as it was.
    async fn migrate(&self, db: &DatabaseConnection) -> Result<(), StoreError> {
        let failed = |error| backend(MIGRATE, error);
        if self.is_current(db).await? {
            return Ok(());
        }
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = db.begin_with_options(options).await.map_err(failed)?;
        if !self.is_current(&transaction).await? {
            Migrator::up(&transaction, None).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Whether nothing is to be migrated.
    async fn is_current<C: ConnectionTrait>(&self, db: &C) -> Result<bool, StoreError> {
        let done = applied(db).await.map_err(|error| backend(MIGRATE, error))?;
        let known = Migrator::migrations();
        let known: Vec<&str> = known.iter().map(|one| one.name()).collect();
        if let Some(newer) = done
            .iter()
            .rev()
            .find(|name| !known.contains(&name.as_str()))
        {
            return Err(StoreError::SchemaAhead {
                found: newer.clone(),
            });
        }
        let is_missing = |name: &&str| !done.iter().any(|one| one == name);
        match known.into_iter().find(is_missing) {
            Some(missing) if !self.auto_migrate => {
                let missing = missing.to_owned();
                Err(backend(MIGRATE, SchemaBehind { missing }))
            }
            missing => Ok(missing.is_none()),
        }
    }
}

/// The names of the migrations in the database, oldest first.
async fn applied<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, sea_orm::DbErr> {
    const HAS_TABLE: &str =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'durable_migrations'";
    const APPLIED: &str = "SELECT version FROM durable_migrations ORDER BY version";
    let ask = |text| Statement::from_string(db.get_database_backend(), text);
    if db.query_one_raw(ask(HAS_TABLE)).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = db.query_all_raw(ask(APPLIED)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The URL names no file.
#[derive(Debug, thiserror::Error)]
#[error("a memory database cannot be shared by connections; name a file, or use `MemoryStore`")]
struct NotAFile;

/// The tables are older than this build.
#[derive(Debug, thiserror::Error)]
#[error("migration `{missing}` is missing; run `Migrator::up` or leave `auto_migrate` on")]
struct SchemaBehind {
    missing: String,
}
