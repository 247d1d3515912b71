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
use crate::id::RunId;
use crate::model::address;
use crate::workflow::{
    error::WorkflowError,
    host::{Ask, Outcome, PrivateAsk},
};

/// Where a signal to `token` of one run is sent to.
pub(crate) fn run_signal_address(run: &RunId, token: &str) -> Arc<str> {
    address::of_run("signal", run, token)
}

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
    /// How it is asked for where the token is the run's own.
    private: Option<Arc<PrivateAsk>>,
    value: PhantomData<fn() -> T>,
}

impl<T> SignalWait<T> {
    pub(crate) const fn new(operation: Operation) -> Self {
        Self {
            operation,
            timeout: None,
            private: None,
            value: PhantomData,
        }
    }

    /// Gives up after `length`, counted from the first poll. Without it the wait has no end.
    pub fn timeout(mut self, length: Duration) -> Self {
        self.timeout = Some(length);
        if let Some(private) = &mut self.private {
            Arc::make_mut(private).timeout = self.timeout;
        }
        self
    }

    /// Waits for a signal that was sent to the token of this run, with
    /// `durable.signal(token, value).to_run(id)`. Runs that wait for the same token do not take
    /// each other's signals, and neither do those who wait for it without this.
    pub fn run_scoped(mut self) -> Self {
        let run = self.operation.host().run_id();
        let mut private = PrivateAsk::new(run_signal_address(run, self.operation.name()));
        private.timeout = self.timeout;
        self.private = Some(Arc::new(private));
        self
    }
}

impl<T: DeserializeOwned> Future for SignalWait<T> {
    type Output = Result<T, WorkflowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let timeout = self.timeout;
        let ask = match &self.private {
            Some(private) => Ask::Private(Arc::clone(private)),
            None => Ask::Signal { timeout },
        };
        let Poll::Ready(outcome) = self.operation.poll(&ask, cx) else {
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
