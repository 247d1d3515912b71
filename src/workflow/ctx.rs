//! The context of a running workflow: one short constructor per operation.

use std::{fmt, sync::Arc, sync::atomic::Ordering, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    error::{Result, WorkflowError},
    host::Host,
    ops::{Draw, LocalStep, Operation, Remote, SignalWait, Sleep, StepBody, capture},
    state::{Inject, MissingState},
    step::IntoStep,
};
use crate::id::RunId;
use crate::model::{CheckpointKind, WorkflowKey};
use crate::payload::Payload;
use crate::time::Timestamp;

/// What a workflow calls its operations on.
///
/// Each operation takes its position when it is called and starts when it is awaited. After a
/// crash the workflow runs again from the top, and every operation whose outcome is stored
/// returns that outcome without doing anything.
pub struct WorkflowCtx {
    host: Arc<dyn Host>,
}

impl WorkflowCtx {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self { host }
    }

    #[track_caller]
    fn open(&self, kind: CheckpointKind, name: impl Into<Arc<str>>) -> Operation {
        Operation::open(Arc::clone(&self.host), kind, name.into())
    }

    /// Runs a unit of side effect once and records its result. See [`LocalStep`].
    #[track_caller]
    pub fn step<'a, T, Args, B>(&self, name: impl Into<Arc<str>>, body: B) -> LocalStep<'a, T>
    where
        B: StepBody<'a, Args, T>,
        T: Serialize + DeserializeOwned + Send + 'a,
        Args: 'a,
    {
        LocalStep::new(self.open(CheckpointKind::Step, name), body)
    }

    /// Has a worker execute a step that is known by its definition. See [`Remote`].
    #[track_caller]
    pub fn remote<I, O, S>(&self, step: S, input: I) -> Remote<O>
    where
        S: IntoStep<I, O>,
        I: Serialize,
        O: DeserializeOwned,
    {
        let (name, policy) = step.into_step();
        Remote::new(
            self.open(CheckpointKind::Remote, name),
            policy,
            Payload::encode(&input),
        )
    }

    /// Has a worker execute a step that is known by its name only. See [`Remote`].
    #[track_caller]
    pub fn remote_named<O: DeserializeOwned>(
        &self,
        name: impl Into<Arc<str>>,
        input: impl Serialize,
    ) -> Remote<O> {
        let operation = self.open(CheckpointKind::Remote, name);
        Remote::new(
            operation,
            super::host::StepPolicy::default(),
            Payload::encode(&input),
        )
    }

    /// Sleeps for a span of time, across restarts and without using a thread. See [`Sleep`].
    #[track_caller]
    pub fn sleep(&self, length: Duration) -> Sleep {
        let until = self.host.now() + length;
        self.sleep_until(until)
    }

    /// Sleeps until a point in time. See [`Sleep`].
    #[track_caller]
    pub fn sleep_until(&self, until: Timestamp) -> Sleep {
        Sleep::new(self.open(CheckpointKind::Sleep, ""), until)
    }

    /// Waits for a signal sent to `token`. See [`SignalWait`].
    #[track_caller]
    pub fn wait_for_signal<T: DeserializeOwned>(
        &self,
        token: impl Into<Arc<str>>,
    ) -> SignalWait<T> {
        SignalWait::new(self.open(CheckpointKind::Signal, token))
    }

    /// The time of this call, recorded: replay returns the same.
    ///
    /// It costs no commit of its own. If the process dies before the next commit, the call is
    /// made again and may return a later time.
    #[track_caller]
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let host = &*self.host;
        capture(host, CheckpointKind::Now, "", |_| host.now())
    }

    /// A random UUID (version 4) that depends on the run and the position only, so that it is
    /// the same after a crash.
    #[track_caller]
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let host = &*self.host;
        capture(host, CheckpointKind::Uuid, "", |seq| {
            Uuid::from_draw(&mut super::ops::rng(host.seed(seq)))
        })
    }

    /// A random value that depends on the run and the position only, so that it is the same
    /// after a crash: any integer, float in `[0, 1)`, `bool` or UUID.
    #[track_caller]
    #[must_use]
    pub fn random<T: Draw>(&self) -> T {
        let host = &*self.host;
        capture(host, CheckpointKind::Random, "", |seq| {
            T::from_draw(&mut super::ops::rng(host.seed(seq)))
        })
    }

    /// Records the value of a quick, harmless, non-deterministic expression, such as a feature
    /// flag.
    ///
    /// It costs no commit of its own. If the process dies before the next commit, `read` runs
    /// again and may give another value. What must happen once is a [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the value cannot be written or read as JSON.
    #[track_caller]
    pub fn side_effect<T: Serialize + DeserializeOwned>(
        &self,
        name: impl Into<Arc<str>>,
        read: impl FnOnce() -> T,
    ) -> Result<T> {
        super::ops::side_effect(&*self.host, name.into(), read)
    }

    /// Publishes the latest value of `key`, which others read with `durable.get_event(run, key)`.
    ///
    /// It is stored with the next commit and stays after the run has ended.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::Payload`] if the value cannot be written as JSON.
    #[track_caller]
    pub fn set_event<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Arc<str>>,
        value: &T,
    ) -> Result<()> {
        super::ops::set_event(&*self.host, key.into(), value)
    }

    /// Adds a tag to the run, stored with the next commit.
    #[track_caller]
    pub fn add_tag(&self, tag: impl Into<Arc<str>>) {
        super::ops::add_tag(&*self.host, tag.into());
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        self.host.run_id()
    }

    /// The workflow and version being executed.
    #[must_use]
    pub fn workflow(&self) -> &WorkflowKey {
        self.host.workflow()
    }

    /// Which attempt to execute the run this is, from 1. For logs only: it differs on replay.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.host.attempt()
    }

    /// Whether recorded outcomes are being replayed. For logs only: branching on it diverges.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.host.is_replaying()
    }

    /// What `State<T>` receives; used by the code that `#[workflow]` writes.
    ///
    /// # Errors
    ///
    /// [`MissingState`] if the value was not provided.
    pub fn state<T: Inject>(&self) -> std::result::Result<T, MissingState> {
        T::inject(self.host.states())
    }
}

impl fmt::Debug for WorkflowCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowCtx")
            .field("run", self.host.run_id())
            .field("workflow", self.host.workflow())
            .field("in_body", &self.host.in_body().load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl From<MissingState> for crate::model::Failure {
    fn from(missing: MissingState) -> Self {
        WorkflowError::from(missing).into_failure()
    }
}
