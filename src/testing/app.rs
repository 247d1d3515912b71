//! `TestDurable`: an engine for tests of workflows.

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    clock::ManualClock,
    pilot::{Pilot, Stuck},
    process::Process,
    steps::Steps,
};
use crate::durable::{BuildError, Durable, DurableBuilder, Error, RunHandle};
use crate::engine::{EventOutcome, SignalOutcome};
use crate::id::Seq;
use crate::model::{CheckpointKind, RunStatus};
use crate::time::{Clock, Timestamp};
use crate::workflow::{IntoWorkflow, StepError};

/// What a test does to each engine that it builds.
type Setup = Arc<dyn Fn(DurableBuilder) -> DurableBuilder + Send + Sync>;

/// An engine in memory, with a clock that stands still until the test moves it.
///
/// A test of a workflow that takes 30 days takes milliseconds. It dereferences to [`Durable`], so
/// everything that an application does is there; the methods here wait, after what they do, until
/// every run has come as far as it comes without the clock and without news from outside.
///
/// The engine has a thread of its own and ends with this value.
///
/// # Examples
///
/// ```standalone_crate
/// use std::time::Duration;
/// use axum_durable::{RunStatus, StepError, assert_status, prelude::*, testing::TestDurable};
///
/// #[workflow]
/// async fn trial(ctx: &WorkflowCtx, user: String) -> Result<String> {
///     ctx.step("welcome", async || Ok(())).retries(3).await?;
///     ctx.sleep(Duration::from_secs(30 * 86_400)).await;
///     let paid: bool = ctx.wait_for_signal(format!("paid:{user}")).await?;
///     Ok(if paid { "customer".to_owned() } else { "gone".to_owned() })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let app = TestDurable::new().await?;
/// app.fail_times("welcome", 2, StepError::retryable("busy", "the mail server is busy"));
/// let run = app.start(trial, "ada".to_owned()).id("trial-ada").await?;
/// app.advance(Duration::from_secs(31 * 86_400)).await;
/// assert_eq!(app.attempts("welcome"), 3);
/// assert_status!(app, "trial-ada", RunStatus::Suspended);
/// app.send("paid:ada", true).await?;
/// assert_eq!(run.result().await?, "customer");
/// # Ok(())
/// # }
/// ```
pub struct TestDurable {
    pilot: Pilot,
    steps: Steps,
    setup: Setup,
    /// `None` only while it is being replaced.
    process: Option<Process>,
    durable: Durable,
}

impl TestDurable {
    /// An engine with every workflow and step that the test's binary links.
    ///
    /// # Errors
    ///
    /// [`BuildError`], such as a `State<T>` that was not provided; see [`with`](Self::with).
    pub async fn new() -> Result<Self, BuildError> {
        Self::with(|builder| builder).await
    }

    /// An engine that `setup` provides with values and definitions. It is called again for each
    /// process that [`crash`](Self::crash) starts.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use axum_durable::{prelude::*, testing::TestDurable};
    ///
    /// #[workflow]
    /// async fn greet(ctx: &WorkflowCtx, name: String, State(word): State<&'static str>) -> Result<String> {
    ///     ctx.step("greet", async || Ok(format!("{word}, {name}"))).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let app = TestDurable::with(|builder| builder.provide("hello")).await?;
    /// assert_eq!(app.run(greet, "Ada".to_owned()).await?, "hello, Ada");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with(
        setup: impl Fn(DurableBuilder) -> DurableBuilder + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let (pilot, steps) = (Pilot::new(), Steps::default());
        let setup: Setup = Arc::new(setup);
        let process = start(&pilot, &steps, &setup).await?;
        Ok(Self {
            durable: process.durable().clone(),
            process: Some(process),
            pilot,
            steps,
            setup,
        })
    }

    /// Starts a run and brings it to its end: whenever nothing else moves, the clock is set to
    /// the next thing that waits for it.
    ///
    /// # Errors
    ///
    /// Like [`RunHandle::result`]: [`Error::RunFailed`] if it ended without a result.
    ///
    /// # Panics
    ///
    /// If the run waits for what only the test can bring, such as a signal: send it before, or
    /// use `start`, `send` and `advance`.
    pub async fn run<I, O, W>(&self, workflow: W, input: I) -> Result<O, Error>
    where
        W: IntoWorkflow<I, O>,
        I: Serialize,
        O: DeserializeOwned + 'static,
    {
        let run: RunHandle<O> = self.durable.start(workflow, input).await?;
        self.finish(run.id().as_str()).await;
        run.result().await
    }

    /// Brings a run to its end, as [`run`](Self::run) does.
    ///
    /// # Panics
    ///
    /// Like [`run`](Self::run).
    pub async fn finish(&self, run: &str) {
        loop {
            let next = self.settled().await;
            let status = self.status(run).await;
            if status.is_terminal() || status == RunStatus::Blocked {
                return;
            }
            if !self.pilot.hop(next, Timestamp::MAX) {
                stop(&self.explanation(run).await);
            }
        }
    }

    /// Waits until every run has come as far as it comes without the clock and without news from
    /// outside.
    ///
    /// # Panics
    ///
    /// If a run stays busy for ten seconds of real time, because a step of it does.
    pub async fn settle(&self) {
        self.settled().await;
    }

    /// Moves the clock on, from one thing that waits for it to the next, as time does.
    ///
    /// # Panics
    ///
    /// Like [`settle`](Self::settle).
    pub async fn advance(&self, by: Duration) {
        let next = self.settled().await;
        let until = self.pilot.clock.now() + by;
        let mut hopped = self.pilot.hop(next, until);
        while hopped {
            let next = self.settled().await;
            hopped = self.pilot.hop(next, until);
        }
        self.pilot.clock.set(until);
        self.settle().await;
    }

    /// The clock. Moved by hand it wakes whoever waits, and nothing settles.
    #[must_use]
    pub const fn clock(&self) -> &ManualClock {
        &self.pilot.clock
    }

    /// Sends a signal and settles.
    ///
    /// # Errors
    ///
    /// Like [`Durable::signal`].
    ///
    /// # Panics
    ///
    /// Like [`settle`](Self::settle).
    pub async fn send<T: Serialize>(
        &self,
        token: impl Into<Arc<str>>,
        value: T,
    ) -> Result<SignalOutcome, Error> {
        self.settle().await;
        let outcome = self.durable.signal(token, value).await?;
        self.settle().await;
        Ok(outcome)
    }

    /// Publishes an event and settles.
    ///
    /// # Errors
    ///
    /// Like [`Durable::publish_event`].
    ///
    /// # Panics
    ///
    /// Like [`settle`](Self::settle).
    pub async fn publish<T: Serialize + Sync + ?Sized>(
        &self,
        name: impl Into<Arc<str>>,
        payload: &T,
    ) -> Result<EventOutcome, Error> {
        self.settle().await;
        let outcome = self.durable.publish_event(name, payload).await?;
        self.settle().await;
        Ok(outcome)
    }

    /// Lets the next attempt of a step fail before its body begins.
    pub fn fail_once(&self, step: impl Into<Arc<str>>, error: impl Into<StepError>) {
        self.fail_times(step, 1, error);
    }

    /// Lets the next `times` attempts of a step fail before their body begins, in any run.
    pub fn fail_times(&self, step: impl Into<Arc<str>>, times: u32, error: impl Into<StepError>) {
        let failure = error.into().into_failure();
        self.steps.fail(step.into(), times, &failure);
    }

    /// How many attempts of a step have begun, those that were made to fail included, in all runs
    /// and all processes.
    #[must_use]
    pub fn attempts(&self, step: &str) -> u32 {
        self.steps.begun(step)
    }

    /// Where a run stands, once everything has settled.
    ///
    /// # Panics
    ///
    /// If there is no such run, and like [`settle`](Self::settle).
    pub async fn status(&self, run: &str) -> RunStatus {
        self.settle().await;
        match self.durable.get_run(run).await {
            Ok(Some(run)) => run.status,
            Ok(None) => stop(&format!("no run `{run}`")),
            Err(error) => stop(&format!("run `{run}` cannot be read: {error}")),
        }
    }

    /// What a run has returned.
    ///
    /// # Panics
    ///
    /// If it has not completed, with the reason, or its output is no `O`; and like
    /// [`settle`](Self::settle).
    pub async fn output<O: DeserializeOwned>(&self, run: &str) -> O {
        if self.status(run).await != RunStatus::Completed {
            stop(&self.explanation(run).await);
        }
        let output = match self.durable.get_run(run).await {
            Ok(found) => found.and_then(|found| found.output).unwrap_or_default(),
            Err(error) => stop(&format!("run `{run}` cannot be read: {error}")),
        };
        match output.decode() {
            Ok(output) => output,
            Err(error) => stop(&format!(
                "the output of run `{run}` cannot be read: {error}"
            )),
        }
    }

    /// The names of the steps of a run that have completed, in the order in which the workflow
    /// got their results.
    ///
    /// # Panics
    ///
    /// If there is no such run, and like [`settle`](Self::settle).
    pub async fn recorded_steps(&self, run: &str) -> Vec<String> {
        self.settle().await;
        let history = match self.durable.export_history(run).await {
            Ok(history) => history,
            Err(error) => stop(&format!("run `{run}` cannot be read: {error}")),
        };
        let steps = history.operations.into_iter().filter(|it| {
            let is_step = matches!(it.kind, CheckpointKind::Step | CheckpointKind::Remote);
            is_step && it.result.is_some() && it.status.is_released()
        });
        let mut steps: Vec<(Option<u32>, Seq, Arc<str>)> =
            steps.map(|it| (it.ord, it.seq, it.name)).collect();
        steps.sort();
        let names = steps.into_iter().map(|(_, _, name)| name.to_string());
        names.collect()
    }

    /// Why a run stands where it stands, in one sentence.
    ///
    /// # Panics
    ///
    /// If there is no such run.
    pub async fn explanation(&self, run: &str) -> String {
        match self.durable.explain(run).await {
            Ok(why) => format!("run `{run}` is {}: {}", why.status, why.reason),
            Err(error) => stop(&format!("run `{run}` cannot be read: {error}")),
        }
    }

    /// Kills the process where it stands, as `kill -9` does, and starts another one on the same
    /// store. Handles of the dead process do not see how runs end; make new ones with `run`.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub async fn crash(&mut self) -> Result<(), BuildError> {
        if let Some(process) = self.process.take() {
            process.crash().await;
        }
        let process = start(&self.pilot, &self.steps, &self.setup).await?;
        self.durable = process.durable().clone();
        self.process = Some(process);
        Ok(())
    }

    async fn settled(&self) -> Option<Timestamp> {
        match self.pilot.settle(&self.durable).await {
            Ok(next) => next,
            Err(Stuck(run)) => {
                let why = self.explanation(run.as_str()).await;
                stop(&format!("{why}; it does not settle"))
            }
        }
    }
}

async fn start(pilot: &Pilot, steps: &Steps, setup: &Setup) -> Result<Process, BuildError> {
    let builder = Durable::builder().store(pilot.store.clone());
    Process::start(setup(builder.interceptor(steps.clone()))).await
}

/// Stops a test.
#[expect(
    clippy::panic,
    reason = "a test that cannot go on should stop with the reason"
)]
pub(super) fn stop(why: &str) -> ! {
    panic!("{why}")
}

impl Deref for TestDurable {
    type Target = Durable;

    fn deref(&self) -> &Durable {
        &self.durable
    }
}

impl fmt::Debug for TestDurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDurable")
            .field("now", &self.pilot.clock.now())
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

/// Asserts where a run of a [`TestDurable`] stands, and says why it stands elsewhere.
///
/// # Examples
///
/// ```standalone_crate
/// use axum_durable::{RunStatus, assert_status, prelude::*, testing::TestDurable};
///
/// #[workflow]
/// async fn wait(ctx: &WorkflowCtx) -> Result<()> {
///     ctx.wait_for_signal("go").await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let app = TestDurable::new().await?;
/// app.start(wait, ()).id("a").await?;
/// assert_status!(app, "a", RunStatus::Suspended);
/// app.send("go", ()).await?;
/// assert_status!(app, "a", RunStatus::Completed);
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! assert_status {
    ($app:expr, $run:expr, $status:expr $(,)?) => {{
        let (app, run) = (&$app, $run);
        let status = app.status(run).await;
        if status != $status {
            let why = app.explanation(run).await;
            assert_eq!(status, $status, "{why}");
        }
    }};
}
