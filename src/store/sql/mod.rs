//! A store in an SQL database, through SeaORM's connections.
//!
//! What differs between databases is in `statements` (the texts), in the ways in which a batch is
//! written (`by_script`, `by_arrays`, `at_once`, `by_statements`, `by_message`) and in `open`; the
//! rest only knows when which statement is due.

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

mod clock;
mod error;
mod gates;
mod rows;
mod statements;

mod amend;
mod arrays;
mod at_once;
mod attributes;
mod beyond;
mod bind;
mod by_arrays;
mod by_message;
mod by_script;
mod by_statements;
mod care;
mod claimed;
mod commit;
mod connect;
mod deliver;
mod events;
mod family;
mod flows;
mod lease;
mod letters;
mod listing;
mod lock;
mod migrate;
mod open;
mod options;
mod plan;
#[cfg(test)]
mod plans;
mod prune;
mod ranked;
mod read;
mod record;
mod relation;
mod seam;
mod seat;
mod signal;
mod store;
mod transaction;
mod writing;

pub use options::SqlOptions;
pub use store::SqlStore;
