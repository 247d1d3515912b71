//! The control plane over a real PostgreSQL.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_durable::{
    MemoryStore,
    control_plane::{Bulletin, ControlPlane, Hint, Notice, PostgresPlane},
    engine::EngineConfig,
    id::{InstanceId, RunId},
    prelude::*,
};
use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgListener, PgSslMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

use crate::support::world::{flow, soon};

/// For tests that wait for a check to fail.
const OFTEN: Duration = Duration::from_millis(400);

/// A channel of its own on the test database.
struct Database {
    options: PgConnectOptions,
    /// Also the name by which the server lists the connections.
    channel: String,
}

impl Database {
    /// `None`, and a line that says so, where there is no PostgreSQL. In CI there has to be one.
    async fn find() -> Option<Self> {
        let url = env::var("DURABLE_TEST_POSTGRES_URL");
        let url = url.unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/test".to_owned());
        let options: PgConnectOptions = url.parse().unwrap();
        match options.connect().await {
            Ok(connection) => connection.close().await.unwrap(),
            Err(error) if env::var("CI").is_ok_and(|it| it == "true") => {
                panic!("no PostgreSQL at {url}: {error}")
            }
            Err(error) => {
                println!("skipped, no PostgreSQL at {url}: {error}");
                return None;
            }
        }
        let channel = format!("test-{}", RunId::generate());
        let options = options.application_name(&channel);
        Some(Self { options, channel })
    }

    fn plane(&self) -> PostgresPlane {
        self.plane_at(self.options.clone())
    }

    fn plane_at(&self, options: PgConnectOptions) -> PostgresPlane {
        PostgresPlane::new(options, &*self.channel)
    }

    /// A connection that the planes do not know of.
    async fn aside(&self) -> PgConnection {
        let options = self.options.clone().application_name("aside");
        options.connect().await.unwrap()
    }

    /// Ends every connection of the planes. Returns how many there were.
    async fn kill(&self) -> usize {
        const KILL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                            WHERE application_name = $1";
        let mut aside = self.aside().await;
        let query = sqlx::query(KILL).bind(&self.channel);
        aside.fetch_all(query).await.unwrap().len()
    }
}

/// A plane and what arrives by it, taken from a task as an engine would.
struct Ear {
    plane: PostgresPlane,
    notices: mpsc::UnboundedReceiver<Notice>,
    task: JoinHandle<()>,
}

impl Ear {
    fn of(plane: PostgresPlane) -> Self {
        let (tx, notices) = mpsc::unbounded_channel();
        let mut stream = plane.subscribe();
        let task = TaskTracker::new().spawn(async move {
            while let Some(notice) = stream.next().await {
                tx.send(notice).unwrap();
            }
        });
        Self {
            plane,
            notices,
            task,
        }
    }

    /// One that hears by now.
    async fn open(plane: PostgresPlane) -> Self {
        let mut ear = Self::of(plane);
        ear.resync().await;
        ear
    }

    /// Returns once it may have missed something.
    async fn resync(&mut self) {
        while soon("a notice", self.notices.recv()).await.unwrap() != Notice::Resync {}
        until("its being live", async || self.plane.is_live()).await;
    }

    async fn heard(&mut self) -> Arc<Bulletin> {
        match soon("a bulletin", self.notices.recv()).await.unwrap() {
            Notice::Heard(bulletin) => bulletin,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn bulletin(hints: Vec<Hint>) -> Bulletin {
    Bulletin::new(InstanceId::generate(), hints)
}

/// Comes back until `is_so`.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, look).await;
}

#[tokio::test]
async fn a_bulletin_reaches_every_instance() {
    let Some(database) = Database::find().await else {
        return;
    };
    let mut first = Ear::open(database.plane()).await;
    let mut second = Ear::open(database.plane()).await;
    let elsewhere = Database::find().await.unwrap();
    let mut stranger = Ear::open(elsewhere.plane()).await;
    let run = RunId::parse("it's \"ü\" \\ $1").unwrap();
    let sent = bulletin(vec![Hint::Due, Hint::Watch { run, secs: 30 }]);
    first.plane.publish(sent.clone()).await;
    assert_eq!(*first.heard().await, sent);
    assert_eq!(*second.heard().await, sent);
    assert!(stranger.notices.try_recv().is_err(), "another channel");
}

#[tokio::test]
async fn more_hints_than_a_notification_holds_arrive_all() {
    let Some(database) = Database::find().await else {
        return;
    };
    let first = Ear::open(database.plane()).await;
    let mut second = Ear::open(database.plane()).await;
    let runs = (0..3_000).map(|n| RunId::parse(format!("ü{n}-{}", "x".repeat(100))).unwrap());
    let hints: Vec<Hint> = runs.map(|run| Hint::Watch { run, secs: 30 }).collect();
    let sent = bulletin(hints);
    first.plane.publish(sent.clone()).await;
    let mut heard = Vec::new();
    while heard.len() < sent.hints.len() {
        heard.extend(second.heard().await.hints.iter().cloned());
    }
    assert_eq!(heard, sent.hints);
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_everyone_looks() {
    let Some(database) = Database::find().await else {
        return;
    };
    let mut first = Ear::open(database.plane()).await;
    let mut second = Ear::open(database.plane()).await;
    for _ in 0..3 {
        first.plane.publish(bulletin(vec![Hint::Due])).await;
        assert!(
            database.kill().await >= 3,
            "two that listen, one that sends"
        );
        first.resync().await;
        second.resync().await;
        let sent = bulletin(vec![Hint::Due]);
        first.plane.publish(sent.clone()).await;
        // What was heard before the connection was lost may still come.
        while *second.heard().await != sent {}
        while *first.heard().await != sent {}
    }
}

/// A pooler in transaction mode: it passes everything on but notifications.
struct Pooler {
    port: u16,
    swallows: Arc<AtomicBool>,
    swallowed: Arc<AtomicU32>,
}

impl Pooler {
    async fn open(to: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = format!("{}:{}", to.get_host(), to.get_port());
        let swallows = Arc::new(AtomicBool::new(true));
        let swallowed = Arc::new(AtomicU32::new(0));
        let (on, count) = (Arc::clone(&swallows), Arc::clone(&swallowed));
        TaskTracker::new().spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&server).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                TaskTracker::new().spawn(async move {
                    drop(tokio::io::copy(&mut from_client, &mut to_server).await);
                });
                let (on, count) = (Arc::clone(&on), Arc::clone(&count));
                TaskTracker::new().spawn(async move {
                    while let Ok(message) = message(&mut from_server).await {
                        // NotificationResponse, by
                        // https://www.postgresql.org/docs/current/protocol-message-formats.html
                        if message.first() == Some(&b'A') && on.load(SeqCst) {
                            count.fetch_add(1, SeqCst);
                        } else if to_client.write_all(&message).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self {
            port,
            swallows,
            swallowed,
        }
    }

    /// The same database, through this.
    fn options(&self, database: &Database) -> PgConnectOptions {
        let options = database.options.clone().ssl_mode(PgSslMode::Disable);
        options.host("127.0.0.1").port(self.port)
    }
}

/// A message of the server: a letter, and a length that counts itself.
async fn message(from: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message).await?;
    let length = u32::from_be_bytes(message[1..].try_into().unwrap());
    message.resize(1 + usize::try_from(length).unwrap(), 0);
    from.read_exact(&mut message[5..]).await?;
    Ok(message)
}

#[tokio::test]
async fn a_plane_that_hears_nothing_knows_it() {
    let Some(database) = Database::find().await else {
        return;
    };
    let mut other = Ear::open(database.plane()).await;
    let pooler = Pooler::open(&database.options).await;
    let plane = database.plane_at(pooler.options(&database));
    let mut deaf = Ear::of(plane.test_every(OFTEN));
    // It has tried twice, each time on a connection of its own.
    let tried = async || pooler.swallowed.load(SeqCst) >= 2;
    until("the test", tried).await;
    assert!(!deaf.plane.is_live());
    assert!(deaf.notices.try_recv().is_err());
    // What it says is heard.
    let sent = bulletin(vec![Hint::Due]);
    deaf.plane.publish(sent.clone()).await;
    assert_eq!(*other.heard().await, sent);

    pooler.swallows.store(false, SeqCst);
    deaf.resync().await;
    // A listener may go deaf later too.
    pooler.swallows.store(true, SeqCst);
    until("the next test", async || !deaf.plane.is_live()).await;
    pooler.swallows.store(false, SeqCst);
    deaf.resync().await;
}

#[tokio::test]
async fn who_is_alone_sends_nothing() {
    let Some(database) = Database::find().await else {
        return;
    };
    let mut first = Ear::open(database.plane().test_every(OFTEN)).await;
    let mut wire = PgListener::connect_with(&pool(&database)).await.unwrap();
    wire.listen(&database.channel).await.unwrap();
    let end = format!("SELECT pg_notify('{}', 'end')", database.channel);
    let mut aside = database.aside().await;
    // Whether a bulletin is sent now: everything comes in the order of its commits.
    let mut sends = async |plane: &PostgresPlane| {
        plane.publish(bulletin(vec![Hint::Due])).await;
        aside.execute(AssertSqlSafe(end.clone())).await.unwrap();
        let mut has_sent = false;
        loop {
            let notification = soon("the end", wire.recv()).await.unwrap();
            if notification.payload() == "end" {
                return has_sent;
            }
            has_sent |= Bulletin::parse(notification.payload()).is_some();
        }
    };
    until("silence", async || !Box::pin(sends(&first.plane)).await).await;

    let mut second = Ear::open(database.plane().test_every(OFTEN)).await;
    until("the greeting", async || Box::pin(sends(&first.plane)).await).await;
    second.heard().await;
    drop(second);
    until("silence", async || !Box::pin(sends(&first.plane)).await).await;
    while first.notices.try_recv().is_ok() {}
    assert!(first.plane.is_live());
}

fn pool(database: &Database) -> sqlx::PgPool {
    let options = database.options.clone().application_name("aside");
    sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(options)
}

#[tokio::test]
async fn a_database_that_is_away_holds_nobody_up() {
    let Some(database) = Database::find().await else {
        return;
    };
    // Nobody listens on the port of a listener that has gone.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let options = database.options.clone().host("127.0.0.1").port(port);
    let mut ear = Ear::of(database.plane_at(options));
    ear.plane.publish(bulletin(vec![Hint::Due])).await;
    assert!(!ear.plane.is_live());
    assert!(ear.notices.try_recv().is_err());
}

#[tokio::test]
async fn engines_tell_each_other_news_through_it() {
    let Some(database) = Database::find().await else {
        return;
    };
    let sum = || {
        flow("sum", |ctx, ()| async move {
            let a: u32 = ctx.wait_for_signal("a").await?;
            let b: u32 = ctx.wait_for_signal("b").await?;
            Ok(a + b)
        })
    };
    let store = MemoryStore::new();
    let mut config = EngineConfig::default();
    config.poll_interval = Duration::from_secs(3_600);
    let builder = || {
        Durable::builder()
            .config(config.clone())
            .store(store.clone())
    };
    let builder = || builder().register(sum()).only_registered();
    let builder = || builder().control_plane(database.plane());
    let driver = builder().build().await.unwrap();
    let api = builder().drive(false).build().await.unwrap();
    let run = api.start(sum(), ()).id("a").await.unwrap();
    for signal in ["a", "b"] {
        let waits = async || {
            let now = api.explain("a").await.unwrap();
            now.waiting_for.iter().any(|it| it.name == signal)
        };
        until("the wait", waits).await;
        api.signal(signal, 2).await.unwrap();
    }
    assert_eq!(soon("the result", run.result()).await.unwrap(), 4);
    driver.shutdown().await;
    api.shutdown().await;
}
