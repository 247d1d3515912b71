//! Changes asked for from outside, one file each: write rows, wake, return.
//!
//! None of them touches a run's future. A run in this process is told what was written for it, to
//! save it a look; everyone else finds it in the store.

mod amend;
mod cancel;
mod complete;
mod delete;
mod event;
mod force_fail;
mod fork;
mod let_go_on;
mod pause;
mod requeue;
mod retry_with_input;
mod signal;
mod skip_step;
mod start;

pub use amend::ActionError;
pub use cancel::CancelOutcome;
pub(crate) use cancel::cancel;
pub(crate) use complete::complete;
pub(crate) use delete::{delete, remove};
pub use event::{EventOutcome, EventRequest};
pub(crate) use event::{publication, publish_event};
pub(crate) use force_fail::force_fail;
pub use fork::{ForkPreview, ForkRequest};
pub(crate) use fork::{fork, preview_fork};
pub(crate) use let_go_on::let_go_on;
pub use pause::PauseOutcome;
pub(crate) use pause::{pause, resume};
pub(crate) use requeue::requeue;
pub(crate) use retry_with_input::retry_with_input;
pub use signal::SignalOutcome;
pub(crate) use signal::signal;
pub(crate) use skip_step::skip_step;
pub use start::{StartError, StartOutcome, StartRequest};
pub(crate) use start::{check_attributes, prepare, start, start_with_signals};
