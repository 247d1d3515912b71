//! The place of one instance at a database server: a connection of its own, with a lock on it that
//! is freed when the process dies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::record;
use super::statements::statements;
use crate::driver::sql::{Arg, Args, Dialect, Reserved, Session, SqlError};
use crate::id::stable_hash;
use crate::store::lease::Liveness;

/// The place of one instance at a database server.
pub(super) struct Seat {
    reserved: Reserved,
    key: LockKey,
    grace: Duration,
    has_lock: AtomicBool,
    was_connected: AtomicBool,
    /// Until when a free lock proves nothing: our own was lost with the connection, so the
    /// others may have lost theirs in the same way and have not taken them again.
    distrust: Mutex<Option<Instant>>,
}

/// The name of a lock.
#[derive(Debug, Clone)]
enum LockKey {
    Number(i64),
    Name(String),
}

impl Seat {
    /// `name` is the same for nobody else at this server. After a reconnection the locks of others
    /// prove nothing for `grace`.
    pub(super) fn new(reserved: Reserved, dialect: Dialect, name: &str, grace: Duration) -> Self {
        let hash = stable_hash(name);
        let key = match dialect {
            Dialect::MySql => LockKey::Name(format!("durable-{hash:016x}")),
            Dialect::Sqlite | Dialect::Postgres => LockKey::Number(hash.cast_signed()),
        };
        Self {
            reserved,
            key,
            grace,
            has_lock: AtomicBool::new(false),
            was_connected: AtomicBool::new(false),
            distrust: Mutex::new(None),
        }
    }

    /// The connection, with the lock on it if that can be had.
    pub(super) async fn session(&self) -> Result<Session<'_>, SqlError> {
        let mut session = self.reserved.session().await?;
        if session.is_new() {
            self.has_lock.store(false, Ordering::Relaxed);
            if self.was_connected.swap(true, Ordering::Relaxed) {
                *self.distrust.lock() = Some(Instant::now() + self.grace);
            }
        }
        if !self.has_lock.load(Ordering::Relaxed) {
            // What is left of a broken connection may hold it for a while. The row then says that
            // only the lease counts, and the next call tries again.
            let text = statements(session.dialect()).lease.take_lock;
            let sets = session.run(text, &Args::new().with(self.arg())).await?;
            let got = sets
                .first(0)
                .and_then(|row| record::get::<i64>(row, 0).ok());
            self.has_lock.store(got == Some(1), Ordering::Relaxed);
        }
        Ok(session)
    }

    /// Whether a free lock of another instance proves that it is dead.
    pub(super) fn trusts_locks(&self) -> bool {
        self.distrust
            .lock()
            .is_none_or(|until| until <= Instant::now())
    }

    /// The lock as it is stored in the instance's row: NULL while it is not held.
    pub(super) fn lock(&self) -> Arg<'static> {
        if self.has_lock.load(Ordering::Relaxed) {
            return self.arg();
        }
        match self.key {
            LockKey::Number(_) => Arg::Int(None),
            LockKey::Name(_) => Arg::Text(None),
        }
    }

    fn arg(&self) -> Arg<'static> {
        match &self.key {
            LockKey::Number(key) => Arg::Int(Some(*key)),
            LockKey::Name(key) => Arg::from(key.clone()),
        }
    }

    async fn unlock(&self) -> Result<(), SqlError> {
        let mut session = self.reserved.session().await?;
        let text = statements(session.dialect()).lease.free_lock;
        session.run(text, &Args::new().with(self.arg())).await?;
        Ok(())
    }
}

/// Keeps the seat of an enrolled instance; the connection closes with the last of its users.
pub(super) struct Occupied(pub(super) Arc<Seat>);

#[async_trait]
impl Liveness for Occupied {
    async fn release(self: Box<Self>) {
        // The session is not finished, so the connection closes, which frees the lock in any case.
        drop(self.0.unlock().await);
    }
}
