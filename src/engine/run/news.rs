//! News from outside for a run in memory.

use crate::engine::{journal::Ack, resident::Resident, under_way::StepUnderWay};
use crate::id::{FencingToken, Seq};
use crate::model::{InboxItem, RunStatus};
use crate::protocol::StepResult;

use super::{
    deadline::DEADLINE,
    host::RunHost,
    state::{Leave, Phase},
};

impl RunHost {
    fn leave(&self, leave: Leave) {
        let mut state = self.state();
        state.leave = state.leave.max(leave);
        drop(state);
        self.waker.tell();
    }
}

impl Resident for RunHost {
    fn acked(&self, result: Ack) {
        self.written(&mut self.state(), result);
        self.waker.tell();
    }

    fn timer_due(&self, seq: Seq) {
        let mut state = self.state();
        if seq == DEADLINE {
            self.deadline_came(&mut state);
        } else {
            self.time_came(&mut state, seq);
        }
        drop(state);
        self.waker.tell();
    }

    fn deliver(&self, item: InboxItem, wakes: u64) -> bool {
        let mut state = self.state();
        if state.is_leaving() {
            return false;
        }
        if wakes == state.wakes + 1 {
            state.wakes = wakes;
            self.take_item(&mut state, item);
        } else if wakes > state.wakes {
            // Something else arrived before it that was not handed over.
            state.arrivals.ask_to_read();
        }
        drop(state);
        self.waker.tell();
        true
    }

    fn step_result(&self, result: &StepResult) -> bool {
        let mut state = self.state();
        if state.is_leaving() {
            return false;
        }
        let outcome = result.outcome.clone();
        let events = result.events.clone();
        self.step_answered(&mut state, result.seq, result.attempt, outcome, events);
        drop(state);
        self.waker.tell();
        true
    }

    fn look_again(&self) {
        self.state().arrivals.ask_to_read();
        self.waker.tell();
    }

    fn evict(&self) {
        self.leave(Leave::WhenWaiting);
    }

    fn hand_over(&self) {
        self.leave(Leave::Soon);
    }

    fn lose(&self) {
        let mut state = self.state();
        state.phase = Phase::Over;
        self.forget_timers(&state);
        drop(state);
        self.waker.tell();
    }

    fn token(&self) -> FencingToken {
        self.identity.token
    }

    fn stand(&self) -> (u64, RunStatus) {
        let state = self.state();
        (state.rev, state.status)
    }

    fn under_way(&self) -> Vec<StepUnderWay> {
        let state = self.state();
        if state.phase != Phase::Alive {
            // The bodies are gone with the workflow's future.
            return Vec::new();
        }
        let slots = state.cursor.slots();
        slots
            .filter_map(|(seq, slot)| slot.under_way(seq))
            .collect()
    }

    fn nudge(&self) {
        self.waker.tell();
    }
}
