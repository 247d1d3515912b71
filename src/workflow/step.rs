//! Steps that a worker executes, and what a step body knows about its attempt.

use std::{fmt, future::Future, marker::PhantomData, str::FromStr, sync::Arc};

use parking_lot::Mutex;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use super::{
    definition::BoxFuture,
    error::StepError,
    host::StepPolicy,
    state::{StateNeed, States},
};
use crate::id::{RunId, Seq};
use crate::model::{Backoff, Failure, LogLevel, RetryPolicy, StepEvent, StepEventKind};
use crate::payload::{Payload, PayloadError};
use crate::time::{Clock, parse_duration};

/// The handler of a step with its types still known.
pub type StepFn<I, O> = fn(I, States, StepCtx) -> BoxFuture<'static, Result<O, StepError>>;

/// The handler of a step with payloads in place of types.
pub(crate) type StepHandler = Arc<
    dyn Fn(Payload, States, StepCtx) -> BoxFuture<'static, Result<Payload, Failure>> + Send + Sync,
>;

/// A step that a worker executes: a name, a handler and how it is tried.
///
/// `#[step]` turns an `async fn` into a function that returns one; workflows call it with
/// `ctx.remote(charge_card, input)`. Clones share the handler.
pub struct Step<I, O> {
    pub(crate) name: Arc<str>,
    pub(crate) policy: StepPolicy,
    pub(crate) needs: &'static [StateNeed],
    pub(crate) input_schema: fn() -> Schema,
    pub(crate) output_schema: fn() -> Schema,
    pub(crate) handler: StepHandler,
    body: StepFn<I, O>,
}

impl<I, O> Step<I, O>
where
    I: DeserializeOwned + JsonSchema + Send + 'static,
    O: Serialize + JsonSchema + Send + 'static,
{
    /// A step with the given handler.
    pub fn new(name: impl Into<Arc<str>>, body: StepFn<I, O>) -> Self {
        let handler = move |input: Payload, states: States, ctx: StepCtx| {
            let future = async move {
                let input = input.decode::<I>().map_err(|error| undecodable(&error))?;
                let output = body(input, states, ctx).await;
                let output = output.map_err(StepError::into_failure)?;
                Payload::encode(&output).map_err(|error| undecodable(&error))
            };
            Box::pin(future) as BoxFuture<'static, Result<Payload, Failure>>
        };
        Self {
            name: name.into(),
            policy: StepPolicy::default(),
            needs: &[],
            input_schema: || schema_for!(I),
            output_schema: || schema_for!(O),
            handler: Arc::new(handler),
            body,
        }
    }
}

fn undecodable(error: &PayloadError) -> Failure {
    let mut failure = Failure::from_error(error);
    failure.code = Some("payload".to_owned());
    failure.retryable = false;
    failure
}

impl<I, O> Step<I, O> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its attempts are made.
    #[must_use]
    pub const fn with_policy(mut self, policy: StepPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The values that its handler takes with `State<T>`.
    #[must_use]
    pub const fn with_needs(mut self, needs: &'static [StateNeed]) -> Self {
        self.needs = needs;
        self
    }

    /// Calls the handler directly, without an engine: for unit tests of the body.
    ///
    /// # Errors
    ///
    /// What the handler returns.
    pub async fn call(&self, input: I, states: States) -> Result<O, StepError> {
        (self.body)(input, states, StepCtx::detached()).await
    }
}

impl<I, O> Clone for Step<I, O> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            policy: self.policy,
            needs: self.needs,
            input_schema: self.input_schema,
            output_schema: self.output_schema,
            handler: Arc::clone(&self.handler),
            body: self.body,
        }
    }
}

impl<I, O> fmt::Debug for Step<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Step").field(&self.name).finish()
    }
}

impl StepPolicy {
    /// A policy from the words of `#[step]`, which has checked them when it was compiled.
    #[must_use]
    pub fn from_words(attempts: u32, backoff: Option<&str>, timeout: Option<&str>) -> Self {
        let mut retry = RetryPolicy::attempts(attempts);
        if let Some(backoff) = backoff.and_then(|text| Backoff::from_str(text).ok()) {
            retry.backoff = backoff;
        }
        Self {
            retry,
            timeout: timeout.and_then(|text| parse_duration(text).ok()),
        }
    }
}

/// The contract of a step whose handler lives elsewhere, for example in another language.
///
/// # Examples
///
/// ```
/// use axum_durable::RemoteStep;
///
/// const SCORE: RemoteStep<String, f64> = RemoteStep::new("risk.score");
/// assert_eq!(SCORE.name(), "risk.score");
/// ```
pub struct RemoteStep<I, O> {
    name: &'static str,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> RemoteStep<I, O> {
    /// The contract of the step called `name`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            types: PhantomData,
        }
    }

    /// The step's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<I, O> Clone for RemoteStep<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, O> Copy for RemoteStep<I, O> {}

impl<I, O> fmt::Debug for RemoteStep<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteStep").field(&self.name).finish()
    }
}

/// What `ctx.remote` takes: the function that `#[step]` made, a [`Step`] or a [`RemoteStep`].
pub trait IntoStep<I, O> {
    /// The step's name and how it is tried by default.
    fn into_step(self) -> (Arc<str>, StepPolicy);
}

impl<I, O, F: Fn() -> Step<I, O>> IntoStep<I, O> for F {
    fn into_step(self) -> (Arc<str>, StepPolicy) {
        let step = self();
        (step.name, step.policy)
    }
}

impl<I, O> IntoStep<I, O> for &Step<I, O> {
    fn into_step(self) -> (Arc<str>, StepPolicy) {
        (Arc::clone(&self.name), self.policy)
    }
}

impl<I, O> IntoStep<I, O> for RemoteStep<I, O> {
    fn into_step(self) -> (Arc<str>, StepPolicy) {
        (self.name.into(), StepPolicy::default())
    }
}

/// What a step body knows about its attempt.
///
/// It has no durable operations: a step is one unit of side effect, so operations belong to the
/// workflow. Clones share the log.
#[derive(Clone)]
pub struct StepCtx {
    run: RunId,
    seq: Seq,
    attempt: u32,
    log: StepLog,
    /// Where somebody tells when the attempt is over.
    over: Option<CancellationToken>,
}

/// Collects what a body reports; kept on the step's checkpoint.
#[derive(Clone, Default)]
pub(crate) struct StepLog {
    events: Arc<Mutex<Vec<StepEvent>>>,
    clock: Option<Arc<dyn Clock>>,
}

/// The most events kept of one attempt: a body that logs in a loop must not fill the store.
const MAX_EVENTS: usize = 200;

impl StepLog {
    /// A log that stamps its lines by `clock`.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            events: Arc::default(),
            clock: Some(clock),
        }
    }

    /// A worker has taken the step.
    pub(crate) fn taken(&self, attempt: u32) {
        self.push(attempt, StepEventKind::Taken);
    }

    /// Takes what was collected.
    pub(crate) fn take(&self) -> Vec<StepEvent> {
        std::mem::take(&mut *self.events.lock())
    }

    fn push(&self, attempt: u32, kind: StepEventKind) {
        let now = self.clock.as_ref().map(|clock| clock.now());
        let mut events = self.events.lock();
        if events.len() < MAX_EVENTS {
            events.push(StepEvent::new(now.unwrap_or_default(), attempt, kind));
        }
    }
}

impl StepCtx {
    pub(crate) const fn new(run: RunId, seq: Seq, attempt: u32, log: StepLog) -> Self {
        Self {
            run,
            seq,
            attempt,
            log,
            over: None,
        }
    }

    /// The same, which is told when the attempt is over.
    pub(crate) fn until(mut self, over: CancellationToken) -> Self {
        self.over = Some(over);
        self
    }

    /// A context outside any run.
    fn detached() -> Self {
        Self::new(
            RunId::from_trusted("detached"),
            Seq(0),
            1,
            StepLog::default(),
        )
    }

    /// The run that the step belongs to.
    #[must_use]
    pub const fn run_id(&self) -> &RunId {
        &self.run
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The key under which an outside system can recognise this step: `<run id>:<seq>`.
    ///
    /// It is the same for every attempt, also after a crash, so a provider that keeps such keys
    /// executes the effect once.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}:{}", self.run, self.seq)
    }

    /// Waits until nobody waits for the attempt any more: its run was cancelled or given to another
    /// process, its time is over, the workflow has dropped it, or it has ended.
    ///
    /// The body itself is dropped then and needs none of this. It is for what the body has begun
    /// elsewhere, such as a task or a thread of its own. A step at a worker is not told: it goes
    /// on, and its answer is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// #[workflow]
    /// async fn render(ctx: &WorkflowCtx, pages: u32) -> Result<u32> {
    ///     ctx.step("render", async |step: StepCtx| {
    ///         let done = tokio::task::spawn_blocking(move || {
    ///             (0..pages).take_while(|_| !step.is_cancelled()).count()
    ///         });
    ///         Ok(done.await? as u32)
    ///     })
    ///     .await
    /// }
    /// # assert_eq!(render().name(), "render");
    /// ```
    pub async fn cancelled(&self) {
        match &self.over {
            Some(over) => over.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Whether nobody waits for the attempt any more; see [`cancelled`](Self::cancelled).
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.over
            .as_ref()
            .is_some_and(CancellationToken::is_cancelled)
    }

    /// Writes a line to the step's own log, which is stored with its checkpoint and shown with
    /// it. At most 200 lines of an attempt are kept.
    pub fn log(&self, level: LogLevel, message: impl Into<String>) {
        let message = message.into();
        self.log
            .push(self.attempt, StepEventKind::Log { level, message });
    }

    /// Reports how a part of the step stands, such as `("resize", "started")`.
    pub fn sub(&self, name: impl Into<String>, status: impl Into<String>) {
        let (name, status) = (name.into(), status.into());
        self.log
            .push(self.attempt, StepEventKind::Sub { name, status });
    }

    /// Runs a part of the step and reports its start and its end.
    ///
    /// The part is not recorded by itself: a retry of the step runs it again.
    ///
    /// # Errors
    ///
    /// What the part returns.
    pub async fn sub_process<T, E, Fut>(
        &self,
        name: impl Into<String>,
        part: impl FnOnce() -> Fut,
    ) -> Result<T, E>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        let name = name.into();
        self.sub(name.clone(), "started");
        let result = part().await;
        self.sub(
            name,
            if result.is_ok() {
                "completed"
            } else {
                "failed"
            },
        );
        result
    }
}

impl fmt::Debug for StepCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepCtx")
            .field("run", &self.run)
            .field("seq", &self.seq)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
