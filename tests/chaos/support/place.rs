//! Where a test takes place: a database of its own.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _, TryGetable,
};
use tempfile::TempDir;
use tokio::{
    sync::{OnceCell, Semaphore},
    time::Instant,
};

use super::{proxy::Proxy, shop::program};

/// How long anything may take that a test waits for. Only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Tests at once: most of them wait for something most of the time, but each needs a processor
/// when it does not.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Makes a test of each function on each database.
macro_rules! on_every_database {
    ($($name:ident),+ $(,)?) => {
        $crate::support::place::on_databases!(
            [on_sqlite Sqlite, on_postgres Postgres, on_mariadb MariaDb] $($name),+
        );
    };
}

/// Makes a test of each function on each database that is reached over a network.
macro_rules! on_every_server {
    ($($name:ident),+ $(,)?) => {
        $crate::support::place::on_databases!(
            [on_postgres Postgres, on_mariadb MariaDb] $($name),+
        );
    };
}

/// Makes a test of each function on the SQLite database.
macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {
        $crate::support::place::on_databases!([on_sqlite Sqlite] $($name),+);
    };
}

/// Makes a test of each function on PostgreSQL.
macro_rules! on_postgres {
    ($($name:ident),+ $(,)?) => {
        $crate::support::place::on_databases!([on_postgres Postgres] $($name),+);
    };
}

macro_rules! on_databases {
    ($databases:tt $($name:ident),+) => {
        $($crate::support::place::on_databases!(@one $databases $name);)+
    };
    (@one [$($on:ident $kind:ident),+] $name:ident) => {
        mod $name {
            use $crate::support::place::{Kind, in_place};

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $on() {
                in_place(Kind::$kind, super::$name).await;
            })+
        }
    };
}

pub(crate) use {on_databases, on_every_database, on_every_server, on_postgres, on_sqlite};

/// Whether to take more of everything.
pub(crate) fn is_long() -> bool {
    std::env::var("DURABLE_TEST_LONG").is_ok_and(|it| it == "1")
}

/// One of two amounts.
pub(crate) fn short_or_long<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// Looks until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let patience = short_or_long(PATIENCE, 10 * PATIENCE);
    let deadline = Instant::now() + patience;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The outcome of a future that must come.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let patience = short_or_long(PATIENCE, 10 * PATIENCE);
    let outcome = tokio::time::timeout(patience, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Kind {
    /// A database on the server, which the environment may set, and what is asked of every
    /// connection to it.
    fn server(self) -> Option<(String, &'static str)> {
        // Encrypted, a proxy could not see what is sent.
        let (variable, usual, query) = match self {
            Self::Sqlite => return None,
            Self::Postgres => (
                "DURABLE_TEST_POSTGRES",
                "postgres://root@127.0.0.1:5432/test",
                "sslmode=disable",
            ),
            Self::MariaDb => (
                "DURABLE_TEST_MYSQL",
                "mysql://root@127.0.0.1:3306/test",
                "ssl-mode=DISABLED",
            ),
        };
        let server = std::env::var(variable).unwrap_or_else(|_| usual.to_owned());
        Some((server, query))
    }
}

/// A database of its own. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Place(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    folder: TempDir,
    name: String,
    admin: Option<DatabaseConnection>,
    connection: OnceCell<DatabaseConnection>,
}

/// Runs a test in a place of its own, unless its database does not answer.
pub(crate) async fn in_place<F>(kind: Kind, test: impl FnOnce(Place) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Before any test begins: it takes as long as many of them, and both processors.
    program().await;
    let _turn = TURNS.acquire().await.unwrap();
    let Some(place) = Place::open(kind).await else {
        return;
    };
    // The database goes, whether the test fails or not.
    let outcome = tokio::spawn(test(place.clone())).await;
    place.remove().await;
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
}

impl Place {
    async fn open(kind: Kind) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        let name = format!("durable_chaos_{}_{number}", std::process::id());
        let mut admin = None;
        if let Some((server, query)) = kind.server() {
            let mut options = ConnectOptions::new(format!("{server}?{query}"));
            options.max_connections(1).sqlx_logging(false);
            options.connect_timeout(Duration::from_secs(3));
            match Database::connect(options).await {
                Ok(connection) => admin = Some(connection),
                Err(error) => {
                    let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
                    assert!(!is_ci, "{kind:?} does not answer: {error}");
                    println!("skipped: {kind:?} does not answer");
                    return None;
                }
            }
        }
        let place = Self(Arc::new(Inner {
            kind,
            folder: tempfile::tempdir().unwrap(),
            name,
            admin,
            connection: OnceCell::new(),
        }));
        match kind {
            Kind::Sqlite => {}
            Kind::Postgres => {
                let create = format!("CREATE DATABASE {} TEMPLATE template0", place.0.name);
                place.administer(&create).await;
            }
            Kind::MariaDb => {
                let create = format!("CREATE DATABASE {}", place.0.name);
                place.administer(&create).await;
            }
        }
        Some(place)
    }

    /// Where programs may lie that use it.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.0.folder.path()
    }

    pub(crate) fn url(&self) -> String {
        match self.0.kind.server() {
            None => format!("sqlite://{}", self.0.folder.path().join("t.db").display()),
            Some((server, query)) => {
                let (server, _) = server.rsplit_once('/').unwrap();
                format!("{server}/{}?{query}", self.0.name)
            }
        }
    }

    /// The same database behind a proxy.
    pub(crate) fn url_behind(&self, proxy: &Proxy) -> String {
        let (before, after, _) = self.split();
        format!("{before}{}{after}", proxy.address)
    }

    /// A proxy in front of the database.
    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::open(self.split().2).await
    }

    /// The URL before and after the server's address, and the address.
    fn split(&self) -> (String, String, SocketAddr) {
        let url = self.url();
        let (before, rest) = url.rsplit_once('@').unwrap();
        let (address, after) = rest.split_once('/').unwrap();
        let address = address.parse().unwrap();
        (format!("{before}@"), format!("/{after}"), address)
    }

    async fn administer(&self, sql: &str) {
        let admin = self.0.admin.as_ref().unwrap();
        admin.execute_unprepared(sql).await.unwrap();
    }

    /// A pool of connections of the test's own.
    pub(crate) async fn connection(&self) -> &DatabaseConnection {
        let connect = || async {
            let mut options = ConnectOptions::new(self.url());
            options.max_connections(3).sqlx_logging(false);
            // The server may have given all its connections to shops, and have one later.
            options.connect_timeout(PATIENCE).acquire_timeout(PATIENCE);
            Database::connect(options).await.unwrap()
        };
        self.0.connection.get_or_init(connect).await
    }

    fn statement(&self, sql: &str) -> Statement {
        let backend = match self.0.kind {
            Kind::Sqlite => DbBackend::Sqlite,
            Kind::Postgres => DbBackend::Postgres,
            Kind::MariaDb => DbBackend::MySql,
        };
        Statement::from_string(backend, sql)
    }

    /// The first column of what the database answers. It is asked again while it is away.
    pub(crate) async fn column<T: TryGetable>(&self, sql: &str) -> Vec<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let connection = self.connection().await;
            match connection.query_all_raw(self.statement(sql)).await {
                Ok(rows) => {
                    let values = rows.iter().map(|row| row.try_get_by_index(0).unwrap());
                    return values.collect();
                }
                Err(error) => assert!(Instant::now() < deadline, "{sql}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A number from the database; sums are cast, because servers give them other types.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let numbers: Vec<Option<i64>> = self.column(sql).await;
        numbers.first().copied().flatten().unwrap_or(0)
    }

    /// Ends all connections to the database, as its restart would.
    pub(crate) async fn end_connections(&self) {
        let name = &self.0.name;
        let admin = self.0.admin.as_ref().unwrap();
        let list = match self.0.kind {
            Kind::Sqlite => return,
            Kind::Postgres => format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ),
            Kind::MariaDb => {
                format!(
                    "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = '{name}'"
                )
            }
        };
        let rows = admin.query_all_raw(self.statement(&list)).await.unwrap();
        if self.0.kind == Kind::MariaDb {
            for row in rows {
                let id: i64 = row.try_get_by_index(0).unwrap();
                // It may have gone by itself.
                drop(admin.execute_unprepared(&format!("KILL {id}")).await);
            }
        }
    }

    /// Whether nobody holds a lock that keeps everybody else from writing. A process that stands
    /// still in the middle of a write does so on SQLite, where there is one writer.
    pub(crate) async fn takes_writes(&self) -> bool {
        if self.0.kind != Kind::Sqlite {
            return true;
        }
        let mut options = ConnectOptions::new(self.url());
        options.sqlx_logging(false);
        options.map_sqlx_sqlite_opts(|it| it.busy_timeout(Duration::from_millis(100)));
        let connection = Database::connect(options).await.unwrap();
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let lock = connection.begin_with_options(options).await;
        match lock {
            Ok(lock) => lock.rollback().await.is_ok(),
            Err(_) => false,
        }
    }

    async fn remove(&self) {
        if let Some(connection) = self.0.connection.get() {
            drop(connection.clone().close().await);
        }
        let force = match self.0.kind {
            Kind::Sqlite => return,
            Kind::Postgres => " WITH (FORCE)",
            Kind::MariaDb => "",
        };
        self.administer(&format!("DROP DATABASE {}{force}", self.0.name))
            .await;
    }
}
