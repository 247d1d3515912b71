//! `ctx.remote` and `ctx.remote_named`.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{operation::Operation, step::timed_out};
use crate::model::{Backoff, RetryPolicy};
use crate::payload::{Payload, PayloadError};
use crate::workflow::{
    error::WorkflowError,
    host::{Ask, Outcome, RemoteAsk, StepPolicy},
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
#[derive(Debug)]
#[must_use = "the step is not sent until it is awaited"]
pub struct Remote<O> {
    operation: Operation,
    /// Taken and returned when the input has no JSON form.
    error: Option<PayloadError>,
    ask: Ask,
    output: PhantomData<fn() -> O>,
}

impl<O> Remote<O> {
    pub(crate) fn new(
        operation: Operation,
        policy: StepPolicy,
        input: Result<Payload, PayloadError>,
    ) -> Self {
        let (input, error) = match input {
            Ok(input) => (input, None),
            Err(error) => (Payload::null(), Some(error)),
        };
        Self {
            operation,
            error,
            ask: Ask::Remote(Box::new(RemoteAsk { input, policy })),
            output: PhantomData,
        }
    }

    fn policy(&mut self) -> Option<&mut StepPolicy> {
        match &mut self.ask {
            Ask::Remote(ask) => Some(&mut ask.policy),
            Ask::Timer { .. }
            | Ask::Signal { .. }
            | Ask::Event(_)
            | Ask::Private(_)
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

impl<O: DeserializeOwned> Future for Remote<O> {
    type Output = Result<O, WorkflowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(WorkflowError::Payload(error)));
        }
        let this = &mut *self;
        let Poll::Ready(outcome) = this.operation.poll(&this.ask, cx) else {
            return Poll::Pending;
        };
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
