//! The writer and the readers of an SQLite file.

use std::time::Duration;

use sea_orm::sqlx::{
    self, ConnectOptions, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::sync::{Mutex, MutexGuard};

use super::script::{self, Args, Script, Sets};

/// The one connection that writes.
///
/// SQLite has one writer at a time; a second connection of ours would only wait for its lock.
#[derive(Debug)]
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    idle: Mutex<Option<SqliteConnection>>,
}

impl Writer {
    pub(crate) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            idle: Mutex::new(None),
        }
    }

    /// Waits for the writer and opens it if it is closed.
    pub(crate) async fn session(&self) -> Result<Session<'_>, sqlx::Error> {
        let mut idle = self.idle.lock().await;
        let connection = match idle.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(Session(Some(Inner::Writer(connection, idle))))
    }
}

/// Connections that read, beside the writer and each other.
#[derive(Debug)]
pub(crate) struct Readers {
    pool: SqlitePool,
}

impl Readers {
    /// More than four readers gain nothing while the writer is busy: they share its processor.
    const MAX: u32 = 4;
    /// How long a call waits for a free reader before it fails; longer hides an overload.
    const PATIENCE: Duration = Duration::from_secs(10);

    pub(crate) fn new(options: SqliteConnectOptions) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(Self::MAX)
            .acquire_timeout(Self::PATIENCE)
            // A file cannot hang up on us; the ping would double the cost of a small query.
            .test_before_acquire(false)
            .connect_lazy_with(options.read_only(true).create_if_missing(false));
        Self { pool }
    }

    /// Waits for a free reader.
    pub(crate) async fn session(&self) -> Result<Session<'_>, sqlx::Error> {
        Ok(Session(Some(Inner::Reader(self.pool.acquire().await?))))
    }
}

enum Inner<'a> {
    Writer(SqliteConnection, MutexGuard<'a, Option<SqliteConnection>>),
    Reader(PoolConnection<sqlx::Sqlite>),
}

/// A connection in use.
///
/// Invariant: a session that is dropped before [`finish`](Self::finish), for example with the
/// future that uses it, closes its connection. The database rolls back what it had begun, and
/// nobody meets a connection in the middle of a transaction.
pub(crate) struct Session<'a>(Option<Inner<'a>>);

impl Session<'_> {
    /// Runs a script.
    pub(crate) async fn run(
        &mut self,
        script: impl Into<Script>,
        args: Args,
    ) -> Result<Sets, sqlx::Error> {
        let (sets, end) = self.attempt(script, args).await;
        end.map(|()| sets)
    }

    /// Runs a script; with an error comes what was returned before it.
    pub(crate) async fn attempt(
        &mut self,
        script: impl Into<Script>,
        args: Args,
    ) -> (Sets, Result<(), sqlx::Error>) {
        let connection = match &mut self.0 {
            Some(Inner::Writer(connection, _)) => connection,
            Some(Inner::Reader(connection)) => &mut **connection,
            None => return (Sets::default(), Err(sqlx::Error::PoolClosed)),
        };
        script::run(connection, script.into(), args).await
    }

    /// Gives the connection back. Nothing may be under way on it.
    pub(crate) fn finish(mut self) {
        match self.0.take() {
            Some(Inner::Writer(connection, mut idle)) => *idle = Some(connection),
            Some(Inner::Reader(connection)) => drop(connection),
            None => {}
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(Inner::Reader(connection)) = self.0.take() {
            drop(connection.detach());
        }
    }
}
