//! The whole authoring surface, operation by operation: live, after every wait out of memory, and
//! after a crash at every commit, on memory, SQLite and the servers that are at hand.
//!
//! One entry of a table is one way of using an operation. To add one, write a function that gives
//! an [`Entry`](stage::Entry) and name it in the `on_every_store!` of its file.

mod attributes;
mod choices;
mod control;
mod entities;
mod families;
mod sagas;
mod stage;
mod steps;
mod triggers;
mod waits;
