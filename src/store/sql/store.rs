//! The store's handle.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    path::PathBuf,
    sync::{Arc, Weak, atomic::AtomicBool},
};

use parking_lot::Mutex;
use sea_orm::{DatabaseConnection, DatabaseTransaction, QueryResult};
use tokio::time::Instant;

use super::clock::DatabaseClock;
use super::error::backend;
use super::record;
use super::seat::Seat;
use super::statements::{Statements, statements};
use crate::control_plane::ControlPlane;
use crate::driver::sql::{Database, Dialect, Session, SqlError};
use crate::id::InstanceId;
use crate::store::error::StoreError;
use crate::time::{Clock, Timestamp};

/// A store in an SQL database: SQLite, PostgreSQL, MySQL or MariaDB. Cloning it is cheap: clones
/// share connections.
///
/// | database | connections of a store | at most |
/// |---|---|--:|
/// | SQLite | one that writes, four that read, three for the dashboard, one for the host | 9 |
/// | PostgreSQL | two that write, four that read, three for the dashboard, one for the lease of each engine, two for hints, those of the host | 12 and [`host_connections`](super::SqlOptions::host_connections) |
/// | MySQL | the same without hints | 10 and [`host_connections`](super::SqlOptions::host_connections) |
///
/// The dashboard has its own and gives up after five seconds
/// ([`dashboard_timeout`](super::SqlOptions::dashboard_timeout)), so that looking never keeps the
/// engine waiting. They are opened when somebody looks, also where the host has passed its own
/// connection: that one is left to the host.
///
/// A SQLite file is in WAL mode, and each commit reaches the disk before it is acknowledged
/// (`synchronous=FULL`). On PostgreSQL and MySQL that is the server's setting.
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
pub struct SqlStore(pub(super) Arc<Shared>, pub(super) Reader);

/// For whom a store reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// For the engine, and for handles.
    Engine,
    /// For people, who wait behind each other and not for long.
    People,
}

pub(super) struct Shared {
    pub(super) clock: ClockSource,
    pub(super) database: Database,
    pub(super) host: DatabaseConnection,
    /// Whether a connection still knows the next time what was prepared on it by a name.
    pub(super) keeps_names: AtomicBool,
    pub(super) liveness: Liveness,
    pub(super) plane: Option<Arc<dyn ControlPlane>>,
    /// The places of the instances that were enrolled here.
    pub(super) seats: Mutex<BTreeMap<InstanceId, Weak<Seat>>>,
}

/// How an instance shows that it lives, besides its lease.
pub(super) enum Liveness {
    /// By a lock on a file in this folder.
    Files(PathBuf),
    /// By a lock at the server; `place` tells our tables from others there.
    Server { place: String },
    /// Not at all.
    None,
}

/// The clock that judges leases and due times.
pub(super) enum ClockSource {
    /// One that was given, or this machine's beside a file on it.
    Given(Arc<dyn Clock>),
    /// The database's, which is asked now and then.
    Database(Arc<DatabaseClock>),
}

impl SqlStore {
    /// A connection that the host may use for its own tables, also to write.
    ///
    /// It is another one than the store's own. SQLite has one writer at a time: keep transactions
    /// on it short, because the store waits for them.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.0.host
    }

    pub(super) fn now(&self) -> Timestamp {
        match &self.0.clock {
            ClockSource::Given(clock) => clock.now(),
            ClockSource::Database(clock) => clock.now(),
        }
    }

    /// Takes the answer of the database when it was asked for its time.
    pub(super) fn set_clock(
        &self,
        asked: Instant,
        answer: Option<&QueryResult>,
    ) -> Result<(), StoreError> {
        if let (ClockSource::Database(clock), Some(row)) = (&self.0.clock, answer) {
            clock.set(asked, Timestamp::from_millis(record::get(row, 0)?));
        }
        Ok(())
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.0.database.dialect()
    }

    pub(super) fn texts(&self) -> &'static Statements {
        statements(self.dialect())
    }

    pub(super) fn failed(
        &self,
        operation: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> StoreError {
        let source = source.into();
        let is_slow = SqlError::find(&*source).is_some_and(SqlError::is_too_slow);
        if self.1 == Reader::People && is_slow {
            let limit = self.0.database.limit().time;
            return StoreError::TooSlow { operation, limit };
        }
        backend(self.dialect(), operation, source)
    }

    pub(super) async fn write(&self, operation: &'static str) -> Result<Session<'_>, StoreError> {
        let session = self.0.database.write().await;
        session.map_err(|error| self.unreachable(operation, error))
    }

    /// The error of a call that got no connection, and so has not begun.
    fn unreachable(&self, operation: &'static str, error: SqlError) -> StoreError {
        match self.failed(operation, error) {
            StoreError::Backend {
                backend,
                operation,
                source,
            } => StoreError::Unreachable {
                backend,
                operation,
                source,
            },
            other => other,
        }
    }

    /// What a transaction of this reader has to say about its time, if connections keep nothing.
    pub(super) fn local_limit(&self) -> Option<String> {
        let limit = self.0.database.limit();
        let is_told = self.1 == Reader::People && limit.is_local;
        (is_told && self.dialect() == Dialect::Postgres)
            .then(|| format!("; SET LOCAL statement_timeout = {}", limit.time.as_millis()))
    }

    pub(super) async fn read(&self, operation: &'static str) -> Result<Session<'_>, StoreError> {
        let session = match self.1 {
            Reader::Engine => self.0.database.read().await,
            Reader::People => self.0.database.look().await,
        };
        session.map_err(|error| self.unreachable(operation, error))
    }

    pub(super) fn joined_session<'a>(&self, transaction: &'a DatabaseTransaction) -> Session<'a> {
        Session::of_host(Arc::clone(self.0.database.texts()), transaction)
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &self.dialect().name())
            .finish_non_exhaustive()
    }
}
