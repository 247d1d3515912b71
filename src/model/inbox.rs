//! What arrives for a run from outside and waits there until the run's owner takes it.

use uuid::Uuid;

use super::{event::EventId, failure::Failure};
use crate::id::Seq;
use crate::payload::Payload;

/// One delivery of a signal; the same id is stored once, however often it is sent. It says nothing
/// of the order: that is the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(pub Uuid);

impl SignalId {
    /// A new id. Ids sort by the time they were made, so that indexes grow at their end.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

/// Something that arrived for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxItem {
    /// Its place in the inbox; items are taken in this order.
    pub id: i64,
    /// What arrived.
    pub body: InboxBody,
}

impl InboxItem {
    /// An item of an inbox.
    #[must_use]
    pub const fn new(id: i64, body: InboxBody) -> Self {
        Self { id, body }
    }

    /// Whether it is for a wait that others may have too, so that it goes to the next one if this
    /// one is over.
    pub(crate) const fn is_news(&self) -> bool {
        matches!(
            self.body,
            InboxBody::Signal { .. } | InboxBody::Event { .. }
        )
    }
}

/// The kinds of [`InboxItem`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InboxBody {
    /// A signal for the wait at `seq`.
    Signal {
        /// The wait that it was delivered to.
        seq: Seq,
        /// Its payload.
        payload: Payload,
    },
    /// The outcome of one attempt of the remote step at `seq`.
    StepResult {
        /// The step.
        seq: Seq,
        /// Which attempt it answers, from 1.
        attempt: u32,
        /// What the worker said.
        outcome: Result<Payload, Failure>,
    },
    /// A run that the operation at `seq` waits for has ended.
    RunEnded {
        /// The operation.
        seq: Seq,
        /// Its output, or why there is none: it failed, was cancelled or given up, or does not
        /// exist.
        outcome: Result<Payload, Failure>,
    },
    /// An event for the wait at `seq`.
    Event {
        /// The wait that hears it.
        seq: Seq,
        /// Which one it is.
        id: EventId,
        /// Its payload.
        payload: Payload,
    },
    /// A request to cancel.
    Cancel,
    /// A request to undo what the run has done and then to cancel it.
    Compensate,
    /// A request to pause.
    Pause {
        /// Who asked for it and why, for whoever looks at the paused run.
        why: Failure,
    },
}
