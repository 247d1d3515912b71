//! `ctx.sleep` and `ctx.sleep_until`.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::operation::Operation;
use crate::time::Timestamp;
use crate::workflow::host::Ask;

/// A durable timer, made by [`WorkflowCtx::sleep`](crate::WorkflowCtx::sleep).
///
/// The end is fixed when the timer is made and stored with the next commit. A run that sleeps
/// uses no thread, survives restarts and wakes once the end has come; if nobody was there to wake
/// it, as soon as somebody is. A crash before that commit leaves no trace, and the time is counted
/// anew. On replay a sleep that has ended returns at once.
#[derive(Debug)]
#[must_use = "the timer is not recorded until it is awaited"]
pub struct Sleep {
    operation: Operation,
    until: Timestamp,
}

impl Sleep {
    pub(crate) const fn new(operation: Operation, until: Timestamp) -> Self {
        Self { operation, until }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        self.operation.poll(&Ask::Timer { until }, cx).map(drop)
    }
}
