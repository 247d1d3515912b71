//! The operations of a workflow, one file each.
//!
//! Every operation that waits is a small `#[must_use]` builder that is itself the future: it took
//! its position when it was made, starts when it is first polled and is ready only once the
//! driver has released its outcome.

mod capture;
mod event;
mod operation;
mod remote;
mod signal;
mod sleep;
mod step;
mod tag;

pub use capture::Draw;
pub(crate) use capture::{capture, rng, side_effect};
pub(crate) use event::set_event;
pub(crate) use operation::Operation;
pub use remote::Remote;
pub use signal::SignalWait;
pub use sleep::Sleep;
pub use step::{Encode, LocalStep, StepBody, StepScope};
pub(crate) use step::{panicked, timed_out};
pub(crate) use tag::add_tag;
