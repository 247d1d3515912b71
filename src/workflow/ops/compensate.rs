//! `.compensate` on a step, and `ctx.rollback`.

use std::{future::Future, panic::Location, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use super::{
    operation::Planned,
    remote::Remote,
    step::{LocalStep, StepScope},
};
use crate::model::{Backoff, Failure, RetryPolicy, Undo as Undone};
use crate::payload::Payload;
use crate::workflow::{
    definition::BoxFuture,
    error::{StepError, WorkflowError},
    host::StepPolicy,
    saga::{How, Undo},
    step::{IntoStep, StepCtx},
};

/// Attempts of an undo unless asked otherwise: a step that stays done because a connection was
/// dropped once is worse than an undo that is tried again, and an undo must stand that anyway,
/// because a crash repeats it too.
const ATTEMPTS: u32 = 5;

impl<O, I> Remote<O, I> {
    /// How the step is undone, should the run fail after it has completed: by another step, which a
    /// worker executes too, and which gets what this one was called with and what it returned.
    ///
    /// It is tried as its own definition says, unless this call says otherwise. All else is as for
    /// a [local step](LocalStep::compensate): undos run one after the other, the step that
    /// completed last first, whether here or at a worker; one that fails for good is recorded, the
    /// others still run, and the run ends as `compensation_failed`.
    ///
    /// A step that fails, or is dropped while it is at a worker, has no result and is not undone:
    /// let such a step leave nothing.
    ///
    /// # After a crash
    ///
    /// An undo that was at a worker is sent again under its own idempotency key, and the first
    /// answer counts. Those that had ended are not sent again.
    ///
    /// See [`Undo`](crate::model::Undo) for an example.
    #[track_caller]
    pub fn compensate<R>(self, undo: impl IntoStep<Undone<I, O>, R>) -> Self {
        let (name, policy) = undo.into_step();
        self.plan(name, policy, Location::caller())
    }

    /// Like [`compensate`](Self::compensate), for an undo that is known by its name only. It has
    /// five attempts unless this call says otherwise.
    #[track_caller]
    pub fn compensate_named(self, undo: impl Into<Arc<str>>) -> Self {
        let policy = StepPolicy {
            retry: RetryPolicy::attempts(ATTEMPTS),
            timeout: None,
        };
        self.plan(undo.into(), policy, Location::caller())
    }

    fn plan(
        mut self,
        name: Arc<str>,
        policy: StepPolicy,
        site: &'static Location<'static>,
    ) -> Self {
        let (operation, saga, input) = self.parts();
        let undo = Undo {
            name,
            policy,
            site,
            how: How::Remote { input },
        };
        operation.plan(Planned { saga, undo });
        self
    }

    /// The most attempts of the undo in all; as its definition says unless given. Comes after
    /// [`compensate`](Self::compensate).
    pub fn compensation_retries(mut self, attempts: u32) -> Self {
        if let Some(undo) = self.parts().0.planned() {
            undo.policy.retry.max_attempts = attempts.max(1);
        }
        self
    }

    /// The wait between attempts of the undo; as its definition says unless given. Comes after
    /// [`compensate`](Self::compensate).
    pub fn compensation_backoff(mut self, backoff: Backoff) -> Self {
        if let Some(undo) = self.parts().0.planned() {
            undo.policy.retry.backoff = backoff;
        }
        self
    }

    /// How long one attempt of the undo may take; as its definition says unless given. Comes after
    /// [`compensate`](Self::compensate).
    pub fn compensation_timeout(mut self, length: Duration) -> Self {
        if let Some(undo) = self.parts().0.planned() {
            undo.policy.timeout = Some(length);
        }
        self
    }
}

impl<T: DeserializeOwned + Send + 'static> LocalStep<'_, T> {
    /// How the step is undone, should the run fail after it has completed.
    ///
    /// `undo` gets the step's stored result. It runs as a step of its own, called `name`, with a
    /// checkpoint of its own: when the workflow returns an error, or when it calls
    /// [`rollback`](crate::WorkflowCtx::rollback). Undos run one after the other, the step that
    /// completed last first. One that fails for good is recorded, the others still run, and the
    /// run ends as `compensation_failed`.
    ///
    /// It outlives the workflow's body, so it owns what it captures: `move`, and a clone of what
    /// its future needs. A step whose body is cut off, because the workflow drops it or because
    /// its last attempt fails, has no result and is not undone: let such a body leave nothing.
    ///
    /// # After a crash
    ///
    /// The run replays, comes to the same undos, and goes on with the one that was under way,
    /// under the same [idempotency key](StepCtx::idempotency_key). Those that had ended do not
    /// run again.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn book(ctx: &WorkflowCtx, trip: String) -> Result<()> {
    ///     ctx.step("hotel", async || Ok(format!("room for {trip}")))
    ///         .compensate("cancel hotel", async |room: String| {
    ///             println!("without {room}");
    ///             Ok(())
    ///         })
    ///         .await?;
    ///     ctx.step("flight", async || Err::<(), _>(StepError::fatal("full", "no seats"))).await
    /// }
    /// ```
    #[track_caller]
    pub fn compensate<Fut, R, E>(
        self,
        name: impl Into<Arc<str>>,
        undo: impl Fn(T) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        E: Into<StepError>,
    {
        let body = move |output, _scope: StepScope<'_>| undone(undo(output));
        self.plan(name.into(), Location::caller(), body)
    }

    /// Like [`compensate`](Self::compensate), for an undo that wants to know its attempt: its
    /// idempotency key and its log are those of the undo.
    #[track_caller]
    pub fn compensate_with<Fut, R, E>(
        self,
        name: impl Into<Arc<str>>,
        undo: impl Fn(T, StepCtx) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        E: Into<StepError>,
    {
        let body = move |output, mut scope: StepScope<'_>| undone(undo(output, scope.ctx()));
        self.plan(name.into(), Location::caller(), body)
    }

    fn plan(
        mut self,
        name: Arc<str>,
        site: &'static Location<'static>,
        body: impl Fn(T, StepScope<'_>) -> BoxFuture<'static, Result<Payload, Failure>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let body = move |output: &Payload, scope: StepScope<'_>| match output.decode() {
            Ok(output) => body(output, scope),
            Err(error) => {
                let failure = WorkflowError::Payload(error).into_failure();
                Box::pin(async move { Err(failure) })
            }
        };
        let undo = Undo {
            name,
            policy: StepPolicy {
                retry: RetryPolicy::attempts(ATTEMPTS),
                timeout: None,
            },
            site,
            how: How::Here(Arc::new(body)),
        };
        let (operation, saga) = self.parts();
        if let Some(saga) = saga {
            let saga = Arc::clone(saga);
            operation.plan(Planned { saga, undo });
        }
        self
    }

    /// The most attempts of the undo in all; 5 unless given. Comes after
    /// [`compensate`](Self::compensate).
    pub fn compensation_retries(mut self, attempts: u32) -> Self {
        if let Some(undo) = self.parts().0.planned() {
            undo.policy.retry.max_attempts = attempts.max(1);
        }
        self
    }

    /// The wait between attempts of the undo; exponential from 200 ms to 30 s unless given. Comes
    /// after [`compensate`](Self::compensate).
    pub fn compensation_backoff(mut self, backoff: Backoff) -> Self {
        if let Some(undo) = self.parts().0.planned() {
            undo.policy.retry.backoff = backoff;
        }
        self
    }

    /// How long one attempt of the undo may take; without limit unless given. Comes after
    /// [`compensate`](Self::compensate).
    pub fn compensation_timeout(mut self, length: Duration) -> Self {
        if let Some(undo) = self.parts().0.planned() {
            undo.policy.timeout = Some(length);
        }
        self
    }
}

/// The outcome of an undo as it is stored: nothing looks at its value.
fn undone<Fut, R, E>(undo: Fut) -> BoxFuture<'static, Result<Payload, Failure>>
where
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    E: Into<StepError>,
{
    Box::pin(async move {
        match undo.await {
            Ok(_) => Ok(Payload::null()),
            Err(error) => Err(error.into().into_failure()),
        }
    })
}
