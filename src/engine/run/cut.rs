//! A cancel that undoes what the run has done.
//!
//! The workflow's body is left at a place of its history that is recorded like the release of an
//! outcome: after the same releases, replay leaves the same body, which drops the same operations,
//! and comes to the same undos. These are operations like those of a run that fails.
//!
//! The request stays in the inbox until the commit that records the place. A crash before that
//! commit finds the request and chooses a place anew, with no undo begun; a crash after it finds
//! the place.

use std::sync::atomic::Ordering;

use super::{
    host::RunHost,
    pending::Pending,
    state::{Cancel, Ending, State},
};
use crate::engine::settled::Settlement;
use crate::model::{
    Checkpoint, CheckpointKind, CheckpointStatus, Failure, InboxBody, InboxItem, Run, RunStatus,
};
use crate::payload::Payload;
use crate::store::Delivery;
use crate::time::Timestamp;

/// What the operation is called in the history.
const NAME: &str = "cancelled";

/// Whether the history says that the run has left its body to undo its steps.
pub(super) fn is_cut(history: &[Checkpoint]) -> bool {
    let last = history.iter().rev();
    last.into_iter()
        .any(|record| record.kind == CheckpointKind::Cancel)
}

/// What a claimed run is asked to do.
pub(super) fn asked(run: &Run, inbox: &[InboxItem]) -> Option<Cancel> {
    if run.status != RunStatus::Cancelling {
        return None;
    }
    let mut items = inbox.iter();
    let compensates = items.find(|item| item.body == InboxBody::Compensate);
    Some(compensates.map_or(Cancel::Request, |item| Cancel::Compensate { item: item.id }))
}

impl State {
    /// Notes a request. One that undoes steps is not replaced by one that would leave them done.
    pub(super) fn asked_to_cancel(&mut self, cancel: Cancel) {
        if self.is_cut {
            if let Cancel::Compensate { item } = cancel {
                self.pending.take([item]);
            }
        } else if !matches!(self.cancel, Some(Cancel::Compensate { .. })) {
            self.cancel = Some(cancel);
        }
    }

    /// Whether the body is to be left as soon as the history is used up.
    pub(super) const fn must_cut(&self) -> bool {
        matches!(self.cancel, Some(Cancel::Compensate { .. })) && !self.unwinds
    }
}

impl RunHost {
    /// Has the next poll leave the workflow's body, if that is what comes now: by the history, or
    /// because it is used up and somebody asks for it.
    pub(super) fn begin_cut(&self, state: &mut State) -> bool {
        let comes = state.cursor.is_cut_next() || (state.must_cut() && state.cursor.is_live());
        if !comes || state.cursor.has_fault() {
            return false;
        }
        state.cursor.begin();
        state.turn.begin(None);
        self.cuts.store(true, Ordering::Relaxed);
        true
    }

    /// Notes that the body is left here.
    pub(super) fn cut(&self) -> bool {
        let now = self.core.now();
        let mut state = self.state();
        state.turn.progressed();
        let new = state.cursor.cut();
        let asked = state.cancel.take();
        state.unwinds = true;
        state.is_cut = true;
        let Some((seq, ord)) = new else {
            return true;
        };
        let mut checkpoint = Checkpoint::new(seq, CheckpointKind::Cancel, NAME.into(), now);
        checkpoint.status = CheckpointStatus::Completed;
        checkpoint.result = Some(Payload::null());
        checkpoint.ord = Some(ord);
        checkpoint.finished_at = Some(now);
        state.pending.put(checkpoint, false);
        state.pending.gating += 1;
        state.pending.is_urgent = true;
        state.pending.beyond().unwinds = true;
        if let Some(Cancel::Compensate { item }) = asked {
            state.pending.take([item]);
        }
        let pause = state.pause.take().map(|pause| pause.item);
        state.pending.take(pause);
        true
    }
}

/// A request to cancel that came after the run broke: a run that is set aside would not answer it,
/// nor would the one that this run continues as.
pub(super) fn heed_cancel(state: &mut State, pending: &mut Pending, now: Timestamp) {
    let Some(ending) = state.ending.as_deref() else {
        return;
    };
    let next = pending.next().cloned();
    match state.cancel.filter(|_| !state.unwinds) {
        Some(Cancel::Compensate { .. }) => {
            if let Some(run) = next {
                // What this one has done counts, as it says itself; the next one has done nothing.
                let body = InboxBody::Compensate;
                let cancel = Delivery::Item { run, body, at: now };
                return pending.beyond().sends.push(cancel);
            }
        }
        Some(cancel @ (Cancel::Request | Cancel::Deadline)) => {
            if !ending.is_final() || next.is_some() {
                state.ending = Some(Box::new(Ending::cancelled(cancel)));
                pending.stay();
            }
            return;
        }
        None if state.cancel.is_none() && !state.is_cut => return,
        None => {}
    }
    // Set aside, it would be due at once again and again, because it is to end.
    if let Ending::Settled(settlement) = ending
        && settlement.status == RunStatus::Blocked
    {
        let message = "what the run has done could not be undone";
        let failure = Failure::fatal("compensation_failed", message);
        let failure = match settlement.failure.clone() {
            Some(cause) => failure.caused_by(cause),
            None => failure,
        };
        let status = RunStatus::CompensationFailed;
        let ending = Ending::Settled(Settlement::new(status, None, Some(failure)));
        state.ending = Some(Box::new(ending));
    }
}
