//! What a database says when it refuses, and what that means.

use std::error::Error as StdError;

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// On a connection of the host.
    #[error(transparent)]
    Orm(#[from] DbErr),
}

impl SqlError {
    fn database(&self) -> Option<&(dyn sqlx::error::DatabaseError + 'static)> {
        let error = match self {
            Self::Sqlx(error) => error,
            Self::Orm(
                DbErr::Conn(RuntimeErr::SqlxError(error))
                | DbErr::Exec(RuntimeErr::SqlxError(error))
                | DbErr::Query(RuntimeErr::SqlxError(error)),
            ) => error,
            Self::Orm(_) => return None,
        };
        error.as_database_error()
    }

    /// The message of the database.
    pub(crate) fn message(&self) -> Option<&str> {
        Some(self.database()?.message())
    }

    /// SQLSTATE or the database's own code.
    pub(crate) fn code(&self) -> Option<String> {
        Some(self.database()?.code()?.into_owned())
    }

    /// Whether the database has broken off and undone a transaction for another one's sake, so
    /// that the same transaction may succeed when it is tried again.
    pub(crate) fn is_conflict(&self) -> bool {
        // PostgreSQL: serialization_failure, deadlock_detected. MySQL gives SQLSTATE 40001 for
        // deadlocks, and its code 1205 for a lock that was not had in time comes as HY000.
        let is_state = |code: String| matches!(code.as_str(), "40001" | "40P01");
        self.code().is_some_and(is_state)
            || self
                .message()
                .is_some_and(|text| text.starts_with("Lock wait timeout"))
    }

    /// Whether the database, or we, have given up on a statement that took too long, or on a
    /// connection that was not free in time.
    pub(crate) fn is_too_slow(&self) -> bool {
        if let Self::Sqlx(sqlx::Error::PoolTimedOut) = self {
            return true;
        }
        if let Self::Sqlx(sqlx::Error::Io(error)) = self {
            return error.kind() == std::io::ErrorKind::TimedOut;
        }
        // PostgreSQL: query_canceled. MariaDB: max_statement_time exceeded. SQLite: interrupted.
        // MySQL gives its code 3024 the general SQLSTATE.
        let is_state = |code: String| matches!(code.as_str(), "57014" | "70100" | "9");
        self.code().is_some_and(is_state)
            || self
                .message()
                .is_some_and(|text| text.contains("maximum statement execution time exceeded"))
    }

    /// Whether a number has become too large: how a message of MySQL ends itself.
    pub(crate) fn is_out_of_range(&self) -> bool {
        self.code().is_some_and(|code| code == "22003")
    }

    /// Whether the database has no room to write into. Other failures of a disk are not meant: a
    /// sector that cannot be read may concern one run alone, and must not make all others wait.
    pub(crate) fn is_out_of_room(&self) -> bool {
        #[cfg(feature = "store-mysql")]
        if let Some(error) = self
            .database()
            .and_then(|it| it.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
        {
            // Disk full, table full.
            return matches!(error.number(), 1021 | 1114);
        }
        // SQLite: FULL, IOERR_WRITE. PostgreSQL: disk_full.
        self.code()
            .is_some_and(|code| matches!(code.as_str(), "13" | "778" | "53100"))
    }

    /// Finds an error of the database on its way up, wherever it was put.
    pub(crate) fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| (*error).source())
            .find_map(|error| error.downcast_ref())
    }
}
