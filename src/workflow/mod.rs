//! What a workflow author writes against.
//!
//! A workflow is a plain `async fn` over a [`WorkflowCtx`]. Each call on the context is an
//! *operation*: it takes its position in program order when it is called, its outcome is stored as
//! a checkpoint, and it is handed to the workflow in an order that is stored too. That is what
//! makes `join!`, biased `select!` and the like replay exactly.
//!
//! What determinism asks of the author: between operations, compute only from the input and from
//! what operations returned. Read the time, random numbers and the environment through the
//! context, and do I/O in steps.
//!
//! What is not here: who answers. The context asks a [`Host`], which the engine implements.

mod accumulator;
mod ctx;
mod definition;
mod entity;
mod error;
mod host;
mod interceptor;
mod made;
mod outline;
mod payload_schema;
mod saga;
mod state;
mod step;
mod trigger;

pub mod ops;

pub(crate) use accumulator::accumulator;
pub use ctx::WorkflowCtx;
pub(crate) use definition::AttributesType;
pub use definition::{
    BoxFuture, IntoWorkflow, Outcome as WorkflowOutcome, RunBody, Workflow, WorkflowFn,
};
pub use entity::{Entity, EntityOp, EntityOperation};
pub use error::{Result, StepError, WorkflowError};
pub use host::{
    Ask, AttemptReport, Call, Captured, ChildAsk, ChildStart, Dropped, EntityAsk, EntitySend,
    EventAsk, Host, Make, Outcome, PatchState, PrivateAsk, Read, Reading, RemoteAsk, StepPolicy,
    StepPoll,
};
pub use interceptor::{Interceptor, Interceptors, StepAttempt};
pub use made::{define_operation, define_step, define_workflow, movable, ok};
pub(crate) use ops::{panicked, timed_out};
pub use outline::{Outline, OutlineArm, OutlineNode};
pub use payload_schema::{HasNoSchema, HasSchema, PayloadSchema, SchemaOf};
pub use state::{Inject, MissingState, StateNeed, States};
pub use step::{IntoStep, RemoteStep, Step, StepCtx, StepFn};
pub(crate) use step::{StepHandler, StepLog};
pub(crate) use trigger::Accumulates;
pub use trigger::EventBatch;
