//! What a run would have to undo, and how it does.

use std::{fmt, future::poll_fn, panic::Location, sync::Arc, task::Poll};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use serde::de::IgnoredAny;

use super::{
    definition::BoxFuture,
    error::{Result, WorkflowError},
    host::{Host, StepPolicy},
    ops::{LocalStep, Remote, StepScope},
};
use crate::id::Seq;
use crate::model::{Failure, Undo as Undone};
use crate::payload::Payload;

/// The body of an undo: called with the stored result of the step, once per attempt.
pub(crate) type UndoBody = Arc<
    dyn Fn(&Payload, StepScope<'_>) -> BoxFuture<'static, Result<Payload, Failure>> + Send + Sync,
>;

/// How a step is undone, should it complete.
#[derive(Clone)]
pub(crate) struct Undo {
    pub(crate) name: Arc<str>,
    pub(crate) policy: StepPolicy,
    pub(crate) site: &'static Location<'static>,
    pub(crate) how: How,
}

/// Who undoes a step.
#[derive(Clone)]
pub(crate) enum How {
    /// A body in the run's own process.
    Here(UndoBody),
    /// A worker, which gets what the step was called with and what it returned.
    Remote {
        /// What the step was called with.
        input: Payload,
    },
}

/// An undo with the result that it takes back.
#[derive(Clone)]
struct Due {
    /// The step.
    of: Seq,
    undo: Undo,
    output: Payload,
}

/// What a run would have to undo: steps with a compensation that have completed, in the order in
/// which the workflow got their results. It is rebuilt by replay.
///
/// Undos are operations with positions and checkpoints of their own, so a crash between two of
/// them is like a crash between two steps: those that have ended do not run again. There are no
/// two writes that belong together.
pub(crate) struct Saga {
    host: Arc<dyn Host>,
    /// Boxed, because most runs that wait have nothing to undo.
    inner: Mutex<Option<Box<Inner>>>,
}

#[derive(Default)]
struct Inner {
    done: Vec<Due>,
    /// Undos that have failed for good, with the reason.
    failed: Vec<(Due, Failure)>,
}

impl Saga {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MappedMutexGuard<'_, Inner> {
        MutexGuard::map(self.inner.lock(), |inner| {
            &mut **inner.get_or_insert_default()
        })
    }

    /// A step has completed that can be undone.
    pub(crate) fn completed(&self, of: Seq, undo: Undo, output: Payload) {
        self.inner().done.push(Due { of, undo, output });
    }

    /// The steps that would be undone now, each with the name of its undo, in that order.
    pub(crate) fn due(&self) -> Vec<(Seq, Arc<str>)> {
        let inner = self.inner.lock();
        let due = inner.iter().flat_map(|inner| inner.done.iter().rev());
        due.map(|due| (due.of, Arc::clone(&due.undo.name)))
            .collect()
    }

    /// Undoes what was done since the last time, the latest first.
    pub(crate) async fn rollback(&self) -> Result<()> {
        let failed_before = self.inner().failed.len();
        let unwinding = Unwinding::begin(&self.host);
        self.undo_all().await;
        drop(unwinding);
        let failed = self.undos_failed();
        if failed.len() == failed_before {
            return Ok(());
        }
        Err(WorkflowError::Compensation {
            undos: failed.into_iter().skip(failed_before).collect(),
            cause: None,
        })
    }

    /// Each undo is taken from the list before it begins, so that whatever happens meanwhile it
    /// is not begun twice.
    async fn undo_all(&self) {
        loop {
            // A statement of its own: the guard must not live across the wait.
            let due = self.inner().done.pop();
            let Some(due) = due else { return };
            self.undo(due).await;
        }
    }

    async fn undo(&self, due: Due) {
        let host = Arc::clone(&self.host);
        let output = due.output.clone();
        let step: BoxFuture<'static, Result<IgnoredAny>> = match &due.undo.how {
            How::Here(body) => {
                let body = Arc::clone(body);
                let begin = move |scope: StepScope<'_>| body(&output, scope);
                Box::pin(LocalStep::undo(host, &due.undo, Box::new(begin)))
            }
            How::Remote { input } => {
                let input = input.clone();
                let call = Payload::encode(&Undone { input, output });
                Box::pin(Remote::<IgnoredAny>::undo(host, &due.undo, call))
            }
        };
        let mut under_way = UnderWay {
            saga: self,
            due: Some(due),
        };
        let ended = step.await;
        let due = under_way.due.take();
        if let (Err(error), Some(due)) = (ended, due) {
            let failure = match error {
                WorkflowError::Step { failure, .. } => failure,
                other => other.into_failure(),
            };
            self.inner().failed.push((due, failure));
        }
    }

    fn undos_failed(&self) -> Vec<(Arc<str>, Failure)> {
        let inner = self.inner();
        let failed = inner.failed.iter();
        failed
            .map(|(due, failure)| (Arc::clone(&due.undo.name), failure.clone()))
            .collect()
    }

    /// Polls the workflow's body until it returns, or until the run is cancelled and is to undo
    /// what it has done. Then the body is dropped first, with all that it holds.
    pub(crate) fn watch<T>(
        &self,
        body: BoxFuture<'static, Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let mut body = Some(body);
        // By hand, because it is a part of each run in memory.
        poll_fn(move |cx| match &mut body {
            Some(running) if !self.host.cut_off() => running.as_mut().poll(cx),
            body => {
                *body = None;
                Poll::Ready(Err(WorkflowError::Failed(Failure::cancelled())))
            }
        })
    }

    /// Whether a run that returns this has anything to undo first.
    pub(crate) fn has_to_undo(&self, result: &Result<Payload>) -> bool {
        self.inner.lock().as_ref().is_some_and(|inner| {
            !inner.failed.is_empty() || (result.is_err() && !inner.done.is_empty())
        })
    }

    /// Ends a run that has something to undo: what a failed one has done is undone first. A run
    /// with an undo that has failed does not end well, whatever its body returned.
    pub(crate) async fn close(self: Arc<Self>, result: Result<Payload>) -> Result<Payload> {
        self.host.set_unwinding(true);
        if result.is_err() {
            self.undo_all().await;
        }
        // A run that ended with failed undos comes here again after a requeue, without having
        // done anything new. Then they are tried once more, and so on with each requeue.
        while !self.inner().failed.is_empty() && self.host.unwinds_again() {
            let again = std::mem::take(&mut self.inner().failed);
            for (due, _) in again {
                self.undo(due).await;
            }
        }
        let undos = self.undos_failed();
        match result {
            Ok(_) | Err(_) if undos.is_empty() => result.map_err(settled),
            Ok(_) => Err(WorkflowError::Compensation { undos, cause: None }),
            Err(WorkflowError::Compensation { cause, .. }) => {
                Err(WorkflowError::Compensation { undos, cause })
            }
            Err(error) => {
                let cause = Some(Box::new(error.into_failure()));
                Err(WorkflowError::Compensation { undos, cause })
            }
        }
    }
}

/// An undo that has begun. Should the workflow drop its rollback, it is due again.
struct UnderWay<'a> {
    saga: &'a Saga,
    due: Option<Due>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.saga.inner().done.extend(self.due.take());
    }
}

/// A rollback that has begun: meanwhile the run is not cancelled.
struct Unwinding<'a>(&'a dyn Host);

impl<'a> Unwinding<'a> {
    fn begin(host: &'a Arc<dyn Host>) -> Self {
        host.set_unwinding(true);
        Self(&**host)
    }
}

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        self.0.set_unwinding(false);
    }
}

/// The failure of a run whose undos have all succeeded in the end.
fn settled(error: WorkflowError) -> WorkflowError {
    match error {
        WorkflowError::Compensation {
            cause: Some(cause), ..
        } => WorkflowError::Failed(*cause),
        error @ WorkflowError::Compensation { .. } => WorkflowError::Failed(error.into_failure()),
        other => other,
    }
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Undo(`{}`)", self.name)
    }
}

impl fmt::Debug for Saga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        let (done, failed) = (inner.done.len(), inner.failed.len());
        drop(inner);
        write!(f, "Saga({done} to undo, {failed} failed)")
    }
}
