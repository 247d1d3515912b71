//! `ctx.breakpoint`.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{operation::Operation, private::PrivateWait};
use crate::id::{RunId, Seq};
use crate::model::address;

/// Where the run's way on is sent to. Each breakpoint has an address of its own, so that letting
/// one go says nothing about the next.
pub(crate) fn breakpoint_address(run: &RunId, seq: Seq) -> Arc<str> {
    address::of_run("breakpoint", run, &seq.to_string())
}

/// A place at which the run stands until somebody lets it go on, made by
/// [`WorkflowCtx::breakpoint`](crate::WorkflowCtx::breakpoint).
///
/// `durable.continue_run(id)` lets it go on, and so does the API. While it stands, it uses no thread
/// and survives restarts; `durable.explain` says where it stands and since when. A breakpoint that
/// was passed stays passed on replay. A crash between the word to go on and the next step loses
/// neither: the word is in the run's inbox, or its taking is on record.
#[derive(Debug)]
#[must_use = "the run does not stop until this is awaited"]
pub struct Breakpoint {
    wait: PrivateWait,
}

impl Breakpoint {
    pub(crate) fn new(operation: Operation) -> Self {
        let address = breakpoint_address(operation.host().run_id(), operation.seq());
        Self {
            wait: PrivateWait::new(operation, address),
        }
    }
}

impl Future for Breakpoint {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.wait.poll(cx).map(drop)
    }
}
