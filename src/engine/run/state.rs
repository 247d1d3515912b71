//! What a run in memory knows, and what its driver does next.

use std::sync::Arc;

use super::{arrivals::Arrivals, pending::Pending, relation::Kin, turn::Turn};
use crate::engine::{
    core::Core,
    replay::{Cursor, SlotState},
    settled::Settlement,
};
use crate::id::{FencingToken, RunId, Seq};
use crate::model::{
    Attributes, CheckpointKind, CheckpointStatus, Failure, InboxBody, NewRun, Run, RunStatus,
    WorkflowKey,
};
use crate::payload::Payload;
use crate::protocol::StepTask;
use crate::store::RunRecord;
use crate::time::Timestamp;
use crate::workflow::Outcome;

/// How a run leaves memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The workflow has returned, or the run was cancelled or set aside.
    Settled(Settlement),
    /// It panicked; it is tried again later.
    Retry { failure: Failure, at: Timestamp },
    /// It only waits, and is let go.
    Evicted,
}

impl Ending {
    /// The answer to what cancels a run.
    pub(crate) fn cancelled(by: Cancel) -> Self {
        let failure = match by {
            Cancel::Request | Cancel::Compensate { .. } => Failure::cancelled(),
            Cancel::Deadline => Failure::fatal("execution_timeout", "the run has taken too long"),
        };
        Self::Settled(Settlement::new(RunStatus::Cancelled, None, Some(failure)))
    }

    /// Whether the workflow's code has panicked.
    pub(crate) const fn is_panic(&self) -> bool {
        match self {
            Self::Retry { .. } => true,
            Self::Settled(settlement) => matches!(settlement.status, RunStatus::Dead),
            Self::Evicted => false,
        }
    }

    /// Whether nothing happens to the run any more after it.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Settled(settlement) if settlement.status.is_terminal())
    }
}

/// What cancels a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// Someone has asked for it.
    Request,
    /// Someone has asked to undo what the run has done before; the item of the inbox, which stays
    /// there until the workflow's body is left.
    Compensate { item: i64 },
    /// It has taken too long.
    Deadline,
}

/// A commit on its way.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// What nothing may start before it is durable.
    pub(crate) gating: u32,
    /// What follows once it is durable; boxed, because little does.
    pub(crate) then: Option<Box<Then>>,
    /// Whether the run leaves memory with it.
    pub(crate) ending: Option<Box<Ending>>,
}

/// What follows a commit.
#[derive(Debug, Default)]
pub(crate) struct Then {
    /// Steps to be sent.
    pub(crate) dispatch: Vec<StepTask>,
    /// Runs that it starts.
    pub(crate) starts: Vec<NewRun>,
    /// Items that have left the inbox.
    pub(crate) taken: Vec<i64>,
}

impl Then {
    /// `None` if nothing follows.
    pub(crate) fn or_none(self) -> Option<Box<Self>> {
        let is_any = !self.dispatch.is_empty() || !self.starts.is_empty() || !self.taken.is_empty();
        is_any.then(|| Box::new(self))
    }
}

/// A request to pause a run.
#[derive(Debug)]
pub(crate) struct Pause {
    /// The item of the inbox, which stays there until the run is paused.
    pub(crate) item: i64,
    /// Who asked, and why.
    pub(crate) why: Failure,
}

/// Everything of a run in memory that changes. Behind the host's lock, which is never held while
/// the workflow is polled.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cursor: Cursor,
    pub(crate) turn: Turn,
    pub(crate) pending: Pending,
    pub(crate) in_flight: Option<InFlight>,
    /// Waits and steps that were asked for and could not begin yet.
    pub(crate) held: Vec<Seq>,
    pub(crate) arrivals: Arrivals,
    /// The run's wake counter, as far as the inbox was read.
    pub(crate) wakes: u64,
    pub(crate) rev: u64,
    pub(crate) recoveries: u32,
    pub(crate) status: RunStatus,
    /// What cancels the run, if anything does.
    pub(crate) cancel: Option<Cancel>,
    /// Someone has asked to pause the run.
    pub(crate) pause: Option<Box<Pause>>,
    /// The run undoes its steps, which a request to cancel must not cut off.
    pub(crate) unwinds: bool,
    /// The run was cancelled and has left its body, or will at the place that is recorded.
    pub(crate) is_cut: bool,
    /// How the run is about to end; written with the next commit.
    pub(crate) ending: Option<Box<Ending>>,
    /// Leave memory when only waiting, or as soon as nothing runs.
    pub(crate) leave: Leave,
    pub(crate) phase: Phase,
    pub(crate) parked_since: Option<Timestamp>,
    /// What people find the run by, as its code has left it; boxed, because many have none.
    marks: Option<Box<Marks>>,
    /// How often something was flushed; tells unwritten checkpoints from written ones.
    pub(crate) flushes: u32,
}

/// What people find a run by. Whatever it continues as, and its dead letter, has the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) attributes: Attributes,
}

/// How far a run has come on its way out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The workflow may be polled.
    Alive,
    /// The workflow's future is gone; operations that went with it mean nothing.
    Closing,
    /// The run belongs to another instance, or its end is written: the task ends.
    Over,
}

/// Whether a run should leave memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leave {
    No,
    /// When it only waits.
    WhenWaiting,
    /// As soon as no body runs, even if one could begin.
    Soon,
}

/// What a run in memory is, as far as it never changes.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) run: RunId,
    pub(crate) workflow: WorkflowKey,
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    pub(crate) namespace: Arc<str>,
    pub(crate) priority: i32,
    /// Boxed, because few runs have any.
    pub(crate) kin: Option<Box<Kin>>,
    /// The run as it was claimed, if its next panic is its last and a dead letter says so.
    pub(crate) last_life: Option<Box<Run>>,
}

impl State {
    pub(crate) fn new(record: RunRecord) -> Self {
        let RunRecord {
            run,
            history,
            inbox,
        } = record;
        let is_cut = super::cut::is_cut(&history);
        let cancel = super::cut::asked(&run, &inbox).filter(|_| !is_cut);
        let pause = inbox.iter().find_map(|item| match &item.body {
            InboxBody::Pause { why } => Some(Box::new(Pause {
                item: item.id,
                why: why.clone(),
            })),
            InboxBody::Cancel
            | InboxBody::Compensate
            | InboxBody::Signal { .. }
            | InboxBody::Event { .. }
            | InboxBody::StepResult { .. }
            | InboxBody::RunEnded { .. } => None,
        });
        // Until replay has passed the last of them, it cannot be told whether all have ended.
        let is_marked = !run.tags.is_empty() || !run.attributes.is_empty();
        let marks = is_marked.then(|| {
            Box::new(Marks {
                tags: run.tags,
                attributes: run.attributes,
            })
        });
        let unwinds = history
            .iter()
            .any(|record| record.kind == CheckpointKind::Compensation)
            || is_cut;
        Self {
            cursor: Cursor::new(history),
            turn: Turn::default(),
            pending: Pending::default(),
            in_flight: None,
            held: Vec::new(),
            arrivals: Arrivals::new(inbox),
            wakes: run.wakes,
            rev: run.rev,
            recoveries: run.recoveries,
            status: run.status,
            cancel,
            pause,
            unwinds,
            is_cut,
            ending: None,
            leave: Leave::No,
            phase: Phase::Alive,
            parked_since: None,
            marks,
            flushes: 0,
        }
    }

    /// What people find the run by.
    pub(crate) fn marks(&self) -> Marks {
        self.marks.as_deref().cloned().unwrap_or_default()
    }

    pub(crate) fn marks_mut(&mut self) -> &mut Marks {
        self.marks.get_or_insert_default()
    }

    /// Whether the run is to be paused now. One that undoes its steps is paused after that: a
    /// cancel would end it with half of them undone.
    pub(crate) const fn pauses(&self) -> bool {
        self.pause.is_some() && !self.unwinds && self.cancel.is_none()
    }

    /// Whether the run should leave memory.
    pub(crate) const fn leaves(&self) -> Leave {
        if self.pauses() {
            Leave::Soon
        } else {
            self.leave
        }
    }

    /// Whether effects may start: the history is used up, nothing is wrong, and all that the
    /// workflow has seen is durable (rule R2).
    pub(crate) fn may_start(&self, core: &Core) -> bool {
        self.cursor.is_live()
            && !self.cursor.has_fault()
            && self.undurable() == 0
            && self.ending.is_none()
            && !self.must_cut()
            && self.leaves() < Leave::Soon
            && core.lease.is_good()
    }

    /// Changes that are not durable yet and that nothing may start before.
    fn undurable(&self) -> u32 {
        self.pending.gating + self.in_flight.as_ref().map_or(0, |flight| flight.gating)
    }

    /// Marks the operation at `seq` as ended.
    pub(crate) fn ready(&mut self, seq: Seq, outcome: Outcome) {
        if let Some(slot) = self.cursor.slot(seq) {
            slot.state = SlotState::Ready(outcome);
            self.cursor.push_ready(seq);
        }
    }

    /// Whether the run only waits for what the store knows of.
    pub(crate) fn only_waits(&self) -> bool {
        self.cursor.is_live()
            && self.held.is_empty()
            && self.cursor.slots().all(|(_, slot)| slot.is_stored_wait())
    }

    /// When time alone moves the run on.
    pub(crate) fn wake_at(&self) -> Timestamp {
        let waits = self.cursor.slots().filter_map(|(_, slot)| slot.wake_at);
        waits.min().unwrap_or(Timestamp::MAX)
    }

    /// Whether the run is on its way out of memory and looks at no more news.
    pub(crate) fn is_leaving(&self) -> bool {
        self.phase == Phase::Over
            || self
                .in_flight
                .as_ref()
                .is_some_and(|flight| flight.ending.is_some())
    }

    /// Whether a step body is under way.
    pub(crate) fn has_running(&self) -> bool {
        let mut slots = self.cursor.slots();
        slots.any(|(_, slot)| slot.is_running())
    }

    /// The workflow has failed: what it failed of is tried again by a requeue.
    pub(crate) fn mark_fatal(&mut self) {
        for mut checkpoint in self.cursor.take_last_failures() {
            checkpoint.status = CheckpointStatus::Fatal;
            self.pending.put(checkpoint, true);
        }
    }

    /// The settlement of a run that ends with `result`.
    pub(crate) fn settlement(result: Result<Payload, Failure>) -> Settlement {
        match result {
            Ok(output) => Settlement::new(RunStatus::Completed, Some(output), None),
            Err(failure) => Settlement::new(RunStatus::Failed, None, Some(failure)),
        }
    }
}
