//! Stored data and the pure rules about it. No I/O, no clock, no tasks.
//!
//! What a store keeps of a run is a [`Run`] and its [`Checkpoint`]s; how they change is in
//! `store`, why they change in `engine`.

mod checkpoint;
mod failure;
mod inbox;
mod query;
mod retry;
mod run;

pub use checkpoint::{
    Checkpoint, CheckpointKind, CheckpointStatus, LogLevel, StepEvent, StepEventKind, UnknownWord,
};
pub use failure::Failure;
pub use inbox::{InboxBody, InboxItem, SignalId};
pub use query::{RunPage, RunQuery};
pub(crate) use retry::mix;
pub use retry::{Backoff, InvalidBackoff, RetryPolicy};
pub use run::{IllegalTransition, NewRun, Run, RunStatus, WorkflowKey};
