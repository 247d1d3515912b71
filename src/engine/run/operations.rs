//! How operations begin, end and are dropped.

use std::{sync::Arc, task::Waker};

use super::{
    host::{RunHost, checkpoint_of},
    inbox::is_for,
    state::State,
};
use crate::engine::replay::{Release, Slot, SlotState};
use crate::id::Seq;
use crate::model::{Checkpoint, CheckpointKind, CheckpointStatus, Failure, StepEvent};
use crate::payload::Payload;
use crate::protocol::StepTask;
use crate::store::{NewListen, NewWaiter};
use crate::workflow::{Ask, Dropped, Host, Outcome, RemoteAsk, timed_out};

/// An outcome that was handed to the workflow.
pub(crate) struct Released {
    pub(crate) waker: Option<Waker>,
}

impl RunHost {
    /// Begins what was asked for and held back, as far as it may begin by now. Returns the wakers
    /// of local steps that may begin.
    pub(crate) fn start_held(&self, state: &mut State) -> Vec<Waker> {
        if state.held.is_empty() || !state.cursor.is_live() || state.ending.is_some() {
            return Vec::new();
        }
        let may_start = state.may_start(&self.core);
        let mut wakers = Vec::new();
        for seq in std::mem::take(&mut state.held) {
            // One that was released meanwhile, from the history, has nothing left to begin.
            let slot = state.cursor.slot(seq);
            let Some(slot) = slot.filter(|slot| matches!(slot.state, SlotState::Held)) else {
                continue;
            };
            let is_transaction = slot.kind == CheckpointKind::Transaction;
            if is_transaction && may_start && Self::take_committed(state, seq) {
                continue;
            }
            let Some(slot) = state.cursor.slot(seq) else {
                continue;
            };
            if slot.recorded_status() == Some(CheckpointStatus::Retrying) {
                self.resume_backoff(slot, seq);
            } else if slot.ask.is_some() {
                self.begin_wait(state, seq);
            } else if may_start {
                slot.state = SlotState::Due;
                wakers.extend(slot.waker.clone());
            } else {
                state.held.push(seq);
            }
        }
        wakers
    }

    /// A retry that was waited for before the run was claimed.
    fn resume_backoff(&self, slot: &mut Slot, seq: Seq) {
        slot.record = None;
        slot.state = SlotState::Backoff;
        if let Some(Ask::Remote(ask)) = &slot.ask {
            slot.set_policy(ask.policy);
        }
        let at = slot.wake_at.unwrap_or_else(|| self.core.now());
        slot.wake_at = Some(at);
        self.core.timers.set(at, &self.identity.run, seq);
    }

    fn begin_wait(&self, state: &mut State, seq: Seq) {
        let Some(slot) = state.cursor.slot(seq) else {
            return;
        };
        let was_waiting = slot.record.take().is_some();
        slot.state = SlotState::Waiting;
        match slot.ask.take() {
            Some(Ask::Timer { until }) => {
                slot.wake_at = Some(slot.wake_at.unwrap_or(until));
                self.wait_stored(state, seq, was_waiting);
            }
            Some(Ask::Signal { timeout }) => {
                if !was_waiting {
                    slot.wake_at = timeout.map(|length| self.core.now() + length);
                    let token = Arc::clone(&slot.name);
                    state.pending.waiters.push(NewWaiter::new(seq, token));
                }
                self.wait_stored(state, seq, was_waiting);
            }
            Some(Ask::Event(ask)) => {
                if !was_waiting {
                    slot.wake_at = ask.timeout.map(|length| self.core.now() + length);
                    let listen = NewListen::new(seq, Arc::clone(&slot.name), ask.facts);
                    state.pending.beyond().listens.push(listen);
                }
                self.wait_stored(state, seq, was_waiting);
            }
            Some(Ask::Child(ask)) => {
                if !was_waiting && let Err(failure) = self.ask_for_run(state, seq, &ask) {
                    return state.ready(seq, Outcome::Failed(Box::new(failure)));
                }
                if !ask.waits {
                    return state.ready(seq, Outcome::Completed(Payload::null()));
                }
                self.wait_stored(state, seq, was_waiting);
            }
            Some(Ask::Private(ask)) => self.begin_private(state, seq, ask, was_waiting),
            Some(Ask::Entity(ask)) => {
                if !was_waiting && let Err(failure) = self.ask_entity(state, seq, &ask.send) {
                    return state.ready(seq, Outcome::Failed(Box::new(failure)));
                }
                self.begin_private(state, seq, ask.wait, was_waiting);
            }
            Some(Ask::Remote(ask)) => {
                if !was_waiting && let Err(failure) = self.check(&ask.input) {
                    return state.ready(seq, Outcome::Failed(Box::new(failure)));
                }
                slot.set_policy(ask.policy);
                slot.attempt = slot.attempt.max(1);
                slot.wake_at = ask.policy.timeout.map(|length| self.core.now() + length);
                let task = self.task(slot, seq, &ask);
                slot.ask = Some(Ask::Remote(ask));
                self.wait_stored(state, seq, was_waiting);
                self.send(state, task, was_waiting);
            }
            None => {}
        }
        self.look_into_inbox(state, seq);
    }

    /// Writes down that the operation waits, unless that is stored, and sets its timer.
    pub(super) fn wait_stored(&self, state: &mut State, seq: Seq, was_waiting: bool) {
        let flushes = state.flushes;
        let Some(slot) = state.cursor.slot(seq) else {
            return;
        };
        if let Some(at) = slot.wake_at {
            self.core.timers.set(at, &self.identity.run, seq);
        }
        if !was_waiting {
            slot.is_stored = true;
            slot.put_in = Some(flushes);
            let checkpoint = checkpoint_of(seq, slot, CheckpointStatus::Waiting);
            state.pending.put(checkpoint, false);
            state.pending.is_urgent = true;
        }
    }

    fn task(&self, slot: &Slot, seq: Seq, ask: &RemoteAsk) -> StepTask {
        StepTask {
            run: self.identity.run.clone(),
            seq,
            attempt: slot.attempt,
            name: Arc::clone(&slot.name),
            input: ask.input.clone(),
        }
    }

    /// Sends a step to the workers: at once if its checkpoint is durable, else with the commit
    /// that makes it so. After a crash between the two the waiting checkpoint is found, and the
    /// step is sent again by whoever recovers the run.
    fn send(&self, state: &mut State, task: StepTask, is_durable: bool) {
        if is_durable {
            // The receiver lives as long as the engine.
            drop(self.core.dispatch.send(task));
        } else {
            state.pending.rare().dispatch.push(task);
        }
    }

    /// The time of an operation has come.
    pub(crate) fn time_came(&self, state: &mut State, seq: Seq) {
        let now = self.core.now();
        let Some(slot) = state.cursor.slot(seq) else {
            return;
        };
        let Some(at) = slot.wake_at else {
            return;
        };
        if at > now {
            // The clock was set back since the timer fired.
            return self.core.timers.set(at, &self.identity.run, seq);
        }
        match (&slot.state, slot.kind) {
            (SlotState::Waiting, CheckpointKind::Sleep) => {
                state.ready(seq, Outcome::Completed(Payload::null()));
            }
            (SlotState::Waiting, kind) if kind.waits_for_news() => {
                state.ready(seq, Outcome::TimedOut);
            }
            (SlotState::Waiting, _) => {
                let length = slot.policy().timeout.unwrap_or_default();
                self.attempt_ended(state, seq, Err(timed_out(length)), Vec::new());
            }
            (SlotState::Backoff, _) if slot.is_remote() => self.send_again(state, seq),
            (SlotState::Backoff, _) => {
                slot.wake_at = None;
                slot.state = SlotState::Held;
                state.held.push(seq);
            }
            _ => {}
        }
    }

    fn send_again(&self, state: &mut State, seq: Seq) {
        let now = self.core.now();
        let Some(slot) = state.cursor.slot(seq) else {
            return;
        };
        let Some(Ask::Remote(ask)) = slot.ask.take() else {
            return;
        };
        slot.attempt += 1;
        slot.state = SlotState::Waiting;
        slot.wake_at = ask.policy.timeout.map(|length| now + length);
        if let Some(at) = slot.wake_at {
            self.core.timers.set(at, &self.identity.run, seq);
        }
        let task = self.task(slot, seq, &ask);
        slot.ask = Some(Ask::Remote(ask));
        let flushes = state.flushes;
        if let Some(slot) = state.cursor.slot(seq) {
            slot.put_in = Some(flushes);
            let checkpoint = checkpoint_of(seq, slot, CheckpointStatus::Waiting);
            state.pending.put(checkpoint, true);
            state.pending.is_urgent = true;
        }
        self.send(state, task, false);
    }

    /// An attempt of a step has ended.
    pub(crate) fn attempt_ended(
        &self,
        state: &mut State,
        seq: Seq,
        result: Result<Payload, Failure>,
        events: Vec<StepEvent>,
    ) {
        let now = self.core.now();
        let flushes = state.flushes;
        let Some(slot) = state.cursor.slot(seq) else {
            return;
        };
        slot.add_events(events);
        if let Some(at) = slot.wake_at.take() {
            self.core.timers.clear(at, &self.identity.run, seq);
        }
        let failure = match result {
            Ok(value) => return state.ready(seq, Outcome::Completed(value)),
            Err(failure) => failure,
        };
        let next = slot.policy().retry.wait_after(slot.attempt, self.seed(seq));
        let Some(wait) = next.filter(|_| failure.retryable) else {
            return state.ready(seq, Outcome::Failed(Box::new(failure)));
        };
        let at = now + wait;
        slot.failure = Some(Box::new(failure));
        slot.state = SlotState::Backoff;
        slot.wake_at = Some(at);
        slot.is_stored = true;
        let may_replace = slot.put_in == Some(flushes);
        slot.put_in = Some(flushes);
        let checkpoint = checkpoint_of(seq, slot, CheckpointStatus::Retrying);
        state.pending.put(checkpoint, may_replace);
        // The next attempt must not begin before this one is counted.
        state.pending.gating += 1;
        state.pending.is_urgent = true;
        self.core.timers.set(at, &self.identity.run, seq);
    }

    /// Hands the next outcome to the workflow and writes it down, if there is one. Its operation is
    /// to be woken, unless it is not being polled because it stands behind another one.
    pub(crate) fn release(&self, state: &mut State) -> Option<Released> {
        let Release { seq, new_ord } = state.cursor.release()?;
        state.turn.begin(Some(seq));
        let now = self.core.now();
        let flushes = state.flushes;
        let slot = state.cursor.slot(seq)?;
        let waker = slot.waker.take();
        let Some(ord) = new_ord else {
            return Some(Released { waker });
        };
        if let Some(at) = slot.wake_at.take() {
            self.core.timers.clear(at, &self.identity.run, seq);
        }
        let checkpoint = released_checkpoint(seq, slot, ord, now);
        let may_replace = slot.put_in == Some(flushes);
        let may_be_open = checkpoint.status == CheckpointStatus::TimedOut;
        if may_be_open {
            state.pending.close_wait(seq, checkpoint.kind);
        }
        if checkpoint.status != CheckpointStatus::Completed {
            state.cursor.note_failure(checkpoint.clone());
        }
        if let Some(slot) = state.cursor.slot(seq) {
            state.pending.take(slot.inbox.take());
            if let Some(event) = slot.event.take() {
                state.pending.beyond().heard.push(*event);
            }
        }
        state.pending.put(checkpoint, may_replace);
        state.pending.gating += 1;
        state.pending.is_urgent = true;
        Some(Released { waker })
    }

    /// The workflow dropped an operation whose outcome it had not seen.
    pub(crate) fn operation_dropped(&self, state: &mut State, seq: Seq) -> Dropped {
        let Some(closed) = state.cursor.close(seq) else {
            return Dropped::Unfinished;
        };
        let slot = closed.slot;
        let dropped = match &slot.state {
            SlotState::Released {
                outcome: Outcome::Completed(output),
                ..
            } => Dropped::Recorded(output.clone()),
            SlotState::Ready(Outcome::Completed(output)) => Dropped::Unrecorded(output.clone()),
            _ => Dropped::Unfinished,
        };
        if let Some(at) = slot.wake_at {
            self.core.timers.clear(at, &self.identity.run, seq);
        }
        let unused = state.arrivals.take_all(|item| is_for(item, seq));
        let (news, results): (Vec<_>, Vec<_>) = unused.iter().partition(|item| item.is_news());
        if !slot.kind.waits_for_news() {
            state.pending.take(slot.inbox);
        } else if slot.is_stored {
            // Also sends on what was delivered to it and is not taken. Should that be read here
            // once more, its wait is gone.
            state.pending.close_wait(seq, slot.kind);
            let news = news.iter().map(|item| item.id).chain(slot.inbox);
            state.arrivals.left(&news.collect::<Vec<_>>());
        }
        state.pending.take(results.iter().map(|item| item.id));
        if closed.is_news {
            let may_replace = slot.put_in == Some(state.flushes);
            let mut checkpoint = checkpoint_of(seq, &slot, CheckpointStatus::Abandoned);
            checkpoint.wake_at = None;
            checkpoint.finished_at = Some(self.core.now());
            state.pending.put(checkpoint, may_replace);
        }
        dropped
    }
}

/// The checkpoint of an operation whose outcome is being released.
fn released_checkpoint(seq: Seq, slot: &Slot, ord: u32, now: crate::time::Timestamp) -> Checkpoint {
    let mut checkpoint = checkpoint_of(seq, slot, CheckpointStatus::Completed);
    checkpoint.ord = Some(ord);
    checkpoint.wake_at = None;
    checkpoint.finished_at = Some(now);
    match &slot.state {
        SlotState::Released {
            outcome: Outcome::Completed(value),
            ..
        } => checkpoint.result = Some(value.clone()),
        SlotState::Released {
            outcome: Outcome::Failed(failure),
            ..
        } => {
            checkpoint.status = CheckpointStatus::Failed;
            checkpoint.failure = Some((**failure).clone());
            checkpoint.result = None;
        }
        SlotState::Released {
            outcome: Outcome::TimedOut,
            ..
        } => {
            checkpoint.status = CheckpointStatus::TimedOut;
            checkpoint.result = None;
        }
        _ => {}
    }
    checkpoint
}
