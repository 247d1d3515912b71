//! Changes asked for from outside, one file each: write rows, wake, return.
//!
//! None of them touches a run's future. A run in this process is told what was written for it, to
//! save it a look; everyone else finds it in the store.

mod cancel;
mod complete;
mod requeue;
mod signal;
mod start;
mod wake;

pub use cancel::CancelOutcome;
pub(crate) use cancel::cancel;
pub(crate) use complete::complete;
pub(crate) use requeue::requeue;
pub use signal::SignalOutcome;
pub(crate) use signal::signal;
pub use start::{StartError, StartOutcome, StartRequest};
pub(crate) use start::{prepare, start};
