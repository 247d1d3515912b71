//! Which statements for which database.

use super::{mysql::MYSQL, postgres::POSTGRES, sqlite::SQLITE, texts::Statements};
use crate::driver::sql::Dialect;

/// The statements of a dialect.
pub(crate) const fn statements(dialect: Dialect) -> &'static Statements {
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
        Dialect::MySql => &MYSQL,
    }
}
