//! `ctx.task`: work that somebody outside finishes.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    operation::Operation,
    private::{PrivateWait, draw_ticket},
    step::LocalStep,
};
use crate::model::{Backoff, CheckpointKind, TaskReport, address};
use crate::payload::Payload;
use crate::workflow::{
    error::{StepError, WorkflowError},
    host::{Host, Outcome, Reading},
    saga::Saga,
};

/// The word in front of a task's address.
const WORD: &str = "task";

/// What finishes a task: `durable.complete_task(token, ..)` or `durable.fail_task(token, ..)`.
///
/// 192 bits of it are chance, so nobody guesses one. It names the run, so run ids should hold no
/// secrets. In JSON it is a text.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskToken(Arc<str>);

impl TaskToken {
    /// The text, to be given to the outside.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the outcome of the task is sent to.
    pub(crate) fn address(&self) -> Arc<str> {
        address::of_ticket(WORD, &self.0)
    }
}

impl From<&str> for TaskToken {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for TaskToken {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&Self> for TaskToken {
    fn from(token: &Self) -> Self {
        token.clone()
    }
}

impl fmt::Display for TaskToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskToken {
    /// Without the text: who has it may finish the task.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskToken")
    }
}

/// Work that somebody outside finishes, made by [`WorkflowCtx::task`](crate::WorkflowCtx::task).
///
/// The body hands the token to the outside. It is a step: it runs once, is retried as
/// [`retries`](Self::retries) says, and gets the same token in each attempt, also after a crash.
/// Then the task waits for its outcome, across restarts and without using a thread. An outcome that
/// comes while the body still runs is kept and used. The first outcome counts.
///
/// # Errors
///
/// [`WorkflowError::Step`] if the body fails for good or the outcome is a failure,
/// [`WorkflowError::Timeout`] if none comes in time, [`WorkflowError::Payload`] if the value is no
/// `T`.
#[must_use = "the task does not start until it is awaited"]
pub struct Task<'a, T> {
    /// The body, until it has ended.
    step: Option<LocalStep<'a, ()>>,
    /// The wait, unless the body has failed.
    wait: Option<PrivateWait>,
    value: PhantomData<fn() -> T>,
}

impl<'a, T> Task<'a, T> {
    #[track_caller]
    pub(crate) fn new<F, Fut, E>(
        host: &Arc<dyn Host>,
        saga: Arc<Saga>,
        name: &Arc<str>,
        mut body: F,
    ) -> Self
    where
        F: FnMut(TaskToken) -> Fut + Send + 'a,
        Fut: Future<Output = Result<(), E>> + Send + 'a,
        E: Into<StepError> + 'a,
    {
        let token = TaskToken(draw_ticket(&**host, name).into());
        let address = token.address();
        let open = |kind| Operation::open(Arc::clone(host), kind, Arc::clone(name));
        let step = LocalStep::with_attempts(open(CheckpointKind::Step), saga, move || {
            let attempt = body(token.clone());
            Ok(async move {
                let ended = attempt.await;
                ended.map_err(|error| error.into().into_failure())?;
                Ok(Payload::null())
            })
        });
        let wait = PrivateWait::new(open(CheckpointKind::Task), address);
        Self {
            step: Some(step),
            wait: Some(wait.reading(Arc::new(|report| read(&report)))),
            value: PhantomData,
        }
    }

    /// Gives up if there is no outcome `length` after the body has ended. Without it the wait has
    /// no end.
    pub fn timeout(mut self, length: Duration) -> Self {
        if let Some(wait) = &mut self.wait {
            wait.limit(length);
        }
        self
    }

    /// The most attempts of the body in all; 1 unless given.
    pub fn retries(mut self, attempts: u32) -> Self {
        self.step = self.step.map(|step| step.retries(attempts));
        self
    }

    /// The wait between attempts of the body; exponential from 200 ms to 30 s unless given.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.step = self.step.map(|step| step.backoff(backoff));
        self
    }
}

/// The outcome of a task in what was sent for it. Recorded as it is, so that a requeue waits anew
/// where a failure has ended the run.
fn read(payload: &Payload) -> Reading {
    Reading::Ends(match TaskReport::read(payload) {
        Ok(value) => Outcome::Completed(value),
        Err(failure) => Outcome::Failed(Box::new(failure)),
    })
}

impl<T: DeserializeOwned> Future for Task<'_, T> {
    type Output = Result<T, WorkflowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(step) = &mut this.step {
            let Poll::Ready(handed_out) = Pin::new(step).poll(cx) else {
                return Poll::Pending;
            };
            this.step = None;
            if let Err(error) = handed_out {
                // Nobody has the token, so nobody is waited for.
                this.wait = None;
                return Poll::Ready(Err(error));
            }
        }
        let Some(wait) = &mut this.wait else {
            return Poll::Pending;
        };
        let Poll::Ready(outcome) = wait.poll(cx) else {
            return Poll::Pending;
        };
        let name = Arc::clone(wait.operation().name());
        Poll::Ready(match outcome {
            Outcome::Completed(value) => value.decode().map_err(WorkflowError::Payload),
            Outcome::Failed(failure) => Err(WorkflowError::Step {
                step: name,
                failure: *failure,
            }),
            Outcome::TimedOut => Err(WorkflowError::Timeout {
                operation: WORD,
                name,
            }),
        })
    }
}

impl<T> fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("step", &self.step)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
