//! Errors of the database as errors of the store.

use std::error::Error;

use super::statements::{batch, sqlite};
use crate::driver::sql::{Dialect, SqlError};
use crate::store::error::StoreError;

/// A batch has met something that it must not touch as it is being written.
#[derive(Debug, thiserror::Error)]
#[error("the batch is to be written again with more care")]
pub(super) struct NeedsCare;

/// The error of a call that the database refused.
pub(super) fn backend(
    dialect: Dialect,
    operation: &'static str,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> StoreError {
    let (backend, source) = (dialect.name(), source.into());
    if SqlError::find(&*source).is_some_and(SqlError::is_out_of_room) {
        return StoreError::OutOfRoom {
            backend,
            operation,
            source,
        };
    }
    StoreError::Backend {
        backend,
        operation,
        source,
    }
}

/// Whether the database has undone the transaction for another one's sake.
pub(super) fn is_conflict(error: &StoreError) -> bool {
    SqlError::find(error).is_some_and(SqlError::is_conflict)
}

/// Whether a batch has stopped itself, to be written with more care.
pub(super) fn is_stop(error: &StoreError) -> bool {
    let StoreError::Backend { source, .. } = error else {
        return false;
    };
    source.is::<NeedsCare>()
        || SqlError::find(error).is_some_and(|error| error.code().as_deref() == Some(batch::STOP))
}

/// Whether the connection does not know, or no longer wants to know, what was prepared by a name.
pub(super) fn is_unnamed(error: &StoreError) -> bool {
    // PostgreSQL: invalid_sql_statement_name, duplicate_prepared_statement.
    let code = SqlError::find(error).and_then(SqlError::code);
    code.is_some_and(|code| matches!(code.as_str(), "26000" | "42P05"))
}

/// Whether a check has cut a script short.
pub(super) fn is_cut(error: &SqlError) -> bool {
    error.message() == Some(sqlite::STOP)
}
