//! `ctx.continue_as_new`.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::payload::{Payload, PayloadError};
use crate::workflow::{
    error::{Result, WorkflowError},
    host::Host,
};

/// The end of a run as the beginning of the next one, made by
/// [`WorkflowCtx::continue_as_new`](crate::WorkflowCtx::continue_as_new). Once awaited it never
/// returns, unless it is refused.
///
/// The end of the run and the start of its successor are one commit: a crash leaves both or neither.
#[must_use = "the run does not continue as another one until this is awaited"]
pub struct ContinueAsNew {
    host: Arc<dyn Host>,
    /// Taken when it is asked for.
    input: Option<std::result::Result<Payload, PayloadError>>,
}

impl ContinueAsNew {
    pub(crate) const fn new(
        host: Arc<dyn Host>,
        input: std::result::Result<Payload, PayloadError>,
    ) -> Self {
        Self {
            host,
            input: Some(input),
        }
    }
}

impl Future for ContinueAsNew {
    type Output = Result<Infallible>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match self.input.take() {
            Some(Ok(input)) => {
                if let Err(failure) = self.host.check(&input) {
                    return Poll::Ready(Err(WorkflowError::Failed(failure)));
                }
                self.host.continue_as(input);
                Poll::Pending
            }
            Some(Err(error)) => Poll::Ready(Err(WorkflowError::Payload(error))),
            // The host drops the workflow instead of polling it again.
            None => Poll::Pending,
        }
    }
}

impl std::fmt::Debug for ContinueAsNew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContinueAsNew")
    }
}
