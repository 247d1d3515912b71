//! Scripts: several statements sent to the database at once.
//!
//! A statement of its own costs a hop to the connection's thread and back (10 to 20 µs), which is
//! more than most statements take. A script makes one hop, whatever it holds.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sea_orm::{
    QueryResult,
    sqlx::{
        self, Arguments, AssertSqlSafe, Either, Encode, Executor, Sqlite, SqliteConnection, Type,
        sqlite::SqliteArguments,
    },
};

/// Values for the placeholders `$1`, `$2`, … of a script; each statement may name any of them.
///
/// Only this form counts: with `?` SQLite numbers the placeholders of each statement anew.
#[derive(Clone, Default)]
pub(crate) struct Args {
    values: SqliteArguments,
    is_refused: bool,
}

impl Args {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds the next value.
    pub(crate) fn with<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        self.is_refused |= self.values.add(value).is_err();
        self
    }
}

/// What each statement of a script returned, in order.
#[derive(Default)]
pub(crate) struct Sets {
    sets: Vec<Set>,
}

/// What one statement returned.
#[derive(Default)]
pub(crate) struct Set {
    rows: Vec<QueryResult>,
    changes: u64,
}

impl Sets {
    /// How many statements were carried out.
    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The rows of statement `at`, counted from 0.
    pub(crate) fn rows(&self, at: usize) -> &[QueryResult] {
        self.sets.get(at).map_or(&[], |set| &set.rows)
    }

    /// How many rows statement `at` has changed.
    pub(crate) fn changes(&self, at: usize) -> u64 {
        self.sets.get(at).map_or(0, |set| set.changes)
    }

    /// The only row of statement `at`.
    pub(crate) fn first(&self, at: usize) -> Option<&QueryResult> {
        self.rows(at).first()
    }
}

/// The text of a script. The database keeps a prepared script by its text, so texts that are used
/// often come from a fixed set.
#[derive(Debug, Clone)]
pub(crate) enum Script {
    /// A constant.
    Fixed(&'static str),
    /// Put together once and kept.
    Built(Arc<str>),
}

impl From<&'static str> for Script {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<String> for Script {
    fn from(text: String) -> Self {
        Self::Built(text.into())
    }
}

/// Runs a script. With an error comes what was returned before it.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    script: Script,
    args: Args,
) -> (Sets, Result<(), sqlx::Error>) {
    let mut sets = Sets::default();
    if args.is_refused {
        return (
            sets,
            Err(sqlx::Error::Encode(
                "a value has no form in the database".into(),
            )),
        );
    }
    let query = match script {
        Script::Fixed(text) => sqlx::query_with(text, args.values),
        Script::Built(text) => sqlx::query_with(AssertSqlSafe(text), args.values),
    };
    let mut stream = connection.fetch_many(query);
    let mut set = Set::default();
    loop {
        match stream.try_next().await {
            Ok(Some(Either::Right(row))) => set.rows.push(row.into()),
            Ok(Some(Either::Left(done))) => {
                set.changes = done.rows_affected();
                sets.sets.push(std::mem::take(&mut set));
            }
            Ok(None) => return (sets, Ok(())),
            Err(error) => return (sets, Err(error)),
        }
    }
}
