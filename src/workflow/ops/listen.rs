//! `ctx.wait_for_event`.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::operation::Operation;
use crate::model::Facts;
use crate::payload::PayloadError;
use crate::workflow::{
    error::WorkflowError,
    host::{Ask, EventAsk, Outcome},
};

/// The word for it in errors.
const WORD: &str = "event";

/// A wait for an event, made by
/// [`WorkflowCtx::wait_for_event`](crate::WorkflowCtx::wait_for_event).
///
/// An event goes to every run that waits for it, to each once: where several waits of a run match,
/// the one that has waited longest has it. Events that were published before the wait are kept for
/// a while, the oldest comes first, and one that the run has had does not come again. So a loop
/// around a wait misses nothing. The outcome is part of the history: once a timeout was handed to
/// the workflow, an event that comes later cannot change the branch.
///
/// # Errors
///
/// [`WorkflowError::Timeout`] if the time runs out, [`WorkflowError::Payload`] if the event's
/// payload is no `T`, or a value to match has no JSON form.
#[derive(Debug)]
#[must_use = "the wait is not recorded until it is awaited"]
pub struct EventWait<T> {
    operation: Operation,
    facts: Facts,
    timeout: Option<Duration>,
    unfit: Option<PayloadError>,
    value: PhantomData<fn() -> T>,
}

impl<T> EventWait<T> {
    pub(crate) fn new(operation: Operation) -> Self {
        let facts = Facts::of_any(operation.name());
        Self {
            operation,
            facts,
            timeout: None,
            unfit: None,
            value: PhantomData,
        }
    }

    /// Hears only events whose payload has `value` at `path`: the names of fields from the outside
    /// in, with dots between them; the empty path is the whole payload. May be called several
    /// times; then all must be so. Begin with what tells events apart best, since that is what the
    /// wait is found by.
    ///
    /// Values are compared as JSON: a number is no string, the order of an object's fields does
    /// not matter, and `1` is `1.0`. Of a large payload the first 255 places count, those near its
    /// root before those deep inside.
    pub fn matching(mut self, path: impl AsRef<str>, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.facts.and(self.operation.name(), path.as_ref(), &value),
            Err(source) => self.unfit = Some(PayloadError::Encode { source }),
        }
        self
    }

    /// Gives up after `length`, counted from the first poll. Without it the wait has no end.
    pub const fn timeout(mut self, length: Duration) -> Self {
        self.timeout = Some(length);
        self
    }
}

impl<T: DeserializeOwned> Future for EventWait<T> {
    type Output = Result<T, WorkflowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(unfit) = this.unfit.take() {
            return Poll::Ready(Err(WorkflowError::Payload(unfit)));
        }
        let (facts, timeout) = (&this.facts, this.timeout);
        let ask = || {
            let facts = facts.clone();
            Ask::Event(Box::new(EventAsk { facts, timeout }))
        };
        let Poll::Ready(outcome) = this.operation.poll_with(ask, cx) else {
            return Poll::Pending;
        };
        let name = Arc::clone(this.operation.name());
        Poll::Ready(match outcome {
            Outcome::Completed(payload) => payload.decode().map_err(WorkflowError::Payload),
            Outcome::Failed(failure) => Err(WorkflowError::Failed(*failure)),
            Outcome::TimedOut => Err(WorkflowError::Timeout {
                operation: WORD,
                name,
            }),
        })
    }
}
