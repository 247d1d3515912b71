//! A connection in use.

#[cfg(any(feature = "store-postgres", feature = "store-mysql"))]
use std::io;
use std::{borrow::Cow, sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, Statement, Value, sqlx, sqlx::pool::PoolConnection,
};

use super::{
    args::{Arg, Args},
    dialect::Dialect,
    error::SqlError,
    few::{Busy, Named},
    ready::Texts,
    run,
    script::{Script, Set, Sets},
};

/// How long a server may take for a statement. A connection that has fallen silent, as after a
/// failover, would otherwise be waited for until the system gives it up, which takes minutes. Our
/// statements take milliseconds, the take-over of very many runs and a lock that somebody who
/// stands still keeps take seconds.
const LONGEST_STATEMENT: Duration = Duration::from_secs(15);

/// How much later we give up than a server that was told how long it may take.
const GRACE: Duration = Duration::from_secs(1);

/// A connection of our own: one of a few, or one of a pool.
pub(super) enum Own<'a, D: sqlx::Database> {
    Few(Busy<'a, D::Connection>),
    Pooled(PoolConnection<D>),
}

impl<D: sqlx::Database> Own<'_, D> {
    fn connection(&mut self) -> &mut D::Connection {
        match self {
            Self::Few(busy) => &mut busy.connection,
            Self::Pooled(connection) => connection,
        }
    }

    fn is_new(&self) -> bool {
        matches!(self, Self::Few(busy) if busy.is_new)
    }

    /// Which statements it has prepared by a name; of one of a pool, none.
    fn named(&mut self) -> Option<&mut Named> {
        match self {
            Self::Few(busy) => Some(&mut busy.named),
            Self::Pooled(_) => None,
        }
    }

    fn finish(self) {
        match self {
            Self::Few(busy) => busy.finish(),
            Self::Pooled(connection) => drop(connection),
        }
    }

    fn close(self) {
        if let Self::Pooled(connection) = self {
            drop(connection.detach());
        }
    }
}

pub(super) enum Inner<'a> {
    #[cfg(feature = "store-sqlite")]
    Sqlite(Own<'a, sqlx::Sqlite>),
    #[cfg(feature = "store-postgres")]
    Postgres(Own<'a, sqlx::Postgres>),
    #[cfg(feature = "store-mysql")]
    MySql(Own<'a, sqlx::MySql>),
    /// A transaction of the host.
    Host(&'a DatabaseTransaction),
}

/// A connection in use.
///
/// Invariant: a session that is dropped before [`finish`](Self::finish), for example with the
/// future that uses it, closes its connection. The database rolls back what it had begun, and
/// nobody meets a connection in the middle of a transaction.
pub(crate) struct Session<'a> {
    texts: Arc<Texts>,
    inner: Option<Inner<'a>>,
    /// How long a server may take for a statement.
    longest: Duration,
}

impl<'a> Session<'a> {
    pub(super) const fn new(texts: Arc<Texts>, inner: Inner<'a>) -> Self {
        Self {
            texts,
            inner: Some(inner),
            longest: LONGEST_STATEMENT,
        }
    }

    /// The same for a server that gives up by itself after `limit`.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.longest = limit + GRACE;
        self
    }

    /// A transaction of the host, which stays open when the session is finished or dropped.
    pub(crate) const fn of_host(texts: Arc<Texts>, transaction: &'a DatabaseTransaction) -> Self {
        Self::new(texts, Inner::Host(transaction))
    }

    /// Which SQL it speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.texts.dialect()
    }

    /// Whether several statements can be one hop, which a check among them cuts short.
    pub(crate) fn is_scripted(&self) -> bool {
        self.dialect() == Dialect::Sqlite && !matches!(self.inner, Some(Inner::Host(_)))
    }

    /// Whether the connection was opened for this session, so that nothing of an earlier one,
    /// such as a lock, is left.
    pub(crate) fn is_new(&self) -> bool {
        match &self.inner {
            #[cfg(feature = "store-sqlite")]
            Some(Inner::Sqlite(own)) => own.is_new(),
            #[cfg(feature = "store-postgres")]
            Some(Inner::Postgres(own)) => own.is_new(),
            #[cfg(feature = "store-mysql")]
            Some(Inner::MySql(own)) => own.is_new(),
            Some(Inner::Host(_)) | None => false,
        }
    }

    /// Runs a script.
    pub(crate) async fn run(
        &mut self,
        script: impl Into<Script>,
        args: &Args<'_>,
    ) -> Result<Sets, SqlError> {
        let (sets, end) = self.attempt(script, args).await;
        end.map(|()| sets)
    }

    /// Runs a script; with an error comes what was returned before it.
    pub(crate) async fn attempt(
        &mut self,
        script: impl Into<Script>,
        args: &Args<'_>,
    ) -> (Sets, Result<(), SqlError>) {
        let script = script.into();
        let mut sets = Sets::default();
        #[cfg(feature = "store-sqlite")]
        if let Some(Inner::Sqlite(own)) = &mut self.inner {
            let end = run::sqlite(own.connection(), script.joined(), args, &mut sets).await;
            return (sets, end.map_err(SqlError::from));
        }
        for text in script.into_texts() {
            let is_fixed = matches!(text, Cow::Borrowed(_));
            match self.statement(&text, is_fixed, args).await {
                Ok(set) => sets.sets.push(set),
                Err(error) => return (sets, Err(error)),
            }
        }
        (sets, Ok(()))
    }

    /// Runs several statements without values, in one round trip.
    pub(crate) async fn plain(&mut self, text: String) -> Result<(), SqlError> {
        let text = self.texts.qualified(&text).into_owned();
        #[cfg(any(feature = "store-postgres", feature = "store-mysql"))]
        let longest = self.longest;
        match &mut self.inner {
            #[cfg(feature = "store-sqlite")]
            Some(Inner::Sqlite(own)) => run::plain_sqlite(own.connection(), text).await?,
            #[cfg(feature = "store-postgres")]
            Some(Inner::Postgres(own)) => {
                within(longest, run::plain_postgres(own.connection(), text)).await?;
            }
            #[cfg(feature = "store-mysql")]
            Some(Inner::MySql(own)) => {
                within(longest, run::plain_mysql(own.connection(), text)).await?;
            }
            Some(Inner::Host(transaction)) => {
                transaction.execute_unprepared(&text).await?;
            }
            None => return Err(sqlx::Error::PoolClosed.into()),
        }
        Ok(())
    }

    /// Runs several statements with their values in them, in one round trip: one transaction on
    /// PostgreSQL, unless they begin one themselves. With an error comes what was returned before
    /// it.
    #[cfg(any(feature = "store-postgres", feature = "store-mysql"))]
    pub(crate) async fn message(&mut self, text: &str) -> (Sets, Result<(), SqlError>) {
        let text = self.texts.qualified(text).into_owned();
        let mut sets = Sets::default();
        let longest = self.longest;
        let end = match &mut self.inner {
            #[cfg(feature = "store-postgres")]
            Some(Inner::Postgres(own)) => {
                let call = run::message_postgres(own.connection(), text, &mut sets);
                within(longest, call).await
            }
            #[cfg(feature = "store-mysql")]
            Some(Inner::MySql(own)) => {
                let call = run::message_mysql(own.connection(), text, &mut sets);
                within(longest, call).await
            }
            _ => Err(no_messages()),
        };
        (sets, end.map_err(SqlError::from))
    }

    /// A build for SQLite alone has scripts.
    #[cfg(not(any(feature = "store-postgres", feature = "store-mysql")))]
    pub(crate) async fn message(&mut self, _text: &str) -> (Sets, Result<(), SqlError>) {
        (Sets::default(), Err(no_messages().into()))
    }

    /// Which statements the connection has prepared by a name. `None` where that cannot be told.
    pub(crate) fn named(&mut self) -> Option<&mut Named> {
        match &mut self.inner {
            #[cfg(feature = "store-sqlite")]
            Some(Inner::Sqlite(own)) => own.named(),
            #[cfg(feature = "store-postgres")]
            Some(Inner::Postgres(own)) => own.named(),
            #[cfg(feature = "store-mysql")]
            Some(Inner::MySql(own)) => own.named(),
            Some(Inner::Host(_)) | None => None,
        }
    }

    async fn statement(
        &mut self,
        text: &str,
        is_fixed: bool,
        args: &Args<'_>,
    ) -> Result<Set, SqlError> {
        let ready = self.texts.ready(text, is_fixed, args.len());
        let (text, used) = (&*ready.text, &*ready.used);
        #[cfg(any(feature = "store-postgres", feature = "store-mysql"))]
        let longest = self.longest;
        match &mut self.inner {
            #[cfg(feature = "store-sqlite")]
            Some(Inner::Sqlite(_)) => Ok(Set::default()),
            #[cfg(feature = "store-postgres")]
            Some(Inner::Postgres(own)) => {
                Ok(within(longest, run::postgres(own.connection(), text, used, args)).await?)
            }
            #[cfg(feature = "store-mysql")]
            Some(Inner::MySql(own)) => {
                Ok(within(longest, run::mysql(own.connection(), text, used, args)).await?)
            }
            Some(Inner::Host(transaction)) => {
                on_host(transaction, self.texts.dialect(), text, used, args).await
            }
            None => Err(sqlx::Error::PoolClosed.into()),
        }
    }

    /// Gives the connection back. Nothing may be under way on it.
    pub(crate) fn finish(mut self) {
        match self.inner.take() {
            #[cfg(feature = "store-sqlite")]
            Some(Inner::Sqlite(own)) => own.finish(),
            #[cfg(feature = "store-postgres")]
            Some(Inner::Postgres(own)) => own.finish(),
            #[cfg(feature = "store-mysql")]
            Some(Inner::MySql(own)) => own.finish(),
            Some(Inner::Host(_)) | None => {}
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        match self.inner.take() {
            #[cfg(feature = "store-sqlite")]
            Some(Inner::Sqlite(own)) => own.close(),
            #[cfg(feature = "store-postgres")]
            Some(Inner::Postgres(own)) => own.close(),
            #[cfg(feature = "store-mysql")]
            Some(Inner::MySql(own)) => own.close(),
            Some(Inner::Host(_)) | None => {}
        }
    }
}

/// On SQLite a script is one hop anyway, and in a transaction of the host each statement goes alone.
fn no_messages() -> sqlx::Error {
    sqlx::Error::Protocol("no messages of many statements here".to_owned())
}

/// The answer of a server, if it comes in time. Otherwise the session is not finished, and its
/// connection is closed with it.
#[cfg(any(feature = "store-postgres", feature = "store-mysql"))]
async fn within<T>(
    longest: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let answer = tokio::time::timeout(longest, call).await;
    answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// Runs one statement, or several on SQLite, in a transaction of the host.
async fn on_host(
    transaction: &DatabaseTransaction,
    dialect: Dialect,
    text: &str,
    used: &[usize],
    args: &Args<'_>,
) -> Result<Set, SqlError> {
    let values: Vec<Value> = used
        .iter()
        .filter_map(|at| args.get(*at).map(value))
        .collect();
    let backend = transaction.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, text, values);
    let is_read = text.trim_start().starts_with("SELECT") || text.contains("RETURNING");
    if is_read || dialect == Dialect::Postgres && text.trim_start().starts_with("WITH") {
        let rows = transaction.query_all_raw(statement).await?;
        let changes = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        return Ok(Set { rows, changes });
    }
    let done = transaction.execute_raw(statement).await?;
    Ok(Set {
        rows: Vec::new(),
        changes: done.rows_affected(),
    })
}

/// A value in SeaORM's form.
fn value(arg: &Arg<'_>) -> Value {
    match arg {
        Arg::Int(value) => Value::BigInt(*value),
        Arg::Text(value) => text(value.as_deref()),
        Arg::Bytes(value) => bytes(value.as_deref()),
        // SeaORM has no arrays with NULL in them; our texts say `$1::bigint[]`, which reads these.
        Arg::Ints(list) => literal(list, |one| one.map(|one| one.to_string())),
        Arg::Numbers(list) => literal(list, |one| Some(one.to_string())),
        Arg::Texts(list) => literal(list, |one| one.as_deref().map(quoted)),
        Arg::Blobs(list) => literal(list, |one| one.map(hex)),
    }
}

/// A list as PostgreSQL writes an array.
fn literal<T>(list: &[T], write: impl Fn(&T) -> Option<String>) -> Value {
    let words = list
        .iter()
        .map(|one| write(one).unwrap_or_else(|| "NULL".to_owned()));
    let words: Vec<String> = words.collect();
    text(Some(&format!("{{{}}}", words.join(","))))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"\\\\x{digits}\"")
}

fn text(text: Option<&str>) -> Value {
    Value::String(text.map(str::to_owned))
}

fn bytes(bytes: Option<&[u8]>) -> Value {
    Value::Bytes(bytes.map(<[u8]>::to_vec))
}
