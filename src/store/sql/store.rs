//! The store's handle.

use std::{fmt, path::PathBuf, sync::Arc};

use sea_orm::DatabaseConnection;

use super::error::{NAME, backend};
use crate::driver::sql::{Readers, Session, Writer};
use crate::store::error::StoreError;
use crate::store::read::Store;
use crate::time::{Clock, Timestamp};

/// A store in an SQL database. Cloning it is cheap: clones share connections.
///
/// On SQLite it keeps one connection that writes and four that read. The file is in WAL mode, and
/// each commit reaches the disk before it is acknowledged (`synchronous=FULL`).
///
/// # Examples
///
/// ```no_run
/// use axum_durable::store::SqlStore;
///
/// # async fn open() -> Result<(), axum_durable::store::StoreError> {
/// let store = SqlStore::connect("sqlite://checkout.db").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqlStore(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) writer: Writer,
    pub(super) readers: Readers,
    pub(super) host: DatabaseConnection,
    /// Where the lock files of instances lie.
    pub(super) locks: PathBuf,
}

impl SqlStore {
    /// A connection that the host may use for its own tables, also to write.
    ///
    /// It is another one than the store's own, and SQLite has one writer at a time: keep
    /// transactions on it short, because the store waits for them.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.0.host
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) async fn write(&self, operation: &'static str) -> Result<Session<'_>, StoreError> {
        self.0
            .writer
            .session()
            .await
            .map_err(|error| backend(operation, error))
    }

    pub(super) async fn read(&self, operation: &'static str) -> Result<Session<'_>, StoreError> {
        self.0
            .readers
            .session()
            .await
            .map_err(|error| backend(operation, error))
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}

impl Store for SqlStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    fn joins_transactions(&self) -> bool {
        true
    }
}
