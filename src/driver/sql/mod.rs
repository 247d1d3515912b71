//! Connections to an SQL database and scripts of statements on them.
//!
//! What the statements say belongs to the stores.

#![cfg_attr(
    not(all(
        feature = "store-sqlite",
        feature = "store-postgres",
        feature = "store-mysql"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "a build for one database uses a part of it"
    )
)]

mod args;
mod database;
mod dialect;
mod error;
mod few;
mod literal;
mod ready;
mod run;
mod script;
mod session;

pub(crate) use args::{Arg, Args};
pub(crate) use database::{Connections, Database, Limit, Reserved};
pub(crate) use dialect::Dialect;
pub(crate) use error::SqlError;
pub(crate) use few::Few;
pub(crate) use literal::{listed, written, written_with};
pub(crate) use script::{Script, Sets};
pub(crate) use session::Session;
