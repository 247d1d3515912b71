//! One claimed run: its host, its driver and what it writes.

mod arrivals;
mod committed;
mod cut;
mod deadline;
mod drive;
mod flush;
mod host;
mod inbox;
mod news;
mod operations;
mod pending;
mod rehearse;
mod relation;
mod signals;
mod spawned;
mod state;
#[cfg(feature = "_sql")]
mod transaction;
mod turn;
mod wake;

pub(crate) use drive::begin;
pub use rehearse::Rehearsal;
pub(crate) use rehearse::{rehearse, undos};
