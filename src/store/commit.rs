//! The journal's batch: everything that changes runs, in one transaction.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::StoreError;
use super::event::NewListen;
use crate::id::{FencingToken, InstanceId, RunId, Seq};
use crate::model::{
    AttributePatch, Checkpoint, EventId, Facts, Failure, InboxBody, InboxItem, NewRun, RunStatus,
    SignalId,
};
use crate::payload::Payload;
use crate::time::Timestamp;

/// Changes of many runs, written together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Runs to be stored, unless their id exists.
    pub starts: Vec<NewRun>,
    /// What arrived from outside.
    pub deliveries: Vec<Delivery>,
    /// What the owners of runs write. At most one per run in a batch.
    pub commits: Vec<RunCommit>,
}

impl Batch {
    /// How many changes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() + self.deliveries.len() + self.commits.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What became of a [`Batch`]; each list answers the list of the same name, in order.
#[derive(Debug, Default)]
pub struct BatchAck {
    /// One answer per start.
    pub starts: Vec<StartAck>,
    /// One answer per delivery.
    pub deliveries: Vec<Result<DeliveryAck, StoreError>>,
    /// One answer per commit.
    pub commits: Vec<Result<CommitAck, StoreError>>,
}

/// What became of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAck {
    /// The run was stored.
    Created,
    /// A run with this id was there already and was left as it is.
    Existing {
        /// Where that run stands.
        status: RunStatus,
    },
}

/// Who holds the run after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Custody {
    /// The owner keeps it.
    Keep,
    /// The owner gives it up: it is due again at `wake_at`, or at once if it was woken more often
    /// than `seen_wakes` says.
    Release,
}

/// What the owner of a run writes: one step of its life, all or nothing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunCommit {
    /// The run.
    pub run: RunId,
    /// The claim under which it is written.
    pub token: FencingToken,
    /// Where the run stands from now on.
    pub status: RunStatus,
    /// Who holds it from now on. A run that has ended or is set aside is always released.
    pub custody: Custody,
    /// When time alone makes it due, for whoever claims it next.
    pub wake_at: Timestamp,
    /// The run's wake counter as the owner knows it; everything up to it is dealt with.
    pub seen_wakes: u64,
    /// Recoveries since the run last got on.
    pub recoveries: u32,
    /// The run's revision after this commit; its checkpoints carry the same.
    pub rev: u64,
    /// The result of a run that completed.
    pub output: Option<Payload>,
    /// Why the run failed or is blocked; also the last panic of one that goes on.
    pub failure: Option<Failure>,
    /// Checkpoints to be put at their `seq`, replacing what is there.
    pub checkpoints: Vec<Checkpoint>,
    /// Waits to be opened.
    pub waiters: Vec<NewWaiter>,
    /// Waits to be closed. A signal that was delivered to one of them and not taken goes on to
    /// the next waiter of its token or back to the buffer.
    pub withdrawn: Vec<Seq>,
    /// Inbox items that are dealt with and go.
    pub taken: Vec<i64>,
    /// Values published under a key; the last one per key stays.
    pub published: Vec<(Arc<str>, Payload)>,
    /// Tags to be added.
    pub tags: Vec<Arc<str>>,
    /// Search attributes to be set or removed.
    pub attributes: AttributePatch,
    /// Whether others are known to wait for the end of the run, as it was read with the claim. A
    /// hint that saves the store a second try; what holds is what the store knows.
    pub is_joined: bool,
    /// What it changes outside of the run; boxed, because few commits have any.
    pub beyond: Option<Box<Beyond>>,
    /// When it was made.
    pub at: Timestamp,
}

impl RunCommit {
    /// A commit that changes nothing but the status.
    #[must_use]
    pub fn new(run: RunId, token: FencingToken, status: RunStatus, at: Timestamp) -> Self {
        Self {
            run,
            token,
            status,
            custody: Custody::Keep,
            wake_at: Timestamp::MAX,
            seen_wakes: 0,
            recoveries: 0,
            rev: 0,
            output: None,
            failure: None,
            checkpoints: Vec::new(),
            waiters: Vec::new(),
            withdrawn: Vec::new(),
            taken: Vec::new(),
            published: Vec::new(),
            tags: Vec::new(),
            attributes: AttributePatch::default(),
            is_joined: false,
            beyond: None,
            at,
        }
    }

    /// What it changes outside of the run.
    pub fn beyond(&mut self) -> &mut Beyond {
        self.beyond.get_or_insert_default()
    }

    /// The bytes of the payloads in it.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let results = self.checkpoints.iter().filter_map(|it| it.result.as_ref());
        let published = self.published.iter().map(|(_, value)| value);
        let all = results.chain(published).chain(&self.output);
        let bytes: usize = all.map(|payload| payload.as_bytes().len()).sum();
        bytes + self.beyond.as_ref().map_or(0, |it| it.payload_bytes())
    }

    /// Whether it ends the run without a successor.
    #[must_use]
    pub fn ends_for_good(&self) -> bool {
        let next = self.beyond.as_ref().and_then(|beyond| beyond.next.as_ref());
        self.status.is_terminal() && next.is_none()
    }

    /// Whether the run has no owner afterwards.
    #[must_use]
    pub fn releases(&self) -> bool {
        self.custody == Custody::Release || self.status.is_terminal() || self.status.is_set_aside()
    }
}

/// What a commit changes outside of its run, in the same transaction and under the same token.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Beyond {
    /// Runs to be stored, unless their id exists.
    pub starts: Vec<NewRun>,
    /// Ends of other runs to wait for.
    pub joins: Vec<NewJoin>,
    /// What is sent to other runs.
    pub sends: Vec<Delivery>,
    /// Waits for events to be opened.
    pub listens: Vec<NewListen>,
    /// Waits for events to be closed. One that was delivered to such a wait and not taken is
    /// there for another wait of the run, as long as it is kept.
    pub closed: Vec<Seq>,
    /// Events that the run has taken: it does not hear them again.
    pub heard: Vec<EventId>,
    /// The run that this one continues as, which must be among `starts`. Whoever waits for the end
    /// of this run waits for the end of that one from now on.
    pub next: Option<RunId>,
    /// The run undoes its steps from now on, because it was cancelled: so shall its children.
    pub unwinds: bool,
}

impl Beyond {
    /// The bytes of the payloads in it.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let inputs = self.starts.iter().map(|new| new.input.as_bytes().len());
        let sends = self.sends.iter().map(Delivery::payload_bytes);
        inputs.chain(sends).sum()
    }
}

/// A wait for the end of a run about to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewJoin {
    /// The operation that waits.
    pub seq: Seq,
    /// The run whose end it waits for.
    pub run: RunId,
}

impl NewJoin {
    /// A wait of the operation at `seq` for the end of `run`.
    #[must_use]
    pub const fn new(seq: Seq, run: RunId) -> Self {
        Self { seq, run }
    }
}

/// A wait for a signal about to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewWaiter {
    /// The operation that waits.
    pub seq: Seq,
    /// The token that it waits for.
    pub token: Arc<str>,
}

impl NewWaiter {
    /// A wait of the operation at `seq` for `token`.
    #[must_use]
    pub const fn new(seq: Seq, token: Arc<str>) -> Self {
        Self { seq, token }
    }
}

/// What became of a [`RunCommit`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitAck {
    /// Signals that lay in the buffer and were handed to waits that this commit opened. They are
    /// in the run's inbox now; these are copies, to save the owner a look. So are the ends of
    /// runs that had ended before this commit began to wait for them.
    pub delivered: Vec<InboxItem>,
    /// One answer per start of [`Beyond::starts`].
    pub starts: Vec<StartAck>,
    /// What other runs got from this commit: what it sends, that this run has ended, that its
    /// children are to cancel.
    pub told: Vec<DeliveryAck>,
}

impl CommitAck {
    /// An answer with what was handed to new waits.
    #[must_use]
    pub const fn new(delivered: Vec<InboxItem>) -> Self {
        Self {
            delivered,
            starts: Vec::new(),
            told: Vec::new(),
        }
    }
}

/// Something from outside, on its way to a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Delivery {
    /// A signal for whoever waits for `token`.
    Signal {
        /// Its id; a second delivery with the same id does nothing.
        id: SignalId,
        /// The address.
        token: Arc<str>,
        /// The value.
        payload: Payload,
        /// When it was sent.
        at: Timestamp,
    },
    /// An event for every run with a wait that it matches.
    Event {
        /// Its id; a second publication with the same id does nothing.
        id: EventId,
        /// Its name, for people.
        name: Arc<str>,
        /// What is said about it.
        facts: Facts,
        /// The value.
        payload: Payload,
        /// Until when waits that are opened later may take it; `None` for not at all.
        keep_until: Option<Timestamp>,
        /// Until when its id is known.
        known_until: Timestamp,
        /// When it was published.
        at: Timestamp,
    },
    /// An item for one run: a step result or a cancel request.
    Item {
        /// The run.
        run: RunId,
        /// What arrives. A signal must use [`Delivery::Signal`], which finds its waiter.
        body: InboxBody,
        /// When it was sent.
        at: Timestamp,
    },
    /// Lets a run that failed, was cancelled, is dead or blocked continue in place.
    Requeue {
        /// The run.
        run: RunId,
        /// When it was asked.
        at: Timestamp,
    },
}

impl Delivery {
    /// The bytes of the payload in it.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Signal { payload, .. }
            | Self::Event { payload, .. }
            | Self::Item {
                body:
                    InboxBody::Signal { payload, .. }
                    | InboxBody::Event { payload, .. }
                    | InboxBody::StepResult {
                        outcome: Ok(payload),
                        ..
                    }
                    | InboxBody::RunEnded {
                        outcome: Ok(payload),
                        ..
                    },
                ..
            } => payload.as_bytes().len(),
            Self::Item { .. } | Self::Requeue { .. } => 0,
        }
    }
}

/// What became of a [`Delivery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryAck {
    /// It is in the run's inbox, and the run is awake.
    Delivered {
        /// The run that got it.
        run: RunId,
        /// The item, for an owner in this process.
        item: InboxItem,
        /// The run's wake counter now.
        wakes: u64,
        /// Who holds the run now.
        owner: Option<InstanceId>,
    },
    /// Nobody waits for the signal yet; the next wait for its token gets it.
    Buffered,
    /// The event was published.
    Published {
        /// What the runs got that were waiting for it, by their ids.
        told: Vec<Self>,
    },
    /// It has been delivered before; nothing changed.
    Duplicate,
    /// The run was ended at once, because nobody was executing it.
    Ended {
        /// The run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
        /// What other runs got by that.
        told: Vec<Self>,
    },
    /// The run is due again.
    Requeued {
        /// The run.
        run: RunId,
    },
}

/// Everything that changes runs.
///
/// # Contract
///
/// 1. A batch is one transaction: starts, then deliveries, then commits, all or nothing when the
///    call fails. Single items that are refused (clauses 3, 7, 9) change nothing and do not stop
///    the others.
/// 2. A start whose id exists changes nothing and answers [`StartAck::Existing`]. A stored run is
///    `pending`, with token 1 and the given owner, or token 0 and no owner.
/// 3. A commit whose token is not the run's newest is refused with [`StoreError::LeaseLost`] and
///    changes nothing, also when its claim is lost while the batch is under way. Whatever takes a
///    run from its last owner (a claim, a take-over, a cancel that ends it, a requeue) makes its
///    token grow.
/// 4. A checkpoint replaces the one at its `seq`.
/// 5. A commit that [releases](RunCommit::releases) clears the owner. If the run was woken more
///    often than `seen_wakes` says, it is due at once, else at `wake_at`. An ended or blocked run
///    is never due.
/// 6. A `cancelling` run keeps that status until a commit ends it.
/// 7. A signal goes to the longest-waiting waiter of its token: the waiter is taken, an item is
///    put into that run's inbox and the run is woken, or else it is buffered; one transaction.
///    The same [`SignalId`] is taken once. Signals of a token are in the order in which they were
///    delivered, those of a batch in its order, whatever their ids.
/// 8. Opening a waiter whose token has buffered signals takes the oldest one of them at once,
///    which the answer tells. It counts as no wake; a run that is released by the same commit is
///    due now. A waiter that is open stays as it is. Waits of one batch wait in its order: by
///    commit, then as the commit lists them.
/// 9. Waking adds one to the run's `wakes` and, if it has no owner, makes it due now. An item
///    for a run that has ended is refused with [`StoreError::WrongStatus`], for one that does not
///    exist with [`StoreError::UnknownRun`]. One that waits in the inbox already (a cancel
///    request, the result of the same attempt) is a [`DeliveryAck::Duplicate`]. A blocked run
///    takes items and is not due.
/// 10. A cancel request ends a run that nobody holds (`cancelled`, with a failure of that code, as
///     its owner would) and marks one that is held `cancelling`. A run that is `cancelling` stays so until its next owner ends it. A request to
///     compensate marks the run `cancelling` in any case and makes one that nobody holds due, also
///     if it is blocked or paused.
/// 11. Closing a wait, by `withdrawn` or by the end of the run, hands a delivered signal that
///     was not taken to the next waiter of its token or back to the buffer, in its old place.
/// 12. An end of a run empties its waiters and its inbox.
/// 13. A requeue makes a failed, cancelled, dead or blocked run `pending` and due, clears its
///     failure and recoveries, and removes its fatal checkpoints and the abandoned ones, so that
///     what ended the run is tried again. Waits for signals and for the ends of runs, which went
///     with the end of the run (clause 12), are removed too, so that they are opened again.
/// 14. [`Beyond::starts`] are stored like other starts if, and only if, the commit is: a run whose
///     id exists stays as it is. A run that is stored remembers its parent.
/// 15. When a run ends, by a commit, a cancel request or a take-over, each operation that waits
///     for its end gets a [`InboxBody::RunEnded`] in the same transaction, and its run is woken. A
///     waiting run that has ended itself gets nothing.
/// 16. Opening a wait for the end of a run that has ended, or does not exist, is answered at once,
///     like clause 8. A wait that is open stays as it is. A commit that ends its run opens none.
/// 17. When a run ends as cancelled, its children that have not ended and were started with
///     [`OnCancel::Cascade`](crate::model::OnCancel) are asked to cancel in the same transaction,
///     and so on down the tree. A commit with [`Beyond::unwinds`] sends them a request to
///     compensate. Those that were started with [`OnCancel::Request`](crate::model::OnCancel) are
///     asked to compensate in both cases.
/// 18. A commit that ends a run and names a `next` one hands those who wait for its end on to that
///     run. A wait for the end of a run that has continued is a wait for the end of the last one.
///     A request to cancel that the run got since its newest claim goes on to the next run.
/// 19. [`Beyond::sends`] are delivered like other deliveries if, and only if, the commit is
///     written; one that is refused changes nothing and is left out of [`CommitAck::told`].
/// 60. An event goes to every run that has not ended and has a wait that it matches: in each of
///     them the longest-waiting such wait is taken, an item is put into the inbox and the run is
///     woken, all in one transaction. The same [`EventId`] is published once, until `known_until`.
/// 61. An event is kept until `keep_until`. Opening a wait ([`Beyond::listens`]) takes the oldest
///     kept event that it matches, unless the run has [heard](Beyond::heard) it or has it in its
///     inbox; like clause 8, the answer tells, and it counts as no wake. A wait that is open
///     stays as it is. A commit that ends its run opens none.
/// 62. An event that lies untaken in the inbox when its wait is [closed](Beyond::closed) is dropped
///     there, and the run may take it again: at once, if another wait of it is open that the kept
///     event matches, and the answer tells of that.
/// 63. An end closes all waits for events. A requeue lets them be opened again, as clause 13 says,
///     and what the run has not heard by then may be taken by them.
/// 66. A stored run has the search attributes, the namespace and the priority of its start. A commit
///     sets and removes attributes key by key; those that it does not name stay as they are.
#[async_trait]
pub trait CommitStore: Send + Sync {
    /// Writes a batch.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] if the outcome is unknown. Sending the same batch again is safe:
    /// starts and signals are recognised by their ids, commits put the same rows again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the batch written or not written, never half.
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError>;
}
