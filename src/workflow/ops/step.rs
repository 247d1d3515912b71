//! `ctx.step`: a unit of side effect in the run's own process.

use std::{
    any::Any,
    fmt,
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::operation::Operation;
use crate::model::{Backoff, CheckpointKind, Failure};
use crate::payload::{Payload, PayloadError};
use crate::workflow::{
    definition::BoxFuture,
    error::{StepError, WorkflowError},
    host::{AttemptReport, Host, Outcome, StepPolicy, StepPoll},
    interceptor::StepAttempt,
    saga::{Saga, Undo},
    step::{StepCtx, StepLog},
};

/// What a body is called with: enough to make a [`StepCtx`] if it takes one.
#[derive(Debug)]
pub struct StepScope<'s> {
    operation: &'s Operation,
    attempt: u32,
    told: &'s mut Option<Told>,
}

/// What an attempt shares with the body that asked for a [`StepCtx`].
#[derive(Debug)]
struct Told {
    log: StepLog,
    /// Tells the body that the attempt is over, however it ends.
    over: DropGuard,
}

impl StepScope<'_> {
    pub(super) fn ctx(&mut self) -> StepCtx {
        let host = self.operation.host();
        let told = self.told.get_or_insert_with(|| Told {
            log: StepLog::new(host.clock()),
            over: CancellationToken::new().drop_guard(),
        });
        let run = host.run_id().clone();
        let over = told.over.token().clone();
        StepCtx::new(run, self.operation.seq(), self.attempt, told.log.clone()).until(over)
    }
}

impl fmt::Debug for StepLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StepLog")
    }
}

/// What `ctx.step` takes: `async || …` or `async |step: StepCtx| …`, called once per attempt.
///
/// The body may borrow from the workflow's locals.
#[diagnostic::on_unimplemented(
    message = "this is no step body",
    label = "expected `async || ..` or `async |step: StepCtx| ..` that returns a `Result`",
    note = "its error is anything that is `Into<StepError>`, such as any `std::error::Error`",
    note = "its future is `Send`, and it borrows only what the workflow has outside of it"
)]
pub trait StepBody<'a, Args, T>: Send + 'a {
    /// Begins an attempt. `encode` writes its result: were it the implementations that ask for
    /// `Serialize`, a type without it would be reported as a closure that is no body.
    fn begin(
        &mut self,
        scope: StepScope<'_>,
        encode: Encode<T>,
    ) -> BoxFuture<'a, Result<Payload, Failure>>;
}

/// Writes the result of a body.
pub type Encode<T> = fn(&T) -> Result<Payload, PayloadError>;

impl<'a, F, Fut, T, E> StepBody<'a, ((), E), T> for F
where
    F: FnMut() -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: 'a,
    E: Into<StepError> + 'a,
{
    fn begin(
        &mut self,
        _scope: StepScope<'_>,
        encode: Encode<T>,
    ) -> BoxFuture<'a, Result<Payload, Failure>> {
        Box::pin(recorded(self(), encode))
    }
}

impl<'a, F, Fut, T, E> StepBody<'a, (StepCtx, E), T> for F
where
    F: FnMut(StepCtx) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: 'a,
    E: Into<StepError> + 'a,
{
    fn begin(
        &mut self,
        mut scope: StepScope<'_>,
        encode: Encode<T>,
    ) -> BoxFuture<'a, Result<Payload, Failure>> {
        Box::pin(recorded(self(scope.ctx()), encode))
    }
}

/// The result of a body as it is stored.
async fn recorded<T, E, Fut>(body: Fut, encode: Encode<T>) -> Result<Payload, Failure>
where
    Fut: Future<Output = Result<T, E>>,
    E: Into<StepError>,
{
    let value = body.await.map_err(|error| error.into().into_failure())?;
    encode(&value).map_err(|error| WorkflowError::Payload(error).into_failure())
}

/// A step in the run's own process, made by [`WorkflowCtx::step`](crate::WorkflowCtx::step).
///
/// The body starts once everything that the workflow has seen before is durable. Its result is
/// stored and read back before the workflow gets it, so that a live run and its replay see the
/// same value. A completed step never executes again. If the process dies inside the body, it
/// executes again under the same [idempotency key](StepCtx::idempotency_key).
///
/// A panic in the body is a failed attempt with the code `panic`.
///
/// # Errors
///
/// [`WorkflowError::Step`] if it failed fatally or on its last attempt,
/// [`WorkflowError::Payload`] if the stored result is no `T`.
#[must_use = "the step does not start until it is awaited"]
pub struct LocalStep<'a, T> {
    operation: Operation,
    policy: StepPolicy,
    begin: Box<dyn FnMut(StepScope<'_>) -> BoxFuture<'a, BodyResult> + Send + 'a>,
    attempt: Option<Attempt<'a>>,
    /// Where its undo is noted.
    saga: Option<Arc<Saga>>,
    value: PhantomData<fn() -> T>,
}

type BodyResult = Result<Payload, Failure>;

/// An attempt under way.
struct Attempt<'a> {
    body: BoxFuture<'a, BodyResult>,
    /// Ends the attempt when it is ready first.
    timeout: Option<(Duration, BoxFuture<'static, ()>)>,
    told: Option<Told>,
    /// For those who see attempts, if there are any.
    seen: Option<StepAttempt>,
}

impl<'a, T> LocalStep<'a, T> {
    pub(crate) fn new<Args, B: StepBody<'a, Args, T>>(
        operation: Operation,
        saga: Arc<Saga>,
        mut body: B,
    ) -> Self
    where
        Args: 'a,
        T: Serialize + 'a,
    {
        Self {
            operation,
            policy: StepPolicy::default(),
            begin: Box::new(move |scope| body.begin(scope, Payload::encode::<T>)),
            attempt: None,
            saga: Some(saga),
            value: PhantomData,
        }
    }

    /// A step whose attempts are made by `begin`.
    pub(super) fn with_attempts<Fut>(
        operation: Operation,
        saga: Arc<Saga>,
        mut begin: impl FnMut() -> Result<Fut, Failure> + Send + 'a,
    ) -> Self
    where
        Fut: Future<Output = BodyResult> + Send + 'a,
    {
        Self {
            operation,
            policy: StepPolicy::default(),
            begin: Box::new(move |_| match begin() {
                Ok(attempt) => Box::pin(attempt),
                Err(failure) => Box::pin(async move { Err(failure) }),
            }),
            attempt: None,
            saga: Some(saga),
            value: PhantomData,
        }
    }

    /// The step that undoes another one.
    pub(crate) fn undo(
        host: Arc<dyn Host>,
        undo: &Undo,
        begin: Box<dyn FnMut(StepScope<'_>) -> BoxFuture<'a, BodyResult> + Send + 'a>,
    ) -> Self {
        let name = Arc::clone(&undo.name);
        Self {
            operation: Operation::open_at(host, CheckpointKind::Compensation, name, undo.site),
            policy: undo.policy,
            begin,
            attempt: None,
            saga: None,
            value: PhantomData,
        }
    }

    /// The most attempts in all; 1 unless given. A fatal failure ends them early.
    ///
    /// Retries are durable: the count and the next attempt's time are stored, so a crash neither
    /// loses nor repeats them.
    pub fn retries(mut self, attempts: u32) -> Self {
        self.policy.retry.max_attempts = attempts.max(1);
        self
    }

    /// The wait between attempts; exponential from 200 ms to 30 s unless given.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy.retry.backoff = backoff;
        self
    }

    /// How long one attempt may take; then its future is dropped and the attempt counts as failed
    /// with the code `timeout`, which is retryable. Without it an attempt has no limit.
    pub const fn timeout(mut self, length: Duration) -> Self {
        self.policy.timeout = Some(length);
        self
    }
}

impl<T: 'static> LocalStep<'static, T> {
    /// Runs the body on a task of its own, in parallel to the run's other work. Without it the
    /// body runs inside the run's task, which gives concurrency but not parallelism.
    ///
    /// Possible where the body owns what it captures (`move`). Dropping the step ends the task.
    pub fn spawn(mut self) -> Self {
        let host = Arc::clone(self.operation.host());
        let mut begin = self.begin;
        self.begin = Box::new(move |scope| host.spawn(begin(scope)));
        self
    }
}

impl<'a, T> LocalStep<'a, T> {
    /// The operation, and where its undo is noted.
    pub(super) const fn parts(&mut self) -> (&mut Operation, Option<&Arc<Saga>>) {
        (&mut self.operation, self.saga.as_ref())
    }

    fn begin_attempt(&mut self, number: u32) -> Attempt<'a> {
        let mut told = None;
        let scope = StepScope {
            operation: &self.operation,
            attempt: number,
            told: &mut told,
        };
        let host = self.operation.host();
        let (seen, may_begin) = host.interceptors().before(|| StepAttempt {
            run: host.run_id().clone(),
            seq: self.operation.seq(),
            step: Arc::clone(self.operation.name()),
            attempt: number,
            max_attempts: Some(self.policy.retry.max_attempts),
        });
        let begin = &mut self.begin;
        let body = may_begin.and_then(|()| guarded(&self.operation, || begin(scope)));
        let body = body.unwrap_or_else(|failure| Box::pin(async move { Err(failure) }));
        let timeout = self.policy.timeout.map(|length| {
            let host = Arc::clone(host);
            // Counted from here, not from the first poll, which comes after the body's.
            let begun = host.now();
            let wait: BoxFuture<'static, ()> = Box::pin(async move {
                let left = length.saturating_sub(host.now().since(begun));
                host.wait(left).await;
            });
            (length, wait)
        });
        Attempt {
            body,
            timeout,
            told,
            seen,
        }
    }

    /// Polls the attempt under way; `true` once it has ended and was reported.
    fn poll_attempt(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(attempt) = &mut self.attempt else {
            return true;
        };
        let waker = self.operation.host().body_waker(cx.waker());
        let mut body_cx = Context::from_waker(waker.as_ref().unwrap_or_else(|| cx.waker()));
        let cx = &mut body_cx;
        let body = &mut attempt.body;
        let polled = guarded(&self.operation, || body.as_mut().poll(cx));
        let result = match polled.unwrap_or_else(|panic| Poll::Ready(Err(panic))) {
            Poll::Ready(result) => result,
            Poll::Pending => match attempt.poll_timeout(cx) {
                Some(failure) => Err(failure),
                None => return false,
            },
        };
        let told = attempt.told.as_ref();
        let events = told.map(|it| it.log.take()).unwrap_or_default();
        let seen = attempt.seen.take();
        // Dropped before the report: the body's borrows and guards end with its attempt.
        self.attempt = None;
        let host = self.operation.host();
        host.interceptors().after(seen.as_ref(), &result);
        let report = AttemptReport { result, events };
        host.finish_attempt(self.operation.seq(), report);
        true
    }
}

impl Attempt<'_> {
    /// The failure of an attempt whose time ran out.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        let (length, wait) = self.timeout.as_mut()?;
        wait.as_mut()
            .poll(cx)
            .is_ready()
            .then(|| timed_out(*length))
    }
}

/// The failure of an attempt that took longer than `length`.
pub(crate) fn timed_out(length: Duration) -> Failure {
    let mut failure = Failure::retryable(format!("the attempt took longer than {length:?}"));
    failure.code = Some("timeout".to_owned());
    failure
}

/// Calls into a body: operations made meanwhile are refused, and a panic becomes a failure.
fn guarded<R>(operation: &Operation, call: impl FnOnce() -> R) -> Result<R, Failure> {
    let in_body = operation.host().in_body();
    in_body.store(true, Ordering::Relaxed);
    let result = catch_unwind(AssertUnwindSafe(call));
    in_body.store(false, Ordering::Relaxed);
    result.map_err(|panic| panicked(&*panic))
}

/// The failure that a panic is recorded as.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let mut failure = Failure::retryable(format!("panicked: {}", text.unwrap_or("no message")));
    failure.code = Some("panic".to_owned());
    failure
}

impl<T: DeserializeOwned> Future for LocalStep<'_, T> {
    type Output = Result<T, WorkflowError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if !this.poll_attempt(cx) {
                return Poll::Pending;
            }
            let operation = &this.operation;
            let step = operation
                .host()
                .poll_step(operation.seq(), &this.policy, cx);
            let outcome = match step {
                StepPoll::Wait => return Poll::Pending,
                StepPoll::Start(number) => {
                    this.attempt = Some(this.begin_attempt(number));
                    continue;
                }
                StepPoll::Done(outcome) => outcome,
            };
            this.operation.finish(&outcome);
            let step = Arc::clone(this.operation.name());
            return Poll::Ready(match outcome {
                Outcome::Completed(payload) => payload.decode().map_err(WorkflowError::Payload),
                Outcome::Failed(failure) => {
                    let failure = *failure;
                    Err(WorkflowError::Step { step, failure })
                }
                Outcome::TimedOut => {
                    let failure = timed_out(this.policy.timeout.unwrap_or_default());
                    Err(WorkflowError::Step { step, failure })
                }
            });
        }
    }
}

impl<T> fmt::Debug for LocalStep<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStep")
            .field("operation", &self.operation)
            .field("policy", &self.policy)
            .field("running", &self.attempt.is_some())
            .finish_non_exhaustive()
    }
}
