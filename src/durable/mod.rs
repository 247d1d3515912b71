//! The assembled thing: what an application holds.

mod action;
mod breakpoint;
mod builder;
mod cancel;
mod cancel_where;
mod entity;
mod error;
mod event;
mod fork;
mod handle;
mod inspect;
mod operate;
mod run_handle;
mod signal;
mod signal_with_start;
mod start;
mod task;
mod tree;
mod update;
mod webhook;

pub use action::Action;
pub use builder::{BuildError, DurableBuilder};
pub use cancel::CancelRun;
pub use cancel_where::{CancelWhere, CancelledRuns};
pub use entity::{CallEntity, EntityHandle, SignalEntity};
pub use error::Error;
pub use event::PublishEvent;
pub use fork::ForkRun;
pub(crate) use handle::DEFAULT_BASE_PATH;
pub use handle::Durable;
pub use run_handle::{RunHandle, WaitForRun, WaitUntil};
pub use signal::SendSignal;
pub use signal_with_start::SignalWithStart;
pub use start::Start;
pub use tree::RunTree;
pub use update::SendUpdate;

pub use crate::engine::{InvalidRetention, Keep, Retention, Swept};
