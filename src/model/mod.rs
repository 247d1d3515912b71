//! Stored data and the pure rules about it. No I/O, no clock, no tasks.
//!
//! What a store keeps of a run is a [`Run`] and its [`Checkpoint`]s; how they change is in
//! `store`, why they change in `engine`.

pub(crate) mod address;
mod attribute;
mod attribute_filter;
mod audit;
mod checkpoint;
mod dead;
pub(crate) mod entity;
mod event;
mod failure;
mod flow;
mod history;
mod inbox;
mod instance;
mod query;
mod relation;
mod retry;
mod run;
mod task;
mod trigger;
mod undo;
mod update;
mod webhook;

pub use attribute::{AttributePatch, AttributeValue, Attributes, InvalidAttributes};
pub use attribute_filter::{AttributeFilter, AttributeOp, InvalidFilter};
pub use audit::{AuditEntry, By};
pub use checkpoint::{
    Checkpoint, CheckpointKind, CheckpointStatus, LogLevel, StepEvent, StepEventKind, UnknownWord,
};
pub use dead::DeadLetter;
pub(crate) use entity::{EntityAnswer, EntityOutcome, EntityReply, EntityRequest};
pub use event::{EventId, Facts};
pub use failure::Failure;
pub use flow::{Fingerprint, FlowQuery, LiveFlow, LiveFlows};
pub use history::{InvalidHistory, RecordedOperation, RunHistory};
pub use inbox::{InboxBody, InboxItem, SignalId};
pub use instance::{InstanceReport, InstanceRow};
pub use query::{Except, RunPage, RunQuery};
pub use relation::{OnCancel, Parent};
pub(crate) use retry::mix;
pub use retry::{Backoff, InvalidBackoff, RetryPolicy};
#[cfg(feature = "_sql")]
pub(crate) use run::default_namespace;
pub use run::{DEFAULT_NAMESPACE, IllegalTransition, NewRun, Run, RunStatus, WorkflowKey};
pub(crate) use task::TaskReport;
pub use trigger::{Accumulate, Trigger};
pub(crate) use trigger::{Happened, LONGEST_TARGET, accumulated, started_by};
pub use undo::Undo;
pub(crate) use update::{UpdateAnswer, UpdateRequest};
pub(crate) use webhook::WebhookRecord;
