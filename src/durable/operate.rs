//! What operators do to runs.

use std::sync::Arc;

use serde::Serialize;

use super::{action::Action, cancel::CancelRun, error::Error, fork::ForkRun, handle::Durable};
use crate::engine::{Engine, PauseOutcome};
use crate::id::{InvalidName, RunId, Seq};
use crate::model::{AuditEntry, By};
use crate::payload::Payload;
use crate::workflow::BoxFuture;

/// The most lines of a log that are read at once: more than people act on one run.
const MAX_LINES: u32 = 200;

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

impl Durable {
    pub(super) fn act<T: 'static>(
        &self,
        run: impl Into<Arc<str>>,
        act: impl for<'a> FnOnce(&'a Engine, &'a RunId, &'a By) -> Answer<'a, T> + Send + 'static,
    ) -> Action<T> {
        let run: Result<RunId, InvalidName> = RunId::parse(run);
        Action::new(self, move |durable, by| async move {
            let run = run?;
            act(durable.engine(), &run, &by).await
        })
    }

    /// Asks a run to end. Its future is dropped and late results are refused.
    ///
    /// It leaves a line in the audit log if someone is named or a reason is given. Without, it is
    /// written together with whatever else the process writes, as a program wants that cancels
    /// many runs as part of its work.
    pub fn cancel(&self, run: impl Into<Arc<str>>) -> CancelRun {
        CancelRun::new(self.clone(), RunId::parse(run))
    }

    /// Lets a failed, cancelled, dead or blocked run continue in place: completed steps stay
    /// completed, the one that failed is tried again.
    pub fn requeue(&self, run: impl Into<Arc<str>>) -> Action<()> {
        self.act(run, |engine, run, by| {
            Box::pin(async move { Ok(engine.requeue(run, by).await?) })
        })
    }

    /// Starts a failed, cancelled, dead or blocked run again from the top, under its id and with
    /// another input. All that it had recorded, published and received goes; its tags stay.
    ///
    /// Steps that were completed execute again, under the same idempotency keys as before. A
    /// worker that still answers a step of the first life may be taken for one of the second:
    /// [`fork`](Self::fork) the run where that matters.
    ///
    /// A crash leaves the run as it was or started anew. A completed run refuses; fork it.
    pub fn retry_with_input<T: Serialize>(&self, run: impl Into<Arc<str>>, input: T) -> Action<()> {
        let input = Payload::encode(&input);
        self.act(run, |engine, run, by| {
            Box::pin(async move { Ok(engine.retry_with_input(run, input?, by).await?) })
        })
    }

    /// Begins a new run with a part of another one's history. Await the returned builder.
    pub fn fork(&self, run: impl Into<Arc<str>>) -> ForkRun {
        ForkRun::new(self.clone(), run.into())
    }

    /// Removes an ended run with all that belongs to it, in one transaction. Its audit log stays.
    ///
    /// The id is free then. Use it again only once no process can be left that executed the first
    /// run, after a [lease](crate::engine::EngineConfig::lease_ttl): what such a process still
    /// writes would be told from the new run by its token alone, and tokens begin anew.
    pub fn delete_run(&self, run: impl Into<Arc<str>>) -> Action<()> {
        self.act(run, |engine, run, by| {
            Box::pin(async move { Ok(engine.delete_run(run, by).await?) })
        })
    }

    /// Holds a run until it is [resumed](Self::resume). It is not executed meanwhile; signals and
    /// the results of workers are still taken and wait for it.
    ///
    /// A run that is being executed lets its steps end and their results be written first, and
    /// one that undoes its steps is paused after that. The request outlives a crash of its owner.
    /// Timers go on: a timeout that passes meanwhile has passed when the run goes on.
    pub fn pause(&self, run: impl Into<Arc<str>>) -> Action<PauseOutcome> {
        self.act(run, |engine, run, by| {
            Box::pin(async move { Ok(engine.pause(run, by).await?) })
        })
    }

    /// Lets a paused run go on where it stood. A delayed start that was paused begins at its time.
    pub fn resume(&self, run: impl Into<Arc<str>>) -> Action<()> {
        self.act(run, |engine, run, by| {
            Box::pin(async move { Ok(engine.resume(run, by).await?) })
        })
    }

    /// Gives the operation at `seq` the result `value`, so that the run goes on as if it had ended
    /// with it. `seq` is its position in the run's timeline.
    ///
    /// It must be one that waits or is tried again, or the one that the run failed of. The run
    /// must be suspended, paused, blocked, failed or dead. An attempt that is under way is cut off
    /// or its answer ignored; what it did stays done. The value must be what the workflow expects,
    /// or the run fails by it.
    pub fn skip_step<T: Serialize>(
        &self,
        run: impl Into<Arc<str>>,
        seq: u32,
        value: T,
    ) -> Action<()> {
        let value = Payload::encode(&value);
        self.act(run, move |engine, run, by| {
            Box::pin(async move { Ok(engine.skip_step(run, Seq(seq), value?, by).await?) })
        })
    }

    /// Ends a run that waits, is paused, is blocked or has not begun as failed, with the code
    /// `forced` and `reason` as its message. Nothing is undone: its code does not run any more. A
    /// requeue lets it go on where it stood.
    pub fn force_fail(&self, run: impl Into<Arc<str>>, reason: impl Into<String>) -> Action<()> {
        let reason = reason.into();
        self.act(run, move |engine, run, by| {
            Box::pin(async move { Ok(engine.force_fail(run, &reason, by).await?) })
        })
    }

    /// Reads what was done to a run from outside, newest first, 200 lines at the most. A run that
    /// was deleted, or of which nothing is known, has its lines or none.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`], [`Error::Store`].
    pub async fn audit(&self, run: impl Into<Arc<str>>) -> Result<Vec<AuditEntry>, Error> {
        let run = RunId::parse(run)?;
        Ok(self.engine().store().audit_log(&run, MAX_LINES).await?)
    }
}
