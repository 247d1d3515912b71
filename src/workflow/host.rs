//! What a context asks of whoever runs the workflow.

use std::{
    fmt,
    panic::Location,
    sync::{Arc, atomic::AtomicBool},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;

use super::{definition::BoxFuture, interceptor::Interceptors, state::States};
use crate::id::{RunId, Seq};
use crate::model::{
    AttributePatch, CheckpointKind, Facts, Failure, InvalidAttributes, OnCancel, RetryPolicy,
    SignalId, StepEvent, WorkflowKey,
};
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
    /// An event with the operation's name.
    Event(Box<EventAsk>),
    /// A signal for an address that only this run has.
    Private(Arc<PrivateAsk>),
    /// A step that a worker executes.
    Remote(Box<RemoteAsk>),
    /// Another run.
    Child(Box<ChildAsk>),
    /// The answer of an entity.
    Entity(Box<EntityAsk>),
}

/// An operation that is sent to an entity.
#[derive(Debug, Clone)]
pub struct EntitySend {
    /// The workflow that runs such entities.
    pub workflow: Arc<str>,
    /// The entity's first run, which is started unless it exists. Its id is also the token that
    /// operations are sent to.
    pub run: RunId,
    /// Which delivery it is; the same one is taken once.
    pub id: SignalId,
    /// The operation.
    pub request: Payload,
}

/// A call of an entity.
#[derive(Debug, Clone)]
pub struct EntityAsk {
    /// What is sent, once.
    pub send: EntitySend,
    /// The wait for the answer.
    pub wait: Arc<PrivateAsk>,
}

/// A wait for an event.
#[derive(Debug, Clone)]
pub struct EventAsk {
    /// What has to be said about it.
    pub facts: Facts,
    /// How long at most.
    pub timeout: Option<Duration>,
}

/// Another run: to be started, waited for, or both.
#[derive(Debug, Clone)]
pub struct ChildAsk {
    /// Its id.
    pub run: RunId,
    /// How it is started, unless it exists.
    pub start: Option<ChildStart>,
    /// Whether its end is waited for.
    pub waits: bool,
}

/// How a child is started.
#[derive(Debug, Clone)]
pub struct ChildStart {
    /// The workflow and version.
    pub workflow: WorkflowKey,
    /// The workflow's argument.
    pub input: Payload,
    /// Its tags.
    pub tags: Vec<Arc<str>>,
    /// Its search attributes.
    pub attributes: AttributePatch,
    /// How urgent it is; as its parent when `None`.
    pub priority: Option<i32>,
    /// What becomes of it when its parent is cancelled.
    pub on_cancel: OnCancel,
    /// How long it may take in all.
    pub execution_timeout: Option<Duration>,
}

/// A wait for a signal to an address that only this run has, so that the operation's name is free
/// for people.
///
/// The wait may be opened again when the run comes back into memory, because a requeue cannot tell
/// whether it is still open.
#[derive(Clone)]
pub struct PrivateAsk {
    /// The address.
    pub token: Arc<str>,
    /// How long at most.
    pub timeout: Option<Duration>,
    /// What becomes of a signal; without it the payload is the result.
    pub read: Option<Arc<Read>>,
}

/// Makes of a signal's payload what becomes of the wait. Called on arrival, again if the process
/// dies before the answer is stored.
pub type Read = dyn Fn(Payload) -> Reading + Send + Sync;

/// What becomes of a wait when a signal has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It ends.
    Ends(Outcome),
    /// It goes on as if nothing had come, and whoever sent the signal reads why under a key.
    Refused {
        /// The key of the published value.
        key: Arc<str>,
        /// What is published.
        answer: Payload,
    },
}

impl PrivateAsk {
    /// A wait without end whose result is the signal's payload.
    #[must_use]
    pub const fn new(token: Arc<str>) -> Self {
        Self {
            token,
            timeout: None,
            read: None,
        }
    }

    /// What becomes of the wait when this has come.
    pub(crate) fn read(&self, payload: Payload) -> Reading {
        match &self.read {
            Some(read) => read(payload),
            None => Reading::Ends(Outcome::Completed(payload)),
        }
    }
}

impl fmt::Debug for PrivateAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateAsk")
            .field("token", &self.token)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
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

/// What is known of an operation that was dropped before the workflow saw its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dropped {
    /// Nothing that concerns the workflow: the run leaves memory, or is being set aside.
    Ignored,
    /// It has no result, as far as this process knows.
    Unfinished,
    /// Its result is part of the history.
    Recorded(Payload),
    /// It has a result that is not part of the history.
    Unrecorded(Payload),
}

/// What a run's history says about a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchState {
    /// The run took the new way here.
    Recorded,
    /// The run has not been here: it may take the new way.
    NewGround,
    /// The run came by before the patch was written, and keeps to the old way.
    OldRun,
}

/// The value of a capture, or why there is none.
pub type Captured = Result<Payload, Failure>;

/// Makes the value of a capture.
pub type Make<'a> = dyn FnMut(Seq) -> Captured + 'a;

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

    /// Who sees the attempts of local steps.
    fn interceptors(&self) -> &Interceptors;

    /// Where the app's routes for the outside are reached, if that is known.
    fn public_url(&self) -> Option<&str> {
        None
    }

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
    /// what `make` gives for the position. A failure is recorded like a value.
    ///
    /// # Errors
    ///
    /// The recorded failure, or that of `make`.
    fn capture(&self, call: Call, make: &mut Make<'_>) -> Captured;

    /// Whether a value may be stored.
    ///
    /// # Errors
    ///
    /// A fatal failure with the code `payload_too_large`.
    fn check(&self, value: &Payload) -> Result<(), Failure>;

    /// What the history says about the patch `id` at the next position, which is not taken.
    fn patch_state(&self, id: &str) -> PatchState;

    /// Publishes the value of the capture that was made last, under a key.
    fn publish(&self, key: Arc<str>, value: Payload);

    /// Publishes an event, with the next commit.
    fn emit(&self, name: Arc<str>, payload: Payload);

    /// Sends a signal, with the next commit.
    fn send(&self, id: SignalId, token: Arc<str>, payload: Payload);

    /// Starts an entity unless it is there, and sends an operation to it, with the next commit.
    ///
    /// # Errors
    ///
    /// A fatal failure: the entity is not known here, or the operation is too large.
    fn send_to_entity(&self, send: EntitySend) -> Result<(), Failure>;

    /// Asks another run to cancel, with the next commit.
    fn cancel_run(&self, run: RunId);

    /// Ends this run as the beginning of the next one, once the workflow is pending.
    fn continue_as(&self, input: Payload);

    /// Adds a tag to the run.
    fn tag(&self, tag: Arc<str>);

    /// Whether the run's search attributes may be changed so.
    ///
    /// # Errors
    ///
    /// Why not: there would be too many, or the workflow's type refuses what would come of it.
    fn check_attributes(&self, patch: &AttributePatch) -> Result<(), InvalidAttributes>;

    /// Changes the run's search attributes.
    fn put_attributes(&self, patch: AttributePatch);

    /// Polls a wait; the first poll asks for it.
    fn poll(&self, seq: Seq, ask: &Ask, cx: &mut Context<'_>) -> Poll<Outcome>;

    /// Polls a local step.
    fn poll_step(&self, seq: Seq, policy: &StepPolicy, cx: &mut Context<'_>) -> StepPoll;

    /// The connections that a transaction of a step begins on, if the store is an SQL database.
    #[cfg(feature = "_sql")]
    fn database(&self) -> Option<sea_orm::DatabaseConnection> {
        None
    }

    /// Commits a transaction together with the result of the step at `seq`. An answer `Ok` is the
    /// result that is stored; an `Err` says that nothing was committed.
    #[cfg(feature = "_sql")]
    async fn finish_transaction(
        &self,
        seq: Seq,
        transaction: sea_orm::DatabaseTransaction,
        result: Payload,
    ) -> Result<Payload, Failure> {
        drop((seq, transaction, result));
        Err(Failure::fatal("no_transactions", "there is no store here"))
    }

    /// The waker to poll a step body with, where that is not the operation's own: inside a set of
    /// futures the host must know which of them are woken by bodies.
    fn body_waker(&self, operation: &Waker) -> Option<Waker>;

    /// Reports how the attempt that [`StepPoll::Start`] began has ended.
    fn finish_attempt(&self, seq: Seq, report: AttemptReport);

    /// Says that the operation was dropped before the workflow saw its outcome. Answers what is
    /// known of that, for a step that has an undo.
    fn close(&self, seq: Seq) -> Dropped;

    /// Whether the history goes on, at the next position, with the result of a dropped step.
    fn has_unseen(&self, name: &str) -> bool;

    /// Whether the workflow's body is to be dropped now, because the run was cancelled and undoes
    /// what it has done. Says so once, and has written it down.
    fn cut_off(&self) -> bool;

    /// The run begins or ends to undo its steps: meanwhile it is not cancelled.
    fn set_unwinding(&self, unwinds: bool);

    /// Whether undos that have failed are to be tried again: the history says that they were, or
    /// the run has come here by replay alone, so that it was requeued after its end.
    fn unwinds_again(&self) -> bool;

    /// Runs a step body on a task of its own; dropping the returned future ends it.
    fn spawn(
        &self,
        body: BoxFuture<'static, Result<Payload, Failure>>,
    ) -> BoxFuture<'static, Result<Payload, Failure>>;

    /// Waits for a span of time that is not recorded: the timeout of an attempt.
    async fn wait(&self, length: Duration);
}
