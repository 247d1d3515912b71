//! Durable workflows for Axum: write an `async fn`, survive crashes and deploys.
//!
//! A workflow is a plain `async fn`. Every side effect in it is an *operation* on its
//! [`WorkflowCtx`]: a step, a sleep, a wait for a signal. The engine stores the outcome of each
//! operation as a checkpoint. When the process dies, the next one calls the function again from
//! the top and answers each operation from its checkpoint until the code reaches new ground.
//!
//! ```standalone_crate
//! use axum_durable::{Durable, MemoryStore, prelude::*};
//!
//! #[workflow]
//! async fn greet(ctx: &WorkflowCtx, name: String) -> Result<String> {
//!     ctx.step("greet", async || Ok(format!("hello, {name}"))).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! let durable = Durable::builder().store(MemoryStore::new()).build().await?;
//! let run = durable.start(greet, "Ada".to_owned()).await?;
//! assert_eq!(run.result().await?, "hello, Ada");
//! # durable.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Read on: [`Durable`] is what an application holds, [`workflow`](mod@workflow) what an author writes against,
//! [`store`] where runs are kept, [`http`] what is mounted into a router.

// Words.
pub mod id;
pub mod payload;
pub mod time;

// Stored data, messages and news.
pub mod event;
pub mod model;
pub mod protocol;

// Shared plumbing of stores.
#[cfg(feature = "_sql")]
mod driver;

// The seams.
pub mod control_plane;
pub mod store;
pub mod transport;

// Authoring.
pub mod registry;
pub mod workflow;

// The engine and what is around it.
pub mod control;
pub mod engine;
pub mod worker;

// What an application holds.
pub mod durable;

// The edges.
pub mod http;

// For tests, ours and the users'.
#[cfg(feature = "testing")]
pub mod testing;

pub mod prelude;

pub use durable::{Durable, Error, Error as DurableError, RunHandle};
pub use http::{
    Access, DurableLayer, DurableRouter, MissingDurableLayer, Problem, WithDurable, durable_router,
};
#[cfg(feature = "login")]
pub use http::{InvalidLoginSecret, InvalidPasswordHash, Login, PasswordHash};
pub use model::{Backoff, Failure, LogLevel, RetryPolicy, RunStatus};
pub use store::MemoryStore;
#[cfg(feature = "_sql")]
pub use store::SqlStore;
pub use time::{Timestamp, parse_duration};
pub use workflow::{
    Entity, EntityOp, Interceptor, RemoteStep, Result, Step, StepCtx, StepError, Workflow,
    WorkflowCtx, WorkflowError,
};

/// Turns an `impl` block into an [`Entity`]: state under a key, with operations that are applied
/// once and one after the other.
///
/// # Examples
///
/// ```
/// use axum_durable::prelude::*;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize, JsonSchema)]
/// struct PageViews(u64);
///
/// #[entity]
/// impl PageViews {
///     #[on]
///     fn seen(&mut self) -> u64 {
///         self.0 += 1;
///         self.0
///     }
/// }
///
/// assert_eq!(PageViews::NAME, "page_views");
/// assert_eq!(PageViews::SEEN.name(), "seen");
/// assert_eq!(PageViews(6).seen(), 7); // it stays a method
/// ```
#[cfg(feature = "macros")]
pub use axum_durable_macros::entity;

/// Turns an `async fn` into a step that workers execute.
///
/// # Examples
///
/// ```
/// use axum_durable::prelude::*;
///
/// #[step(name = "payments.charge-card", retries = 3, backoff = "exp 200ms..10s", timeout = "30s")]
/// async fn charge_card(cents: u64, step: StepCtx) -> Result<String, StepError> {
///     if cents == 0 {
///         return Err(StepError::fatal("nothing", "nothing to charge"));
///     }
///     Ok(step.idempotency_key())
/// }
///
/// assert_eq!(charge_card().name(), "payments.charge-card");
/// ```
#[cfg(feature = "macros")]
pub use axum_durable_macros::step;

/// Turns an `async fn` into a workflow.
///
/// # Examples
///
/// ```
/// use axum_durable::prelude::*;
///
/// #[workflow(name = "checkout", version = 1, tags = ["payments"])]
/// async fn checkout(ctx: &WorkflowCtx, order: String) -> Result<usize> {
///     ctx.step("reserve", async || Ok(order.len())).retries(5).await
/// }
///
/// assert_eq!(checkout().name(), "checkout");
/// assert_eq!(checkout().outline().nodes.len(), 1);
/// ```
#[cfg(feature = "macros")]
pub use axum_durable_macros::workflow;

/// The examples of the documents compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/authoring.md")]
#[doc = include_str!("../docs/children.md")]
#[doc = include_str!("../docs/dashboard.md")]
#[doc = include_str!("../docs/determinism.md")]
#[doc = include_str!("../docs/entities.md")]
#[doc = include_str!("../docs/events.md")]
#[doc = include_str!("../docs/guarantees.md")]
#[doc = include_str!("../docs/operations.md")]
#[cfg_attr(feature = "_sql", doc = include_str!("../docs/steps.md"))]
#[cfg_attr(feature = "testing", doc = include_str!("../docs/testing.md"))]
mod documents {}

#[doc(hidden)]
pub mod __private {
    //! What the macros write. Not part of the API.
    pub use crate::registry::{Registered, Registration};
    pub use crate::workflow::*;
    pub use inventory;
}
