//! Hearing, and finding out whether one does.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use sea_orm::sqlx::{
    self,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::{aside::Aside, plane::Shared};
use crate::control_plane::bulletin::Bulletin;
use crate::control_plane::seam::{Notice, Notices};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a ping may be under way before the listener is taken to be deaf, if tests are not more
/// frequent. A healthy server answers within milliseconds, a busy one within a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The wait before the first attempt to connect again, doubling up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait between two attempts to connect. Meanwhile instances poll.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// One subscription: a connection that listens.
///
/// Whenever it has connected it pings itself. The first answer proves that it hears, and only then
/// it says `Resync`: what was sent before may be lost, what is sent later is not.
pub(super) struct Listener {
    shared: Arc<Shared>,
    id: Uuid,
    connection: Option<PgListener>,
    heard: VecDeque<Notice>,
    /// When to connect, while there is no connection.
    connect_at: Instant,
    wait: Duration,
    /// When to ping next, or by when the ping has to be heard.
    test_at: Instant,
    is_testing: bool,
    /// Whether a ping was heard on this connection, and none was missed since.
    is_live: bool,
    has_warned: bool,
}

impl Listener {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            shared,
            id: Uuid::new_v4(),
            connection: None,
            heard: VecDeque::new(),
            connect_at: now,
            wait: FIRST_WAIT,
            test_at: now,
            is_testing: false,
            is_live: false,
            has_warned: false,
        }
    }

    /// Waits for one thing to happen.
    async fn step(&mut self) {
        let Some(connection) = &mut self.connection else {
            return self.connect().await;
        };
        tokio::select! {
            // A ping that has arrived counts, however late this task looks.
            biased;
            received = connection.try_recv() => match received {
                Ok(Some(notification)) => self.take(notification.payload()),
                Ok(None) => self.lost(None),
                Err(error) => self.lost(Some(&error)),
            },
            () = tokio::time::sleep_until(self.test_at) => self.test().await,
        }
    }

    async fn connect(&mut self) {
        tokio::time::sleep_until(self.connect_at).await;
        let connected = match tokio::time::timeout(CONNECT_WITHIN, listen(&self.shared)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return self.lost(Some(&error)),
            Err(_) => return self.lost(None),
        };
        self.connection = Some(connected);
        self.is_testing = false;
        self.test_at = Instant::now();
    }

    /// The connection is gone or could not be made.
    fn lost(&mut self, error: Option<&sqlx::Error>) {
        let error = error.map(|error| error as &dyn std::error::Error);
        self.drop_connection(self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        if !std::mem::replace(&mut self.has_warned, true) {
            warn!(
                error,
                "no connection that listens for hints, polling until there is one"
            );
        }
    }

    fn drop_connection(&mut self, wait: Duration) {
        self.set_live(false);
        self.connection = None;
        // Between three and five quarters, so that instances do not come back all at once.
        let share = u32::from(self.id.as_bytes()[0]);
        self.connect_at = Instant::now() + wait * 3 / 4 + wait * share / 512;
    }

    /// Returns whether that is new.
    fn set_live(&mut self, is_live: bool) -> bool {
        let is_new = std::mem::replace(&mut self.is_live, is_live) != is_live;
        if is_new {
            self.shared.hears(is_live);
        }
        is_new
    }

    /// Pings, or gives up on the ping that is under way.
    async fn test(&mut self) {
        if self.is_testing {
            self.drop_connection(self.shared.test_every);
            if !std::mem::replace(&mut self.has_warned, true) {
                warn!(
                    "notifications of the database do not arrive, polling; \
                     a pooler in transaction mode swallows them: connect to the server itself"
                );
            }
            return;
        }
        let ping = Aside::ping(&self.id.to_string(), !self.is_live);
        let sent = self.shared.send(vec![ping.to_text()]).await;
        self.is_testing = sent.is_ok();
        if self.is_testing {
            self.test_at = Instant::now() + self.shared.test_every.min(ANSWER_WITHIN);
        } else {
            // It may hear others all the same; whether it does is not known.
            self.set_live(false);
            self.test_at = Instant::now() + self.wait;
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        }
    }

    fn take(&mut self, text: &str) {
        if let Some(bulletin) = Bulletin::parse(text) {
            self.heard.push_back(Notice::Heard(Arc::new(bulletin)));
            return;
        }
        let Some(Aside {
            ping, hello, lost, ..
        }) = Aside::parse(text)
        else {
            return;
        };
        if lost {
            self.heard.push_back(Notice::Resync);
        }
        match ping {
            Some(ping) if ping == self.id.to_string() => self.answered(),
            Some(_) => {
                self.shared.met_peer();
                if hello && !self.is_testing {
                    // Shows the newcomer that someone is there.
                    self.test_at = Instant::now();
                }
            }
            None => {}
        }
    }

    /// This stream has heard itself.
    fn answered(&mut self) {
        self.is_testing = false;
        self.wait = FIRST_WAIT;
        self.test_at = Instant::now() + self.shared.test_every;
        if self.set_live(true) {
            self.heard.push_back(Notice::Resync);
        }
        if std::mem::take(&mut self.has_warned) {
            info!("notifications of the database arrive again");
        }
    }
}

/// A connection that listens, in a pool of its own: one that hangs is left to itself.
async fn listen(shared: &Shared) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(CONNECT_WITHIN)
        .connect_lazy_with(shared.options.clone());
    let mut connection = PgListener::connect_with(&pool).await?;
    // A new one is made here, so that it is known what was missed.
    connection.eager_reconnect(false);
    connection.listen(&shared.channel).await?;
    Ok(connection)
}

#[async_trait]
impl Notices for Listener {
    async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.heard.pop_front() {
                return Some(notice);
            }
            self.step().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.set_live(false);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("channel", &self.shared.channel)
            .field("is_live", &self.is_live)
            .finish_non_exhaustive()
    }
}
