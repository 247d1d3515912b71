//! What arrives for a run from outside, and which operation it is for.

use super::{
    host::RunHost,
    state::{Cancel, Pause, State},
};
use crate::engine::replay::SlotState;
use crate::id::Seq;
use crate::model::{CheckpointKind, Failure, InboxBody, InboxItem, StepEvent};
use crate::payload::Payload;
use crate::workflow::Outcome;

/// Whether an item is for the operation at `seq`.
pub(super) fn is_for(item: &InboxItem, seq: Seq) -> bool {
    match &item.body {
        InboxBody::Signal { seq: of, .. }
        | InboxBody::Event { seq: of, .. }
        | InboxBody::StepResult { seq: of, .. }
        | InboxBody::RunEnded { seq: of, .. } => *of == seq,
        InboxBody::Cancel | InboxBody::Compensate | InboxBody::Pause { .. } => false,
    }
}

impl RunHost {
    /// Takes an item that arrived, if an operation waits for it; keeps it for one to come. One that
    /// has come before changes nothing.
    pub(crate) fn take_item(&self, state: &mut State, item: InboxItem) {
        if !state.arrivals.note(item.id) {
            return;
        }
        let seq = match &item.body {
            InboxBody::Cancel => {
                state.pending.take([item.id]);
                return state.asked_to_cancel(Cancel::Request);
            }
            InboxBody::Compensate => {
                return state.asked_to_cancel(Cancel::Compensate { item: item.id });
            }
            InboxBody::Pause { why } => {
                state.pause = Some(Box::new(Pause {
                    item: item.id,
                    why: why.clone(),
                }));
                return;
            }
            InboxBody::Signal { seq, .. }
            | InboxBody::Event { seq, .. }
            | InboxBody::StepResult { seq, .. }
            | InboxBody::RunEnded { seq, .. } => *seq,
        };
        if !state.cursor.is_gone(seq) {
            state.arrivals.keep(item);
            self.look_into_inbox(state, seq);
        } else if item.is_news() {
            // The commit that closes the wait deals with it.
            state.arrivals.left(&[item.id]);
        } else {
            // Late: acknowledged and ignored.
            state.pending.take([item.id]);
        }
    }

    /// Takes what was read in the inbox of a run that had been woken `wakes` times.
    pub(super) fn was_read(&self, items: Vec<InboxItem>, wakes: u64) {
        let mut state = self.state();
        for item in items {
            self.take_item(&mut state, item);
        }
        state.arrivals.end_reading();
        state.wakes = state.wakes.max(wakes);
        drop(state);
        self.waker.tell();
    }

    /// Gives the operation at `seq` what lies in the inbox for it.
    pub(super) fn look_into_inbox(&self, state: &mut State, seq: Seq) {
        let waits = |state: &mut State| {
            let slot = state.cursor.slot(seq);
            slot.is_some_and(|slot| matches!(slot.state, SlotState::Waiting))
        };
        while waits(state) {
            let Some(item) = state.arrivals.take(|item| is_for(item, seq)) else {
                return;
            };
            match item.body {
                InboxBody::Signal { payload, .. } => Self::signalled(state, seq, item.id, payload),
                InboxBody::Event { id, payload, .. } => {
                    let slot = state.cursor.slot(seq);
                    let Some(slot) = slot.filter(|slot| slot.kind == CheckpointKind::Event) else {
                        // For a wait of earlier code that the run has not asked for again.
                        state.pending.take([item.id]);
                        continue;
                    };
                    slot.inbox = Some(item.id);
                    slot.event = Some(Box::new(id));
                    state.ready(seq, Outcome::Completed(payload));
                }
                InboxBody::RunEnded { outcome, .. } => {
                    let slot = state.cursor.slot(seq);
                    let Some(slot) = slot.filter(|slot| slot.kind == CheckpointKind::Child) else {
                        // For a wait of earlier code that the run has not asked for again.
                        state.pending.take([item.id]);
                        continue;
                    };
                    slot.inbox = Some(item.id);
                    let outcome = match outcome {
                        Ok(output) => Outcome::Completed(output),
                        Err(failure) => Outcome::Failed(Box::new(failure)),
                    };
                    state.ready(seq, outcome);
                }
                InboxBody::StepResult {
                    attempt, outcome, ..
                } => {
                    state.pending.take([item.id]);
                    self.step_answered(state, seq, attempt, outcome, Vec::new());
                }
                InboxBody::Cancel | InboxBody::Compensate | InboxBody::Pause { .. } => {}
            }
        }
    }

    /// A worker answered an attempt. The first answer to the current attempt counts.
    pub(crate) fn step_answered(
        &self,
        state: &mut State,
        seq: Seq,
        attempt: u32,
        outcome: Result<Payload, Failure>,
        events: Vec<StepEvent>,
    ) {
        let slot = state.cursor.slot(seq);
        let is_current = slot.is_some_and(|slot| {
            // A success of an earlier attempt is as good: the effect has happened.
            matches!(slot.state, SlotState::Waiting | SlotState::Backoff)
                && (slot.attempt == attempt || outcome.is_ok())
        });
        if is_current {
            self.attempt_ended(state, seq, outcome, events);
        }
    }
}
