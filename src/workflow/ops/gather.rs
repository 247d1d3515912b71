//! `ctx.all`: many children of one workflow.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::de::DeserializeOwned;

use super::child::{Child, cancel_run};
use crate::id::RunId;
use crate::model::Failure;
use crate::workflow::{
    error::{Result, WorkflowError},
    host::Host,
};

/// A child that ended without an output.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildFailure {
    /// Which input it had, counted from 0.
    pub index: usize,
    /// The child.
    pub run: RunId,
    /// Why.
    pub failure: Failure,
}

/// Children of one workflow, one for each input, made by
/// [`WorkflowCtx::all`](crate::WorkflowCtx::all). Await it for their outputs, in the order of the
/// inputs.
///
/// All are started in one commit and execute side by side, on any instance. None of them starts
/// twice, whatever crashes.
///
/// # Errors
///
/// [`WorkflowError::Gather`] with every child that failed, once all have ended; with
/// [`fail_fast`](Self::fail_fast) with the first one, as soon as it has.
///
/// # Examples
///
/// ```
/// use axum_durable::prelude::*;
///
/// #[workflow]
/// async fn resize(ctx: &WorkflowCtx, width: u32) -> Result<String> {
///     ctx.step("resize", async || Ok(format!("{width} pixels"))).await
/// }
///
/// #[workflow]
/// async fn publish(ctx: &WorkflowCtx, widths: Vec<u32>) -> Result<Vec<String>> {
///     ctx.all(resize, widths).fail_fast().await
/// }
/// ```
#[must_use = "the children are not started until this is awaited"]
pub struct Gather<O> {
    host: Arc<dyn Host>,
    /// Polls only those that were woken: each end is a poll of the whole run, and a thousand
    /// children would be asked a thousand times each.
    children: FuturesUnordered<Numbered<O>>,
    /// The runs of the children that have not ended.
    runs: Vec<Option<RunId>>,
    outputs: Vec<Option<O>>,
    failures: Vec<ChildFailure>,
    left: usize,
    fails_fast: bool,
}

impl<O> Gather<O> {
    pub(crate) fn new(host: Arc<dyn Host>, children: Vec<Child<O>>) -> Self {
        Self {
            host,
            outputs: children.iter().map(|_| None).collect(),
            left: children.len(),
            runs: children
                .iter()
                .map(|it| Some(it.run_id().clone()))
                .collect(),
            children: (0..)
                .zip(children)
                .map(|(index, child)| Numbered { index, child })
                .collect(),
            failures: Vec::new(),
            fails_fast: false,
        }
    }

    /// Gives up at the first failure: the children that have not ended are asked to cancel.
    pub const fn fail_fast(mut self) -> Self {
        self.fails_fast = true;
        self
    }

    /// Asks the children that have not ended to cancel, and forgets them.
    fn cancel_rest(&mut self) {
        for run in self.runs.iter_mut().filter_map(Option::take) {
            cancel_run(&*self.host, run);
        }
        self.children.clear();
    }
}

/// A child, and which input it had.
struct Numbered<O> {
    index: usize,
    child: Child<O>,
}

impl<O: DeserializeOwned> Future for Numbered<O> {
    type Output = (usize, Result<O>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let index = self.index;
        Pin::new(&mut self.child)
            .poll(cx)
            .map(|outcome| (index, outcome))
    }
}

// Nothing in it is pinned: the children lie in a place of their own, and are `Unpin`.
impl<O> Unpin for Gather<O> {}

impl<O: DeserializeOwned> Future for Gather<O> {
    type Output = Result<Vec<O>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while let Poll::Ready(Some((index, outcome))) = this.children.poll_next_unpin(cx) {
            let Some(run) = this.runs.get_mut(index).and_then(Option::take) else {
                continue;
            };
            this.left -= 1;
            match outcome {
                Ok(output) => {
                    if let Some(place) = this.outputs.get_mut(index) {
                        *place = Some(output);
                    }
                }
                Err(WorkflowError::Child { failure, .. }) => {
                    let failed = ChildFailure {
                        index,
                        run,
                        failure,
                    };
                    this.failures.push(failed);
                }
                Err(error) => {
                    let failure = error.into_failure();
                    this.failures.push(ChildFailure {
                        index,
                        run,
                        failure,
                    });
                }
            }
        }
        if this.fails_fast && !this.failures.is_empty() {
            this.cancel_rest();
            this.left = 0;
        }
        if this.left > 0 {
            return Poll::Pending;
        }
        if !this.failures.is_empty() {
            let mut failures = std::mem::take(&mut this.failures);
            failures.sort_by_key(|failed| failed.index);
            return Poll::Ready(Err(WorkflowError::Gather { failures }));
        }
        let outputs = std::mem::take(&mut this.outputs);
        Poll::Ready(Ok(outputs.into_iter().flatten().collect()))
    }
}

impl<O> fmt::Debug for Gather<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("left", &self.left)
            .field("fails_fast", &self.fails_fast)
            .finish_non_exhaustive()
    }
}
