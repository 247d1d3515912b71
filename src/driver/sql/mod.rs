//! Connections to an SQL database and scripts of statements on them.
//!
//! What the statements say belongs to the stores.

mod connection;
mod script;

pub(crate) use connection::{Readers, Session, Writer};
pub(crate) use script::{Args, Script, Sets};
