//! A few connections that are opened when they are needed, and closed when their user gives up
//! midway.
//!
//! The pools of the driver ask a connection whether it lives each time that it comes back, which is
//! another round trip for each call, and one more wake-up for the program and its server. These do
//! not ask: a call that gets a connection that was lost fails, and is tried again.

use std::{io::ErrorKind, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use sea_orm::sqlx::{self, Connection};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// How long a server is left in peace that gave no connection, the first time and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a new connection is told first.
pub(crate) type Setup<C> = for<'c> fn(&'c mut C) -> BoxFuture<'c, Result<(), sqlx::Error>>;

/// Which statements a connection has prepared by a name.
pub(super) type Named = Vec<&'static str>;

/// Connections for as many users at a time.
pub(crate) struct Few<C: Connection> {
    options: C::Options,
    setup: Option<Setup<C>>,
    patience: Option<Duration>,
    /// The one that was used last is used next, since it has the statements prepared.
    idle: Mutex<Vec<(C, Named)>>,
    free: Semaphore,
}

/// One of a [`Few`] in use. Dropped before [`finish`](Busy::finish), it closes the connection.
pub(super) struct Busy<'a, C: Connection> {
    pub(super) connection: C,
    pub(super) named: Named,
    few: &'a Few<C>,
    /// Whether the connection was opened just now.
    pub(super) is_new: bool,
    _permit: SemaphorePermit<'a>,
}

impl<C: Connection> Few<C> {
    /// At most `most` connections.
    pub(crate) fn new(options: C::Options, most: usize) -> Self {
        Self {
            options,
            setup: None,
            patience: None,
            idle: Mutex::default(),
            free: Semaphore::new(most),
        }
    }

    /// Fails a call that has waited so long for a free connection, or for a new one.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Tells each new connection something first.
    pub(crate) fn with_setup(mut self, setup: Setup<C>) -> Self {
        self.setup = Some(setup);
        self
    }

    /// Waits for a free connection and opens it if it is closed.
    pub(super) async fn take(&self) -> Result<Busy<'_, C>, sqlx::Error> {
        match self.patience {
            Some(patience) => tokio::time::timeout(patience, self.get())
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut)),
            None => self.get().await,
        }
    }

    async fn get(&self) -> Result<Busy<'_, C>, sqlx::Error> {
        let permit = self.free.acquire().await;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let found = self.idle.lock().pop();
        let is_new = found.is_none();
        let (connection, named) = match found {
            Some(found) => found,
            None => (self.open().await?, Named::new()),
        };
        Ok(Busy {
            connection,
            named,
            few: self,
            is_new,
            _permit: permit,
        })
    }

    /// Opens a connection. A server that cannot be reached just now, or has no connection to give, is
    /// asked again for as long as the call may wait.
    async fn open(&self) -> Result<C, sqlx::Error> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.open_once().await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let is_over = self
                .patience
                .is_none_or(|patience| began.elapsed() + pause >= patience);
            if is_over || !may_pass(&error) {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn open_once(&self) -> Result<C, sqlx::Error> {
        let mut connection = C::connect_with(&self.options).await?;
        if let Some(setup) = self.setup {
            setup(&mut connection).await?;
        }
        Ok(connection)
    }
}

/// Whether a server that gave no connection may give one soon.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
        ),
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

impl<C: Connection> Busy<'_, C> {
    /// Gives the connection back. Nothing may be under way on it.
    pub(super) fn finish(self) {
        self.few.idle.lock().push((self.connection, self.named));
    }
}
