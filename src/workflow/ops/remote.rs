//! `ctx.remote` and `ctx.remote_named`.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{operation::Operation, step::timed_out};
use crate::model::{Backoff, CheckpointKind, RetryPolicy};
use crate::payload::{Payload, PayloadError};
use crate::workflow::{
    error::WorkflowError,
    host::{Ask, Host, Outcome, RemoteAsk, StepPolicy},
    saga::{Saga, Undo},
};

/// A step executed by a worker, made by [`WorkflowCtx::remote`](crate::WorkflowCtx::remote).
///
/// The call is stored before it is sent. If the process dies, it is sent again under the same
/// idempotency key, and the first answer counts. Retries are durable: after a failed attempt the
/// run may move to another process and makes the next one there.
///
/// # Errors
///
/// [`WorkflowError::Step`] if it failed fatally or on its last attempt,
/// [`WorkflowError::Payload`] if input or output do not fit their types.
#[must_use = "the step is not sent until it is awaited"]
pub struct Remote<O, I = serde_json::Value> {
    operation: Operation,
    /// Where its undo is noted.
    saga: Arc<Saga>,
    /// Taken and returned when the input has no JSON form.
    error: Option<PayloadError>,
    ask: Ask,
    types: PhantomData<fn(I) -> O>,
}

impl<O, I> Remote<O, I> {
    pub(crate) fn new(
        operation: Operation,
        saga: Arc<Saga>,
        policy: StepPolicy,
        input: Result<Payload, PayloadError>,
    ) -> Self {
        let (input, error) = match input {
            Ok(input) => (input, None),
            Err(error) => (Payload::null(), Some(error)),
        };
        Self {
            operation,
            saga,
            error,
            ask: Ask::Remote(Box::new(RemoteAsk { input, policy })),
            types: PhantomData,
        }
    }

    /// The step that undoes another one.
    pub(crate) fn undo(
        host: Arc<dyn Host>,
        undo: &Undo,
        input: Result<Payload, PayloadError>,
    ) -> Self {
        let saga = Arc::new(Saga::new(Arc::clone(&host)));
        let name = Arc::clone(&undo.name);
        let operation = Operation::open_at(host, CheckpointKind::Compensation, name, undo.site);
        Self::new(operation, saga, undo.policy, input)
    }

    /// The operation, where its undo is noted, and what the step is called with.
    pub(super) fn parts(&mut self) -> (&mut Operation, Arc<Saga>, Payload) {
        let input = match &self.ask {
            Ask::Remote(ask) => ask.input.clone(),
            Ask::Timer { .. }
            | Ask::Signal { .. }
            | Ask::Event(_)
            | Ask::Private(_)
            | Ask::Entity(_)
            | Ask::Child(_) => Payload::null(),
        };
        (&mut self.operation, Arc::clone(&self.saga), input)
    }

    fn policy(&mut self) -> Option<&mut StepPolicy> {
        match &mut self.ask {
            Ask::Remote(ask) => Some(&mut ask.policy),
            Ask::Timer { .. }
            | Ask::Signal { .. }
            | Ask::Event(_)
            | Ask::Private(_)
            | Ask::Entity(_)
            | Ask::Child(_) => None,
        }
    }

    /// The most attempts in all; the step's own number unless given.
    pub fn retries(mut self, attempts: u32) -> Self {
        if let Some(policy) = self.policy() {
            policy.retry.max_attempts = attempts.max(1);
        }
        self
    }

    /// The wait between attempts; the step's own unless given.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        if let Some(policy) = self.policy() {
            policy.retry = RetryPolicy {
                backoff,
                ..policy.retry
            };
        }
        self
    }

    /// How long one attempt may take; then it counts as failed with the code `timeout`.
    pub fn timeout(mut self, length: Duration) -> Self {
        if let Some(policy) = self.policy() {
            policy.timeout = Some(length);
        }
        self
    }
}

impl<O: DeserializeOwned, I> Future for Remote<O, I> {
    type Output = Result<O, WorkflowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(WorkflowError::Payload(error)));
        }
        let this = &mut *self;
        let Poll::Ready(outcome) = this.operation.poll(&this.ask, cx) else {
            return Poll::Pending;
        };
        this.operation.finish(&outcome);
        let step = Arc::clone(this.operation.name());
        Poll::Ready(match outcome {
            Outcome::Completed(payload) => payload.decode().map_err(WorkflowError::Payload),
            Outcome::Failed(failure) => {
                let failure = *failure;
                Err(WorkflowError::Step { step, failure })
            }
            Outcome::TimedOut => {
                let length = this.policy().and_then(|policy| policy.timeout);
                let failure = timed_out(length.unwrap_or_default());
                Err(WorkflowError::Step { step, failure })
            }
        })
    }
}

impl<O, I> fmt::Debug for Remote<O, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
