//! How the store is opened.

use sea_orm::{DatabaseConnection, DatabaseConnectionType};

use super::error::backend;
use super::migrate::migrate;
use super::open;
use super::options::SqlOptions;
use super::store::SqlStore;
use crate::driver::sql::Dialect;
use crate::store::error::StoreError;

impl SqlStore {
    /// Opens the database at `url`, creates what is missing, and brings its tables up to date.
    ///
    /// | url | database |
    /// |---|---|
    /// | `sqlite://checkout.db` | a file, created when missing (feature `store-sqlite`) |
    /// | `postgres://user:password@host/database` | PostgreSQL 13 or newer (feature `store-postgres`) |
    /// | `mysql://user:password@host/database` | MySQL 8.0.14, MariaDB 10.6 or newer (feature `store-mysql`) |
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

impl SqlOptions {
    /// Opens the database at `url`; see [`SqlStore::connect`].
    ///
    /// # Errors
    ///
    /// [`StoreError::SchemaAhead`] if a newer build has migrated it, [`StoreError::Backend`] if it
    /// cannot be opened, or if its tables are behind and were not to be migrated.
    pub async fn connect(self, url: &str) -> Result<SqlStore, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        let opened = match scheme {
            #[cfg(feature = "store-sqlite")]
            "sqlite" => open::sqlite::at(&self, url).await?,
            #[cfg(feature = "store-postgres")]
            "postgres" | "postgresql" => open::postgres::at(&self, url).await?,
            #[cfg(feature = "store-mysql")]
            "mysql" | "mariadb" => open::mysql::at(&self, url).await?,
            _ => return Err(unknown(scheme)),
        };
        self.finish(opened).await
    }

    /// Opens the database of a connection of the host, which
    /// [`connection`](SqlStore::connection) then returns.
    ///
    /// The store opens connections of its own with the same settings: a host that uses up its
    /// pool does not stop the workflows, and cannot cost an instance its lease.
    ///
    /// # Errors
    ///
    /// Like [`connect`](Self::connect), and [`StoreError::Backend`] for a mock or proxy connection.
    pub async fn connect_beside(self, host: &DatabaseConnection) -> Result<SqlStore, StoreError> {
        let opened = match &host.inner {
            #[cfg(feature = "store-sqlite")]
            DatabaseConnectionType::SqlxSqlitePoolConnection(_) => {
                open::sqlite::beside(&self, host).await?
            }
            #[cfg(feature = "store-postgres")]
            DatabaseConnectionType::SqlxPostgresPoolConnection(_) => {
                open::postgres::beside(&self, host).await?
            }
            #[cfg(feature = "store-mysql")]
            DatabaseConnectionType::SqlxMySqlPoolConnection(_) => {
                open::mysql::beside(&self, host).await?
            }
            _ => return Err(unknown("the host's connection")),
        };
        self.finish(opened).await
    }

    async fn finish(self, opened: open::Opened) -> Result<SqlStore, StoreError> {
        migrate(&self, &opened.host).await?;
        opened.into_store(&self).await
    }
}

fn unknown(what: &str) -> StoreError {
    let error = UnknownDatabase {
        what: what.to_owned(),
    };
    backend(Dialect::Sqlite, "read the database url", error)
}

/// The URL names no database of this build.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{what}` names no database of this build; write sqlite://…, postgres://… or mysql://…, and \
     turn on the feature `store-sqlite`, `store-postgres` or `store-mysql` of axum-durable"
)]
struct UnknownDatabase {
    what: String,
}
