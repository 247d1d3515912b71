//! The plane's handle, and sending.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::sqlx::{self, ConnectOptions, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{aside::Aside, listen::Listener};
use crate::control_plane::bulletin::Bulletin;
use crate::control_plane::seam::{ControlPlane, Notices};

/// PostgreSQL refuses payloads of 8000 bytes and more; the rest is left for databases whose
/// encoding needs more bytes for a letter than UTF-8.
const MAX_BYTES: usize = 7_000;

/// How long a bulletin may take to be sent. What takes longer comes later than the others' poll.
const SEND_WITHIN: Duration = Duration::from_secs(3);

/// How long nothing is sent after a failure, so that a database that is away is not asked for
/// each hint.
const REST: Duration = Duration::from_secs(1);

/// How often a stream checks that it hears. Two small transactions a minute and instance cost
/// nothing; a listener that has gone deaf is found after this, and until then the poll serves.
const TEST_EVERY: Duration = Duration::from_secs(15);

/// Sends all texts in one transaction that does nothing else.
///
/// A transaction that notifies holds a lock from its end until it is committed, for which every
/// other one that notifies in any database of the server waits. One that has written nothing is
/// committed without waiting for the disk or a replica, so that is microseconds; as a part of a
/// commit of the journal it would be the time of a write.
const NOTIFY: &str = "SELECT pg_notify($1, one) FROM unnest($2::text[]) AS one";

/// The control plane between instances on one PostgreSQL. Clones share it.
///
/// Each subscription has a connection that listens, and the plane one that sends; none is the
/// store's. Every instance checks that it hears itself. Where it does not, [`is_live`] is `false`
/// and the log says so once: behind a pooler in transaction mode `LISTEN` succeeds and does
/// nothing, and a lost connection may hang without an end. Such an instance polls, and hears
/// again once the cause is mended. While nobody else listens nothing is sent but these checks.
///
/// [`is_live`]: ControlPlane::is_live
///
/// # Examples
///
/// ```no_run
/// use axum_durable::control_plane::PostgresPlane;
///
/// # fn plane() -> Result<PostgresPlane, sea_orm::SqlxError> {
/// // Past the pooler, straight to the server.
/// let options = "postgres://app@db:5432/shop".parse()?;
/// let plane = PostgresPlane::new(options, "shop");
/// # Ok(plane)
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresPlane(Arc<Shared>);

/// What the plane and its streams share.
pub(super) struct Shared {
    pub(super) options: PgConnectOptions,
    pub(super) channel: String,
    pub(super) test_every: Duration,
    sender: tokio::sync::Mutex<Option<PgConnection>>,
    failed_at: parking_lot::Mutex<Option<Instant>>,
    /// Something was dropped, and the others do not know.
    has_lost: AtomicBool,
    /// How many streams hear themselves.
    live: AtomicUsize,
    /// Until when others are taken to listen.
    peers_until: parking_lot::Mutex<Instant>,
}

/// Why a bulletin was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the database did not answer within {SEND_WITHIN:?}")]
    Late,
}

impl PostgresPlane {
    /// A plane on the channel `channel`, which all instances of an app share and which is at most
    /// 63 bytes long. Nothing is connected yet.
    #[must_use]
    pub fn new(options: PgConnectOptions, channel: impl Into<String>) -> Self {
        Self::tested(options, channel.into(), TEST_EVERY)
    }

    /// The same plane, checked at another interval. Default 15 s: two transactions a minute cost
    /// nothing, and the poll serves until a listener that has gone deaf is found. All instances of
    /// an app should have the same.
    #[must_use]
    pub fn test_every(self, interval: Duration) -> Self {
        let shared = &self.0;
        Self::tested(shared.options.clone(), shared.channel.clone(), interval)
    }

    fn tested(options: PgConnectOptions, channel: String, test_every: Duration) -> Self {
        Self(Arc::new(Shared {
            options: options.disable_statement_logging(),
            channel,
            test_every,
            sender: tokio::sync::Mutex::default(),
            failed_at: parking_lot::Mutex::default(),
            has_lost: AtomicBool::new(false),
            live: AtomicUsize::new(0),
            peers_until: parking_lot::Mutex::new(Instant::now() + 3 * test_every),
        }))
    }
}

impl Shared {
    /// Sends texts, and says once if that fails.
    pub(super) async fn send(&self, mut texts: Vec<String>) -> Result<(), SendError> {
        if self.has_lost.swap(false, Relaxed) {
            texts.push(Aside::lost().to_text());
        }
        let sent = match tokio::time::timeout(SEND_WITHIN, self.try_send(&texts)).await {
            Ok(sent) => sent.map_err(SendError::from),
            Err(_) => Err(SendError::Late),
        };
        let failed_at = sent.is_err().then(Instant::now);
        let had_failed = std::mem::replace(&mut *self.failed_at.lock(), failed_at).is_some();
        match &sent {
            Ok(()) if had_failed => info!("hints are sent to other instances again"),
            Ok(()) => {}
            Err(error) => {
                self.has_lost.store(true, Relaxed);
                if !had_failed {
                    let error = error as &dyn std::error::Error;
                    warn!(error, "hints cannot be sent to other instances, they poll");
                }
            }
        }
        sent
    }

    async fn try_send(&self, texts: &Vec<String>) -> Result<(), sqlx::Error> {
        let mut idle = self.sender.lock().await;
        // Taken out, so that a connection in the middle of a statement is never used again.
        if let Some(mut connection) = idle.take()
            && self.notify(&mut connection, texts).await.is_ok()
        {
            *idle = Some(connection);
            return Ok(());
        }
        // The old one may have been closed by the server while it was idle.
        let mut connection = self.options.connect().await?;
        self.notify(&mut connection, texts).await?;
        *idle = Some(connection);
        Ok(())
    }

    async fn notify(&self, on: &mut PgConnection, texts: &Vec<String>) -> Result<(), sqlx::Error> {
        let query = sqlx::query(NOTIFY).bind(&self.channel).bind(texts);
        on.execute(query).await.map(drop)
    }

    fn rests(&self) -> bool {
        self.failed_at.lock().is_some_and(|at| at.elapsed() < REST)
    }

    /// A stream hears itself from now on, or does so no more.
    pub(super) fn hears(&self, is_live: bool) {
        if is_live {
            self.live.fetch_add(1, Relaxed);
        } else {
            self.live.fetch_sub(1, Relaxed);
        }
    }

    fn is_live(&self) -> bool {
        self.live.load(Relaxed) > 0
    }

    /// Someone else has shown that it is there.
    pub(super) fn met_peer(&self) {
        // Two signs of life may be lost.
        *self.peers_until.lock() = Instant::now() + 3 * self.test_every;
    }

    /// Whether anyone else may listen. One that hears nothing cannot know.
    fn has_peers(&self) -> bool {
        !self.is_live() || Instant::now() < *self.peers_until.lock()
    }
}

#[async_trait]
impl ControlPlane for PostgresPlane {
    async fn publish(&self, bulletin: Bulletin) {
        let shared = &self.0;
        if !shared.has_peers() {
            return;
        }
        if shared.rests() {
            shared.has_lost.store(true, Relaxed);
            return;
        }
        let texts = bulletin.to_texts(MAX_BYTES);
        if !texts.is_empty() {
            // It was logged, and the others are told to look once something can be sent again.
            drop(shared.send(texts).await);
        }
    }

    fn subscribe(&self) -> Box<dyn Notices> {
        Box::new(Listener::new(Arc::clone(&self.0)))
    }

    fn is_live(&self) -> bool {
        self.0.is_live()
    }
}

impl fmt::Debug for PostgresPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold a password.
        f.debug_struct("PostgresPlane")
            .field("channel", &self.0.channel)
            .field("is_live", &self.is_live())
            .finish_non_exhaustive()
    }
}
