//! The operations of a workflow, one file each.
//!
//! Every operation that waits is a small `#[must_use]` builder that is itself the future: it took
//! its position when it was made, starts when it is first polled and is ready only once the
//! driver has released its outcome.

mod attributes;
mod breakpoint;
mod capture;
mod child;
mod compensate;
mod continue_as_new;
mod emit;
mod entity;
mod event;
mod gather;
mod listen;
mod note;
mod operation;
mod patch;
mod private;
mod remote;
mod signal;
mod sleep;
mod step;
mod switch;
mod tag;
mod task;
#[cfg(feature = "_sql")]
mod transaction;
mod update;
mod webhook;

pub(crate) use attributes::upsert_search_attributes;
pub use breakpoint::Breakpoint;
pub(crate) use breakpoint::breakpoint_address;
pub use capture::Draw;
pub(crate) use capture::{capture, rng, side_effect};
pub use child::Child;
pub(crate) use child::cancel_run;
pub use continue_as_new::ContinueAsNew;
pub(crate) use emit::emit;
pub use entity::EntityCall;
pub(crate) use entity::{live, signal_entity};
pub(crate) use event::set_event;
pub use gather::{ChildFailure, Gather};
pub use listen::EventWait;
pub(crate) use note::note;
pub(crate) use operation::Operation;
pub(crate) use patch::{deprecate_patch, patched};
pub use remote::Remote;
pub use signal::SignalWait;
pub(crate) use signal::run_signal_address;
pub use sleep::Sleep;
pub use step::{Encode, LocalStep, StepBody, StepScope};
pub(crate) use step::{panicked, timed_out};
pub(crate) use switch::switch;
pub(crate) use tag::add_tag;
pub use task::{Task, TaskToken};
#[cfg(feature = "_sql")]
pub use transaction::StepTransaction;
#[cfg(feature = "_sql")]
pub(crate) use transaction::transaction;
pub(crate) use update::update_address;
pub use update::{OnUpdate, Update};
pub(crate) use webhook::webhook_address;
pub use webhook::{Webhook, WebhookOptions, WebhookWait};
