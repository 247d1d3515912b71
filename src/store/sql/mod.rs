//! A store in an SQL database, through SeaORM's connections.
//!
//! SQLite for now. What differs between databases is in `statements` (the texts) and `rows` (how
//! many rows travel in one parameter); the rest only knows when which statement is due.

mod error;
mod rows;
mod statements;

mod commit;
mod deliver;
mod lease;
mod lock;
mod options;
mod plan;
mod read;
mod record;
mod signal;
mod start;
mod store;

pub use options::SqlOptions;
pub use store::SqlStore;
