//! What a context asks of whoever runs the workflow.

use std::{
    fmt,
    panic::Location,
    sync::{Arc, atomic::AtomicBool},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;

use super::{definition::BoxFuture, state::States};
use crate::id::{RunId, Seq};
use crate::model::{CheckpointKind, Failure, RetryPolicy, StepEvent, WorkflowKey};
use crate::payload::Payload;
use crate::time::{Clock, Timestamp};

/// One call of an operation, as the code made it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which operation.
    pub kind: CheckpointKind,
    /// Its name.
    pub name: Arc<str>,
    /// Where the code asked for it.
    pub site: &'static Location<'static>,
}

/// What an operation waits for.
#[derive(Debug, Clone)]
pub enum Ask {
    /// A point in time.
    Timer {
        /// When.
        until: Timestamp,
    },
    /// A signal for the operation's name.
    Signal {
        /// How long at most.
        timeout: Option<Duration>,
    },
    /// A step that a worker executes.
    Remote(Box<RemoteAsk>),
}

/// A step that a worker executes.
#[derive(Debug, Clone)]
pub struct RemoteAsk {
    /// The step's argument.
    pub input: Payload,
    /// How it is tried.
    pub policy: StepPolicy,
}

/// How the attempts of a step are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepPolicy {
    /// How often, and with which waits.
    pub retry: RetryPolicy,
    /// How long one attempt may take; without limit when `None`.
    pub timeout: Option<Duration>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With a result.
    Completed(Payload),
    /// With a failure.
    Failed(Box<Failure>),
    /// Its time ran out.
    TimedOut,
}

/// What a local step is to do when it is polled.
#[derive(Debug)]
pub enum StepPoll {
    /// Nothing yet; the waker is kept.
    Wait,
    /// Begin this attempt, from 1.
    Start(u32),
    /// Hand this outcome to the workflow.
    Done(Outcome),
}

/// How one attempt of a local step ended.
#[derive(Debug)]
pub struct AttemptReport {
    /// Its result.
    pub result: Result<Payload, Failure>,
    /// What it reported on the way.
    pub events: Vec<StepEvent>,
}

/// Whoever runs a workflow: the engine, a worker that replays from a message, or a test.
///
/// An operation calls [`open`](Self::open) when it is made, which fixes its position, polls until
/// its outcome is released, and calls [`close`](Self::close) when it is dropped before.
#[async_trait]
pub trait Host: fmt::Debug + Send + Sync {
    /// The run.
    fn run_id(&self) -> &RunId;

    /// The workflow and version that it executes.
    fn workflow(&self) -> &WorkflowKey;

    /// Which attempt to execute the run this is, from 1; grows with each recovery.
    fn attempt(&self) -> u32;

    /// Whether recorded outcomes are still being handed out.
    fn is_replaying(&self) -> bool;

    /// What `State<T>` receives.
    fn states(&self) -> &States;

    /// The clock of the run. What it says is not recorded.
    fn clock(&self) -> Arc<dyn Clock>;

    /// The current time, not recorded.
    fn now(&self) -> Timestamp;

    /// A number for this run and position that never changes.
    fn seed(&self, seq: Seq) -> u64;

    /// Whether a step body is being polled. Operations made meanwhile are refused.
    fn in_body(&self) -> &AtomicBool;

    /// Takes the next position for an operation.
    fn open(&self, call: Call) -> Seq;

    /// Takes the next position for a value that is captured at the call: the recorded one, or
    /// what `make` gives for the position.
    fn capture(&self, call: Call, make: &mut dyn FnMut(Seq) -> Payload) -> Payload;

    /// Publishes the value of the capture that was made last, under a key.
    fn publish(&self, key: Arc<str>, value: Payload);

    /// Adds a tag to the run.
    fn tag(&self, tag: Arc<str>);

    /// Polls a wait; the first poll asks for it.
    fn poll(&self, seq: Seq, ask: &Ask, cx: &mut Context<'_>) -> Poll<Outcome>;

    /// Polls a local step.
    fn poll_step(&self, seq: Seq, policy: &StepPolicy, cx: &mut Context<'_>) -> StepPoll;

    /// The waker to poll a step body with, where that is not the operation's own: inside a set of
    /// futures the host must know which of them are woken by bodies.
    fn body_waker(&self, operation: &Waker) -> Option<Waker>;

    /// Reports how the attempt that [`StepPoll::Start`] began has ended.
    fn finish_attempt(&self, seq: Seq, report: AttemptReport);

    /// Says that the operation was dropped before its outcome was released.
    fn close(&self, seq: Seq);

    /// Runs a step body on a task of its own; dropping the returned future ends it.
    fn spawn(
        &self,
        body: BoxFuture<'static, Result<Payload, Failure>>,
    ) -> BoxFuture<'static, Result<Payload, Failure>>;

    /// Waits for a span of time that is not recorded: the timeout of an attempt.
    async fn wait(&self, length: Duration);
}
