//! The connections to one database.

use std::{sync::Arc, time::Duration};

use sea_orm::sqlx;

use super::{
    dialect::Dialect,
    error::SqlError,
    few::Few,
    ready::Texts,
    session::{Inner, Own, Session},
};

/// The connections to one database.
///
/// | | SQLite | PostgreSQL, MySQL |
/// |---|---|---|
/// | writers | one, because SQLite has one writer at a time | a few |
/// | readers | a pool | a few |
/// | lookers | a small pool of readers for people, whose statements have a time limit | the same |
/// | reserved | none | one for each instance, so that leases are kept when pools are exhausted |
pub(crate) struct Database {
    texts: Arc<Texts>,
    connections: Connections,
    limit: Limit,
}

/// How long a statement for people may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// So long.
    pub(crate) time: Duration,
    /// Whether each transaction has to say so, because connections keep nothing.
    pub(crate) is_local: bool,
}

pub(crate) enum Connections {
    #[cfg(feature = "store-sqlite")]
    Sqlite {
        writer: Few<sqlx::SqliteConnection>,
        readers: sqlx::SqlitePool,
        lookers: sqlx::SqlitePool,
    },
    #[cfg(feature = "store-postgres")]
    Postgres {
        writers: Few<sqlx::PgConnection>,
        readers: Few<sqlx::PgConnection>,
        lookers: sqlx::PgPool,
        reserved: sqlx::postgres::PgConnectOptions,
    },
    #[cfg(feature = "store-mysql")]
    MySql {
        writers: Few<sqlx::MySqlConnection>,
        readers: Few<sqlx::MySqlConnection>,
        lookers: sqlx::MySqlPool,
        reserved: sqlx::mysql::MySqlConnectOptions,
    },
}

impl Database {
    /// `schema` is where our tables are on PostgreSQL; by default where the connections look.
    pub(crate) fn new(connections: Connections, schema: Option<Arc<str>>, limit: Limit) -> Self {
        let dialect = match &connections {
            #[cfg(feature = "store-sqlite")]
            Connections::Sqlite { .. } => Dialect::Sqlite,
            #[cfg(feature = "store-postgres")]
            Connections::Postgres { .. } => Dialect::Postgres,
            #[cfg(feature = "store-mysql")]
            Connections::MySql { .. } => Dialect::MySql,
        };
        Self {
            texts: Arc::new(Texts::new(dialect, schema)),
            connections,
            limit,
        }
    }

    /// How long a statement for people may take.
    pub(crate) const fn limit(&self) -> Limit {
        self.limit
    }

    /// Which SQL it speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.texts.dialect()
    }

    /// The texts of its statements.
    pub(crate) const fn texts(&self) -> &Arc<Texts> {
        &self.texts
    }

    fn session<'a>(&self, inner: Inner<'a>) -> Session<'a> {
        Session::new(Arc::clone(&self.texts), inner)
    }

    /// Waits for a connection that may write.
    pub(crate) async fn write(&self) -> Result<Session<'_>, SqlError> {
        Ok(self.session(match &self.connections {
            #[cfg(feature = "store-sqlite")]
            Connections::Sqlite { writer, .. } => Inner::Sqlite(Own::Few(writer.take().await?)),
            #[cfg(feature = "store-postgres")]
            Connections::Postgres { writers, .. } => {
                Inner::Postgres(Own::Few(writers.take().await?))
            }
            #[cfg(feature = "store-mysql")]
            Connections::MySql { writers, .. } => Inner::MySql(Own::Few(writers.take().await?)),
        }))
    }

    /// Waits for a connection to read.
    pub(crate) async fn read(&self) -> Result<Session<'_>, SqlError> {
        Ok(self.session(match &self.connections {
            #[cfg(feature = "store-sqlite")]
            Connections::Sqlite { readers, .. } => {
                Inner::Sqlite(Own::Pooled(readers.acquire().await?))
            }
            #[cfg(feature = "store-postgres")]
            Connections::Postgres { readers, .. } => {
                Inner::Postgres(Own::Few(readers.take().await?))
            }
            #[cfg(feature = "store-mysql")]
            Connections::MySql { readers, .. } => Inner::MySql(Own::Few(readers.take().await?)),
        }))
    }

    /// Waits for a connection to read for people.
    pub(crate) async fn look(&self) -> Result<Session<'_>, SqlError> {
        let session = self.session(match &self.connections {
            #[cfg(feature = "store-sqlite")]
            Connections::Sqlite { lookers, .. } => {
                let mut connection = lookers.acquire().await?;
                interrupt_after(&mut connection, self.limit.time).await?;
                Inner::Sqlite(Own::Pooled(connection))
            }
            #[cfg(feature = "store-postgres")]
            Connections::Postgres { lookers, .. } => {
                Inner::Postgres(Own::Pooled(lookers.acquire().await?))
            }
            #[cfg(feature = "store-mysql")]
            Connections::MySql { lookers, .. } => {
                Inner::MySql(Own::Pooled(lookers.acquire().await?))
            }
        });
        Ok(session.within(self.limit.time))
    }

    /// A connection that nobody else can take away, for leases and liveness. None where the one
    /// writer serves for that.
    pub(crate) fn reserve(&self) -> Option<Reserved> {
        let one: Option<Only> = match &self.connections {
            #[cfg(feature = "store-sqlite")]
            Connections::Sqlite { .. } => None,
            #[cfg(feature = "store-postgres")]
            Connections::Postgres { reserved, .. } => {
                Some(Only::Postgres(Few::new(reserved.clone(), 1)))
            }
            #[cfg(feature = "store-mysql")]
            Connections::MySql { reserved, .. } => Some(Only::MySql(Few::new(reserved.clone(), 1))),
        };
        one.map(|one| Reserved {
            texts: Arc::clone(&self.texts),
            one,
        })
    }
}

/// Instructions of SQLite between two looks at the time: some microseconds.
#[cfg(feature = "store-sqlite")]
const INSTRUCTIONS: i32 = 1_000;

/// Lets SQLite break off whatever the connection does in `time` from now. The next user of the
/// connection sets a time of its own.
#[cfg(feature = "store-sqlite")]
async fn interrupt_after(
    connection: &mut sqlx::SqliteConnection,
    time: Duration,
) -> Result<(), sqlx::Error> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread of the database knows no clock of a test"
    )]
    let has_time = {
        let until = std::time::Instant::now() + time;
        move || std::time::Instant::now() < until
    };
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(INSTRUCTIONS, has_time);
    Ok(())
}

/// A connection of its own, opened when it is used.
pub(crate) struct Reserved {
    texts: Arc<Texts>,
    one: Only,
}

enum Only {
    /// A build with SQLite alone reserves nothing.
    #[cfg(not(any(feature = "store-postgres", feature = "store-mysql")))]
    Nothing(std::convert::Infallible),
    #[cfg(feature = "store-postgres")]
    Postgres(Few<sqlx::PgConnection>),
    #[cfg(feature = "store-mysql")]
    MySql(Few<sqlx::MySqlConnection>),
}

impl Reserved {
    /// Waits for the connection and opens it if it is closed.
    pub(crate) async fn session(&self) -> Result<Session<'_>, SqlError> {
        #[cfg(not(any(feature = "store-postgres", feature = "store-mysql")))]
        let Only::Nothing(never) = &self.one;
        #[cfg(not(any(feature = "store-postgres", feature = "store-mysql")))]
        match *never {}
        #[cfg(any(feature = "store-postgres", feature = "store-mysql"))]
        let inner = match &self.one {
            #[cfg(feature = "store-postgres")]
            Only::Postgres(one) => Inner::Postgres(Own::Few(one.take().await?)),
            #[cfg(feature = "store-mysql")]
            Only::MySql(one) => Inner::MySql(Own::Few(one.take().await?)),
        };
        #[cfg(any(feature = "store-postgres", feature = "store-mysql"))]
        Ok(Session::new(Arc::clone(&self.texts), inner))
    }
}
