//! An operation that the workflow holds.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use crate::engine::under_way::StepUnderWay;
use crate::id::Seq;
use crate::model::{Checkpoint, CheckpointKind, CheckpointStatus, EventId, Failure, StepEvent};
use crate::payload::Payload;
use crate::time::Timestamp;
use crate::workflow::{Ask, Outcome, StepPolicy};

/// How far an operation has come in this process.
#[derive(Debug)]
pub(crate) enum SlotState {
    /// Made, not polled.
    Opened,
    /// Polled, but held back: the history is not used up or earlier releases are not durable.
    Held,
    /// Waiting for time, a signal or a worker.
    Waiting,
    /// An attempt of a local step is under way.
    Running { since: Timestamp },
    /// The next attempt is due at `wake_at`.
    Backoff,
    /// The next attempt may begin.
    Due,
    /// Ended; the outcome waits for its release.
    Ready(Outcome),
    /// Released at this place in the order; the outcome waits for the operation's next poll.
    Released { ord: u32, outcome: Outcome },
}

/// An operation that the workflow holds.
///
/// A waiting run holds one for as long as it waits, so what is seldom there is boxed.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) kind: CheckpointKind,
    pub(crate) name: Arc<str>,
    pub(crate) site: Arc<str>,
    pub(crate) state: SlotState,
    pub(crate) waker: Option<Waker>,
    /// The stored record, until it is used.
    pub(crate) record: Option<Box<Checkpoint>>,
    /// What was asked for at the first poll of a wait.
    pub(crate) ask: Option<Ask>,
    /// How a step is tried.
    policy: Option<Box<StepPolicy>>,
    /// Attempts begun.
    pub(crate) attempt: u32,
    /// Why the last attempt failed.
    pub(crate) failure: Option<Box<Failure>>,
    /// When time moves it on.
    pub(crate) wake_at: Option<Timestamp>,
    /// The inbox item that ended it.
    pub(crate) inbox: Option<i64>,
    /// The event that ended it.
    pub(crate) event: Option<Box<EventId>>,
    #[expect(
        clippy::box_collection,
        reason = "a pointer in place of three words per operation"
    )]
    events: Option<Box<Vec<StepEvent>>>,
    pub(crate) started_at: Timestamp,
    /// Whether a checkpoint of it is stored or about to be.
    pub(crate) is_stored: bool,
    /// Which flush will write, or has written, its last checkpoint.
    pub(crate) put_in: Option<u32>,
}

impl Slot {
    pub(crate) fn new(
        kind: CheckpointKind,
        name: Arc<str>,
        site: Arc<str>,
        record: Option<Checkpoint>,
        now: Timestamp,
    ) -> Self {
        let mut slot = Self {
            kind,
            name,
            site,
            state: SlotState::Opened,
            waker: None,
            record: None,
            ask: None,
            policy: None,
            attempt: 0,
            failure: None,
            wake_at: None,
            inbox: None,
            event: None,
            events: None,
            started_at: now,
            is_stored: record.is_some(),
            put_in: None,
        };
        if let Some(mut record) = record {
            if !record.status.is_released() {
                // What earlier attempts left is written again with the next one.
                slot.add_events(std::mem::take(&mut record.events));
                slot.failure = record.failure.take().map(Box::new);
            }
            slot.attempt = record.attempt;
            slot.wake_at = record.wake_at;
            slot.started_at = record.started_at;
            slot.record = Some(Box::new(record));
        }
        slot
    }

    /// Keeps the waker of the operation's last poll.
    /// What has happened to it so far.
    pub(crate) fn events(&self) -> &[StepEvent] {
        self.events.as_deref().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add_events(&mut self, events: impl IntoIterator<Item = StepEvent>) {
        for event in events {
            self.events.get_or_insert_default().push(event);
        }
    }

    /// How the attempts of the step are made.
    pub(crate) fn policy(&self) -> StepPolicy {
        self.policy.as_deref().copied().unwrap_or_default()
    }

    pub(crate) fn set_policy(&mut self, policy: StepPolicy) {
        let is_own = policy != StepPolicy::default();
        self.policy = is_own.then(|| Box::new(policy));
    }

    pub(crate) fn keep_waker(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }

    /// The recorded status of an operation that was under way when the history ended.
    pub(crate) fn recorded_status(&self) -> Option<CheckpointStatus> {
        self.record.as_ref().map(|record| record.status)
    }

    /// Takes the recorded outcome of an operation that has ended.
    pub(crate) fn take_recorded(&mut self) -> Option<Outcome> {
        let record = self.record.take()?;
        match record.status {
            CheckpointStatus::Completed => Some(Outcome::Completed(
                record.result.unwrap_or_else(Payload::null),
            )),
            CheckpointStatus::Failed | CheckpointStatus::Fatal | CheckpointStatus::TimedOut => {
                // A wait whose time ran out has no failure.
                Some(record.failure.map_or(Outcome::TimedOut, |failure| {
                    Outcome::Failed(Box::new(failure))
                }))
            }
            CheckpointStatus::Waiting
            | CheckpointStatus::Retrying
            | CheckpointStatus::Abandoned => None,
        }
    }

    /// Whether something of ours will move it on.
    pub(crate) const fn is_outstanding(&self) -> bool {
        !matches!(self.state, SlotState::Opened | SlotState::Released { .. })
    }

    /// Whether it waits for something that the store knows of, so that the run could be evicted.
    ///
    /// A step at a worker is none: the message to the worker may be lost, and then only the run's
    /// owner, or whoever takes over from it, sends the step again.
    pub(crate) const fn is_stored_wait(&self) -> bool {
        match self.state {
            SlotState::Waiting => !self.is_remote(),
            SlotState::Backoff | SlotState::Opened | SlotState::Released { .. } => true,
            SlotState::Held | SlotState::Running { .. } | SlotState::Due | SlotState::Ready(_) => {
                false
            }
        }
    }

    /// Whether a worker executes it: a step, or the undo of one.
    pub(crate) const fn is_remote(&self) -> bool {
        matches!(self.ask, Some(Ask::Remote(_)))
    }

    /// Its attempt, if the body executes here.
    pub(crate) fn under_way(&self, seq: Seq) -> Option<StepUnderWay> {
        let SlotState::Running { since } = self.state else {
            return None;
        };
        Some(StepUnderWay {
            seq,
            kind: self.kind,
            name: Arc::clone(&self.name),
            attempt: self.attempt,
            asked_at: self.started_at,
            began_at: since,
            site: Arc::clone(&self.site),
        })
    }

    /// Whether a body is under way, here or at a worker.
    pub(crate) const fn is_running(&self) -> bool {
        match self.state {
            SlotState::Running { .. } => true,
            SlotState::Waiting => self.is_remote(),
            _ => false,
        }
    }
}
