//! One statement, with its values, on a connection of each database.

use std::borrow::Cow;

use futures_util::TryStreamExt;
use sea_orm::{
    QueryResult,
    sqlx::{self, Arguments, AssertSqlSafe, Either, Executor},
};

use super::{
    args::{Arg, Args},
    script::{Set, Sets},
};

fn refused<T>(_: T) -> sqlx::Error {
    sqlx::Error::Encode("a value has no form in the database".into())
}

/// Runs statements without values, for each kind of connection: bounds that would make one
/// function of these cannot be proven `Send`.
macro_rules! plain {
    ($name:ident, $connection:ty, $feature:literal) => {
        #[cfg(feature = $feature)]
        pub(super) async fn $name(
            connection: &mut $connection,
            text: String,
        ) -> Result<(), sqlx::Error> {
            let statements = sqlx::raw_sql(AssertSqlSafe(text));
            connection.execute(statements).await.map(drop)
        }
    };
}

plain!(plain_sqlite, sqlx::SqliteConnection, "store-sqlite");
plain!(plain_postgres, sqlx::PgConnection, "store-postgres");
plain!(plain_mysql, sqlx::MySqlConnection, "store-mysql");

/// Runs several statements that are one text, and collects what each returns. What was returned
/// before an error is in `sets`.
macro_rules! message {
    ($name:ident, $connection:ty, $feature:literal) => {
        #[cfg(feature = $feature)]
        pub(super) async fn $name(
            connection: &mut $connection,
            text: String,
            sets: &mut Sets,
        ) -> Result<(), sqlx::Error> {
            let statements = sqlx::raw_sql(AssertSqlSafe(text));
            let mut stream = connection.fetch_many(statements);
            let mut set = Set::default();
            while let Some(next) = stream.try_next().await? {
                match next {
                    Either::Right(row) => set.rows.push(QueryResult::from(row)),
                    Either::Left(done) => {
                        set.changes = done.rows_affected();
                        sets.sets.push(std::mem::take(&mut set));
                    }
                }
            }
            Ok(())
        }
    };
}

message!(message_postgres, sqlx::PgConnection, "store-postgres");
message!(message_mysql, sqlx::MySqlConnection, "store-mysql");

/// Runs a script that is one text. What was returned before an error is in `sets`.
#[cfg(feature = "store-sqlite")]
pub(super) async fn sqlite(
    connection: &mut sqlx::SqliteConnection,
    text: Cow<'static, str>,
    args: &Args<'_>,
    sets: &mut Sets,
) -> Result<(), sqlx::Error> {
    let mut values = sqlx::sqlite::SqliteArguments::default();
    for arg in (1..=args.len()).filter_map(|at| args.get(at)) {
        let added = match arg {
            Arg::Int(value) => values.add(*value),
            Arg::Text(value) => values.add(value.as_deref().map(str::to_owned)),
            Arg::Bytes(value) => values.add(value.as_deref().map(<[u8]>::to_vec)),
            Arg::Ints(_) | Arg::Numbers(_) | Arg::Texts(_) | Arg::Blobs(_) => {
                return Err(refused(()));
            }
        };
        added.map_err(refused)?;
    }
    let query = match text {
        Cow::Borrowed(text) => sqlx::query_with(text, values),
        Cow::Owned(text) => sqlx::query_with(AssertSqlSafe(text), values),
    };
    let mut stream = connection.fetch_many(query);
    let mut set = Set::default();
    while let Some(next) = stream.try_next().await? {
        match next {
            Either::Right(row) => set.rows.push(QueryResult::from(row)),
            Either::Left(done) => {
                set.changes = done.rows_affected();
                sets.sets.push(std::mem::take(&mut set));
            }
        }
    }
    Ok(())
}

#[cfg(feature = "store-postgres")]
pub(super) async fn postgres(
    connection: &mut sqlx::PgConnection,
    text: &str,
    used: &[usize],
    args: &Args<'_>,
) -> Result<Set, sqlx::Error> {
    let mut values = sqlx::postgres::PgArguments::default();
    for arg in used.iter().filter_map(|at| args.get(*at)) {
        let added = match arg {
            Arg::Int(value) => values.add(*value),
            Arg::Text(value) => values.add(value.as_deref()),
            Arg::Bytes(value) => values.add(value.as_deref()),
            Arg::Ints(list) => values.add(list.as_slice()),
            Arg::Numbers(list) => values.add(list.as_slice()),
            Arg::Texts(list) => values.add(list.as_slice()),
            Arg::Blobs(list) => values.add(list.as_slice()),
        };
        added.map_err(refused)?;
    }
    let query = sqlx::query_with(AssertSqlSafe(text), values);
    let mut stream = connection.fetch_many(query);
    let mut set = Set::default();
    while let Some(next) = stream.try_next().await? {
        match next {
            Either::Right(row) => set.rows.push(QueryResult::from(row)),
            Either::Left(done) => set.changes = done.rows_affected(),
        }
    }
    Ok(set)
}

#[cfg(feature = "store-mysql")]
pub(super) async fn mysql(
    connection: &mut sqlx::MySqlConnection,
    text: &str,
    used: &[usize],
    args: &Args<'_>,
) -> Result<Set, sqlx::Error> {
    let mut values = sqlx::mysql::MySqlArguments::default();
    for arg in used.iter().filter_map(|at| args.get(*at)) {
        let added = match arg {
            Arg::Int(value) => values.add(*value),
            Arg::Text(value) => values.add(value.as_deref()),
            Arg::Bytes(value) => values.add(value.as_deref()),
            Arg::Ints(_) | Arg::Numbers(_) | Arg::Texts(_) | Arg::Blobs(_) => {
                return Err(refused(()));
            }
        };
        added.map_err(refused)?;
    }
    let query = sqlx::query_with(AssertSqlSafe(text), values);
    let mut stream = connection.fetch_many(query);
    let mut set = Set::default();
    while let Some(next) = stream.try_next().await? {
        match next {
            Either::Right(row) => set.rows.push(QueryResult::from(row)),
            Either::Left(done) => set.changes = done.rows_affected(),
        }
    }
    Ok(set)
}
