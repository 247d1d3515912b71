//! `ctx.on_update`: a request to the run that gets an answer.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{operation::Operation, private::PrivateWait};
use crate::id::RunId;
use crate::model::{CheckpointKind, Failure, UpdateAnswer, UpdateRequest, address};
use crate::payload::Payload;
use crate::workflow::{
    error::{Result, StepError, WorkflowError},
    host::{Call, Host, Outcome, Reading},
};

/// The word in front of an update's address.
const WORD: &str = "update";

/// Where updates of a run are sent to.
pub(crate) fn update_address(run: &RunId, name: &str) -> Arc<str> {
    address::of_run(WORD, run, name)
}

/// A wait for an update, made by [`WorkflowCtx::on_update`](crate::WorkflowCtx::on_update).
///
/// `durable.update(run, name, args)` sends one and waits for the answer. Updates are taken one by
/// one, in the order in which they were sent; one that comes before the wait is kept.
///
/// # Errors
///
/// [`WorkflowError::Timeout`] if none comes in time.
#[must_use = "the wait is not recorded until it is awaited"]
pub struct OnUpdate<A, R> {
    wait: PrivateWait,
    update: PhantomData<fn() -> (A, R)>,
}

impl<A: DeserializeOwned + 'static, R> OnUpdate<A, R> {
    pub(crate) fn new(operation: Operation) -> Self {
        let address = update_address(operation.host().run_id(), operation.name());
        let wait = PrivateWait::new(operation, address);
        let wait = wait.reading(Arc::new(|payload| read::<A>(payload, |_| Ok(()))));
        Self {
            wait,
            update: PhantomData,
        }
    }

    /// Looks at the arguments before the workflow gets them. What it refuses is answered to the
    /// caller with the reason, and the workflow goes on waiting as if nothing had come: nothing of
    /// it is in the history, so that the check may change without a new version.
    ///
    /// It runs where the run is, possibly twice after a crash, and must do nothing but look. A
    /// panic in it refuses the update.
    pub fn validate<F, E>(mut self, check: F) -> Self
    where
        F: Fn(&A) -> std::result::Result<(), E> + Send + Sync + 'static,
        E: fmt::Display,
    {
        let checked = move |args: &A| {
            let checked = catch_unwind(AssertUnwindSafe(|| check(args)));
            let checked = checked.map_err(|_| "the validator panicked".to_owned())?;
            checked.map_err(|reason| reason.to_string())
        };
        let read = move |payload: Payload| read::<A>(payload, &checked);
        self.wait = self.wait.reading(Arc::new(read));
        self
    }

    /// Gives up after `length`, counted from the first poll; refused updates do not make it
    /// longer. Without it the wait has no end.
    pub fn timeout(mut self, length: Duration) -> Self {
        self.wait.limit(length);
        self
    }
}

/// Lets an update in, or refuses it.
fn read<A: DeserializeOwned>(
    payload: Payload,
    check: impl Fn(&A) -> std::result::Result<(), String>,
) -> Reading {
    let request: UpdateRequest = match payload.decode() {
        Ok(request) => request,
        // Somebody sent to the address by hand.
        Err(error) => return Reading::Ends(Outcome::Failed(Box::new(Failure::of_payload(&error)))),
    };
    let args = request.args.decode::<A>();
    let checked = match &args {
        Ok(args) => check(args),
        Err(_) => Err("the arguments have not the shape that the workflow takes".to_owned()),
    };
    match checked {
        Ok(()) => Reading::Ends(Outcome::Completed(payload)),
        Err(reason) => Reading::Refused {
            key: request.answer,
            // A text always has a JSON form.
            answer: Payload::encode(&UpdateAnswer::Rejected(reason)).unwrap_or_default(),
        },
    }
}

impl<A: DeserializeOwned, R> Future for OnUpdate<A, R> {
    type Output = Result<Update<A, R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(outcome) = self.wait.poll(cx) else {
            return Poll::Pending;
        };
        let operation = self.wait.operation();
        let name = Arc::clone(operation.name());
        Poll::Ready(match outcome {
            Outcome::Completed(payload) => {
                let update = Update::new(Arc::clone(operation.host()), name, &payload);
                update.map_err(WorkflowError::Payload)
            }
            Outcome::Failed(failure) => Err(WorkflowError::Failed(*failure)),
            Outcome::TimedOut => Err(WorkflowError::Timeout {
                operation: WORD,
                name,
            }),
        })
    }
}

impl<A, R> fmt::Debug for OnUpdate<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnUpdate").field(&self.wait).finish()
    }
}

/// An update that the workflow has taken: somebody waits for its answer.
///
/// Whoever sent it learns of the answer once that is durable, at whatever instance they asked. If
/// the workflow gives none, they learn that the run has ended, or that they waited too long.
#[must_use = "whoever sent it waits for the answer"]
pub struct Update<A, R> {
    host: Arc<dyn Host>,
    name: Arc<str>,
    answer: Arc<str>,
    args: A,
    reply: PhantomData<fn(R)>,
}

impl<A: DeserializeOwned, R> Update<A, R> {
    fn new(
        host: Arc<dyn Host>,
        name: Arc<str>,
        payload: &Payload,
    ) -> std::result::Result<Self, crate::payload::PayloadError> {
        let request: UpdateRequest = payload.decode()?;
        Ok(Self {
            host,
            name,
            args: request.args.decode()?,
            answer: request.answer,
            reply: PhantomData,
        })
    }
}

impl<A, R> Update<A, R> {
    /// What is asked.
    #[must_use]
    pub const fn args(&self) -> &A {
        &self.args
    }

    /// Answers with a value. It is written at once; on replay the recorded answer stays.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the value has no JSON form, [`WorkflowError::Failed`] with the
    /// code `payload_too_large` if it is too large.
    #[track_caller]
    pub fn reply(self, value: &R) -> Result<()>
    where
        R: Serialize,
    {
        let value = Payload::encode(value).map_err(WorkflowError::Payload)?;
        self.answer(&UpdateAnswer::Reply(value))
    }

    /// Answers that it cannot be done. Whoever sent it gets the failure, and the workflow goes on.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Failed`] with the code `payload_too_large` if its details are too large.
    #[track_caller]
    pub fn fail(self, error: impl Into<StepError>) -> Result<()> {
        self.answer(&UpdateAnswer::Failed(error.into().into_failure()))
    }

    #[track_caller]
    fn answer(self, answer: &UpdateAnswer) -> Result<()> {
        let answer = Payload::encode(answer).map_err(WorkflowError::Payload)?;
        let call = Call {
            kind: CheckpointKind::Reply,
            name: Arc::clone(&self.name),
            site: Location::caller(),
        };
        let mut is_new = false;
        let captured = self.host.capture(call, &mut |_| {
            self.host.check(&answer)?;
            is_new = true;
            Ok(Payload::null())
        });
        captured.map_err(WorkflowError::Failed)?;
        if is_new {
            self.host.publish(self.answer, answer);
        }
        Ok(())
    }
}

impl<A, R> fmt::Debug for Update<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
