//! What workflow authors and the handlers beside them import.

pub use axum::extract::State;

pub use crate::durable::{Durable, Error as DurableError, RunHandle};
pub use crate::http::{DurableLayer, DurableRouter, WithDurable, durable_router};
pub use crate::model::{Backoff, LogLevel, RetryPolicy, Undo};
pub use crate::time::{Timestamp, parse_duration};
pub use crate::workflow::ops::{TaskToken, WebhookOptions};
pub use crate::workflow::{
    Entity, RemoteStep, Result, Step, StepCtx, StepError, Workflow, WorkflowCtx, WorkflowError,
};
#[cfg(feature = "macros")]
pub use axum_durable_macros::{entity, step, workflow};
