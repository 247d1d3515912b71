//! How each database is opened.

mod opened;

#[cfg(feature = "store-mysql")]
pub(super) mod mysql;
#[cfg(feature = "store-postgres")]
pub(super) mod postgres;
#[cfg(feature = "store-sqlite")]
pub(super) mod sqlite;

pub(super) use opened::Opened;
