//! A store in this process's memory, for tests and for trying things out.
//!
//! It keeps the whole contract, so an engine that is dropped and started again on a clone of the
//! store recovers its runs. It loses everything with the process.

mod amend;
mod audience;
mod commit;
mod events;
mod lease;
mod prune;
mod read;
mod relation;
mod signal;
mod state;
mod store;

pub use store::MemoryStore;
