//! `ctx.wait_for_signal`.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::operation::Operation;
use crate::workflow::{
    error::WorkflowError,
    host::{Ask, Outcome},
};

/// A wait for a signal, made by
/// [`WorkflowCtx::wait_for_signal`](crate::WorkflowCtx::wait_for_signal).
///
/// Signals are addressed by token, in first-in, first-out order: a signal sent before the wait is
/// kept and used, and each signal goes to exactly one wait. The outcome is part of the history:
/// once a timeout was handed to the workflow, a signal that comes later cannot change the branch.
///
/// # Errors
///
/// [`WorkflowError::SignalTimeout`] if the time runs out, [`WorkflowError::Payload`] if the
/// signal's payload is no `T`.
#[derive(Debug)]
#[must_use = "the wait is not recorded until it is awaited"]
pub struct SignalWait<T> {
    operation: Operation,
    timeout: Option<Duration>,
    value: PhantomData<fn() -> T>,
}

impl<T> SignalWait<T> {
    pub(crate) const fn new(operation: Operation) -> Self {
        Self {
            operation,
            timeout: None,
            value: PhantomData,
        }
    }

    /// Gives up after `length`, counted from the first poll. Without it the wait has no end.
    pub const fn timeout(mut self, length: Duration) -> Self {
        self.timeout = Some(length);
        self
    }
}

impl<T: DeserializeOwned> Future for SignalWait<T> {
    type Output = Result<T, WorkflowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let timeout = self.timeout;
        let Poll::Ready(outcome) = self.operation.poll(&Ask::Signal { timeout }, cx) else {
            return Poll::Pending;
        };
        let token = Arc::clone(self.operation.name());
        Poll::Ready(match outcome {
            Outcome::Completed(payload) => payload.decode().map_err(WorkflowError::Payload),
            Outcome::TimedOut => Err(WorkflowError::SignalTimeout { token }),
            Outcome::Failed(failure) => Err(WorkflowError::Failed(*failure)),
        })
    }
}
