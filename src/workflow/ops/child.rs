//! `ctx.child`, `ctx.join` and `ctx.cancel_run`: other runs.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::operation::Operation;
use crate::id::{InvalidName, RunId};
use crate::model::{
    AttributePatch, CheckpointKind, Failure, InvalidAttributes, OnCancel, WorkflowKey,
};
use crate::payload::{Payload, PayloadError};
use crate::workflow::{
    error::{Result, WorkflowError},
    host::{Ask, Call, ChildAsk, ChildStart, Host, Outcome},
};

/// A child run, made by [`WorkflowCtx::child`](crate::WorkflowCtx::child), or another run to be
/// joined, by [`WorkflowCtx::join`](crate::WorkflowCtx::join). Await it for the run's output, or
/// [`start`](Self::start) the child and go on.
///
/// A child is a run of its own: it has its own history, and any instance executes it. It is started
/// in the commit that records that it was. When it ends, however it ends, its parent is told in the
/// commit that ends it. If a run with its id exists already, that run is joined: a parent that is
/// requeued finds what its child has become meanwhile.
///
/// Dropped before its outcome was seen, for example as the loser of a race, the child goes on;
/// [`WorkflowCtx::cancel_run`](crate::WorkflowCtx::cancel_run) stops it.
///
/// # Errors
///
/// [`WorkflowError::Child`] if the run failed, was cancelled or given up, does not exist
/// (`unknown_run`), or could not be started because this process does not know its workflow
/// (`unknown_workflow`). [`WorkflowError::Payload`] if its input or output does not fit,
/// [`WorkflowError::Failed`] with the code `invalid_name` if its id is none.
///
/// # Examples
///
/// ```
/// use axum_durable::prelude::*;
///
/// #[workflow]
/// async fn ship(ctx: &WorkflowCtx, parcel: String) -> Result<String> {
///     ctx.step("label", async || Ok(format!("label of {parcel}"))).await
/// }
///
/// #[workflow]
/// async fn order(ctx: &WorkflowCtx, item: String) -> Result<String> {
///     ctx.child(ship, item).tag("parcel").await
/// }
/// ```
#[must_use = "the child is not started until this is awaited"]
pub struct Child<O> {
    operation: Operation,
    ask: ChildAsk,
    /// Taken and returned when it cannot be asked for.
    problem: Option<Problem>,
    output: PhantomData<fn() -> O>,
}

#[derive(Debug)]
enum Problem {
    Input(PayloadError),
    Id(InvalidName),
    Attributes(InvalidAttributes),
}

impl<O> Child<O> {
    /// The child at `operation`, under the id `<run>.<kind>.<number>` unless it gets another one.
    pub(crate) fn new(
        operation: Operation,
        workflow: WorkflowKey,
        input: std::result::Result<Payload, PayloadError>,
        number: (&str, String),
    ) -> Self {
        let (kind, number) = number;
        let id = format!("{}.{kind}.{number}", operation.host().run_id());
        let (input, problem) = match input {
            Ok(input) => (input, None),
            Err(error) => (Payload::null(), Some(Problem::Input(error))),
        };
        let start = ChildStart {
            workflow,
            input,
            tags: Vec::new(),
            attributes: AttributePatch::default(),
            priority: None,
            on_cancel: OnCancel::Cascade,
            execution_timeout: None,
        };
        let ask = ChildAsk {
            run: RunId::from_trusted(""),
            start: Some(start),
            waits: true,
        };
        let child = Self {
            operation,
            ask,
            problem,
            output: PhantomData,
        };
        child.id(id)
    }

    pub(crate) const fn joining(operation: Operation, run: RunId) -> Self {
        let ask = ChildAsk {
            run,
            start: None,
            waits: true,
        };
        Self {
            operation,
            ask,
            problem: None,
            output: PhantomData,
        }
    }

    /// The child's id. Default: its parent's id, `.child.` and its position, so that it is the
    /// same after a crash.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        match RunId::parse(id) {
            Ok(id) => self.ask.run = id,
            Err(error) => {
                self.problem.get_or_insert(Problem::Id(error));
            }
        }
        self
    }

    /// The workflow's version. Default: that of the definition which was passed.
    pub const fn version(mut self, version: u32) -> Self {
        if let Some(start) = &mut self.ask.start {
            start.workflow.version = version;
        }
        self
    }

    /// A label to find the child by; may be called several times.
    pub fn tag(mut self, tag: impl Into<Arc<str>>) -> Self {
        if let Some(start) = &mut self.ask.start {
            start.tags.push(tag.into());
        }
        self
    }

    /// A search attribute of the child; may be called several times.
    pub fn attribute(mut self, key: &str, value: impl Serialize) -> Self {
        if let Some(start) = &mut self.ask.start
            && let Err(error) = start.attributes.set(key, &value)
        {
            self.problem.get_or_insert(Problem::Attributes(error));
        }
        self
    }

    /// Search attributes of the child, from a struct or map.
    pub fn attributes(mut self, all: &impl Serialize) -> Self {
        let Some(start) = &mut self.ask.start else {
            return self;
        };
        match AttributePatch::of(all) {
            Ok(all) => start.attributes.extend(all),
            Err(error) => {
                self.problem.get_or_insert(Problem::Attributes(error));
            }
        }
        self
    }

    /// How urgent the child is: of the runs that wait for an instance, those with a higher number
    /// are taken first. Default: as its parent.
    pub const fn priority(mut self, priority: i32) -> Self {
        if let Some(start) = &mut self.ask.start {
            start.priority = Some(priority);
        }
        self
    }

    /// What becomes of the child when its parent is cancelled. Default: it is cancelled too.
    pub const fn on_cancel(mut self, on_cancel: OnCancel) -> Self {
        if let Some(start) = &mut self.ask.start {
            start.on_cancel = on_cancel;
        }
        self
    }

    /// How long the child may take in all, its waits included; then it is cancelled with the code
    /// `execution_timeout`. Default: without limit.
    pub const fn execution_timeout(mut self, length: Duration) -> Self {
        if let Some(start) = &mut self.ask.start {
            start.execution_timeout = Some(length);
        }
        self
    }

    /// The id of the run.
    #[must_use]
    pub const fn run_id(&self) -> &RunId {
        &self.ask.run
    }

    /// Starts the child and does not wait for it: the answer is its id, which
    /// [`WorkflowCtx::join`](crate::WorkflowCtx::join) takes later.
    ///
    /// # Errors
    ///
    /// Like awaiting it, but for how the child ends.
    pub async fn start(mut self) -> Result<RunId> {
        self.ask.waits = false;
        let run = self.ask.run.clone();
        let started: Child<serde::de::IgnoredAny> = Child {
            operation: self.operation,
            ask: self.ask,
            problem: self.problem,
            output: PhantomData,
        };
        started.await?;
        Ok(run)
    }
}

impl<O: DeserializeOwned> Future for Child<O> {
    type Output = Result<O>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.problem.take() {
            None => {}
            Some(Problem::Input(error)) => return Poll::Ready(Err(WorkflowError::Payload(error))),
            Some(Problem::Id(error)) => {
                let message = error.to_string();
                return Poll::Ready(Err(WorkflowError::failed("invalid_name", message)));
            }
            Some(Problem::Attributes(error)) => {
                let start = self.ask.start.as_ref();
                let workflow = start.map_or("", |start| &start.workflow.name);
                let failure = Failure::of_attributes(workflow, &error);
                return Poll::Ready(Err(WorkflowError::Failed(failure)));
            }
        }
        let this = &mut *self;
        let ask = &this.ask;
        let Poll::Ready(outcome) = this
            .operation
            .poll_with(|| Ask::Child(Box::new(ask.clone())), cx)
        else {
            return Poll::Pending;
        };
        let run = this.ask.run.clone();
        Poll::Ready(match outcome {
            Outcome::Completed(payload) => payload.decode().map_err(WorkflowError::Payload),
            Outcome::Failed(failure) => Err(WorkflowError::Child {
                run,
                failure: *failure,
            }),
            // A child has no time to run out; only a record of something else could say so.
            Outcome::TimedOut => Err(WorkflowError::failed("timeout", "the child took too long")),
        })
    }
}

impl<O> fmt::Debug for Child<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.ask.run).finish()
    }
}

/// Asks a run to cancel, once.
#[track_caller]
pub(crate) fn cancel_run(host: &dyn Host, run: RunId) {
    let call = Call {
        kind: CheckpointKind::CancelRun,
        name: run.as_str().into(),
        site: Location::caller(),
    };
    let mut is_new = false;
    let captured = host.capture(call, &mut |_| {
        is_new = true;
        Ok(Payload::null())
    });
    if captured.is_ok() && is_new {
        host.cancel_run(run);
    }
}
