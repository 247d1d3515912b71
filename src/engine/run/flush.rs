//! What a run writes, and what follows once it is durable.

use std::{sync::Arc, time::Duration};

use tracing::{debug, error, warn};

use super::{
    host::RunHost,
    state::{Ending, InFlight, Leave, Phase, State, Then},
};
use crate::engine::{dead, journal::Ack, settled::Settlement};
use crate::event::EngineEvent;
use crate::model::{Failure, RunStatus};
use crate::store::{Custody, RunCommit, StoreError};
use crate::time::Timestamp;

impl RunHost {
    /// Sends what has collected to the journal, unless a commit is on its way.
    ///
    /// A crash before it is written loses results that the workflow has seen but nothing was
    /// allowed to act on (rule R2): the steps in question execute again under the same key.
    pub(crate) fn flush(self: &Arc<Self>, state: &mut State) {
        if state.in_flight.is_some() {
            return;
        }
        if state.ending.is_none() && self.should_leave(state) {
            state.ending = Some(Box::new(Ending::Evicted));
        }
        // A claim made it `running`. That it only waits is written too: people see it, and a crash
        // of its process does not count against a run that did nothing.
        let must_park = state.status == RunStatus::Running && state.only_waits();
        if !state.pending.is_urgent && state.ending.is_none() && !must_park {
            return;
        }
        let commit = self.build_commit(state);
        if state.is_leaving() {
            // Before the commit: once it is written, the run may be claimed and set them again.
            self.forget_timers(state);
        }
        let resident: Arc<Self> = Arc::clone(self);
        self.core.journal.commit(commit, resident);
    }

    fn should_leave(&self, state: &State) -> bool {
        let leave = state.leaves().max(if self.core.config.evict_at_every_wait {
            Leave::WhenWaiting
        } else {
            Leave::No
        });
        match leave {
            Leave::No => false,
            // A wait whose time has come ends here; evicted, the run would be claimed at once.
            // A cancel would end a run that nobody holds, with half of its steps undone.
            Leave::WhenWaiting => {
                state.only_waits() && !state.unwinds && self.wake_at(state) > self.core.now()
            }
            Leave::Soon => !state.has_running(),
        }
    }

    fn build_commit(&self, state: &mut State) -> RunCommit {
        let now = self.core.now();
        state.flushes = state.flushes.wrapping_add(1);
        let mut pending = std::mem::take(&mut state.pending);
        let only_waits = state.only_waits();
        let status = if only_waits {
            RunStatus::Suspended
        } else {
            RunStatus::Running
        };
        let identity = &self.identity;
        let mut commit = RunCommit::new(identity.run.clone(), identity.token, status, now);
        // Nothing but its owner drives a run that goes on. Always the same time, so that PostgreSQL
        // need not touch the index of due runs with each commit.
        commit.wake_at = if only_waits {
            self.wake_at(state)
        } else {
            Timestamp::MAX
        };
        super::cut::heed_cancel(state, &mut pending, now);
        let ending = state.ending.clone();
        if let Some(ending) = &ending {
            Self::end_commit(state, &mut commit, ending);
        }
        if pending.gating > 0 && !ending.as_deref().is_some_and(Ending::is_panic) {
            // The run got on, so earlier recoveries do not count against it any more.
            state.recoveries = 0;
        }
        state.rev += 1;
        state.status = commit.status;
        commit.rev = state.rev;
        commit.recoveries = state.recoveries;
        commit.seen_wakes = state.wakes;
        for checkpoint in &mut pending.checkpoints {
            checkpoint.rev = state.rev;
        }
        if let (RunStatus::Paused, Some(pause)) = (commit.status, &state.pause) {
            pending.take([pause.item]);
        }
        commit.checkpoints = pending.checkpoints;
        commit.waiters = pending.waiters;
        let mut then = Then::default();
        if let Some(rare) = pending.rare {
            commit.withdrawn = rare.withdrawn;
            then.taken.clone_from(&rare.taken);
            commit.taken = rare.taken;
            commit.published = rare.published;
            commit.tags = rare.tags;
            commit.attributes = rare.attributes;
            commit.beyond = rare.beyond;
            then.dispatch = rare.dispatch;
        }
        commit.is_joined = identity.kin.as_ref().is_some_and(|kin| kin.is_joined);
        if let Some(beyond) = &commit.beyond {
            then.starts.clone_from(&beyond.starts);
        }
        state.in_flight = Some(InFlight {
            gating: pending.gating,
            then: then.or_none(),
            ending,
        });
        commit
    }

    fn end_commit(state: &State, commit: &mut RunCommit, ending: &Ending) {
        commit.custody = Custody::Release;
        match ending {
            Ending::Settled(settlement) => {
                let Settlement {
                    status,
                    output,
                    failure,
                    next: _,
                } = settlement;
                commit.status = *status;
                commit.output.clone_from(output);
                commit.failure.clone_from(failure);
                commit.wake_at = Timestamp::MAX;
            }
            Ending::Retry { failure, at } => {
                commit.status = RunStatus::Suspended;
                commit.failure = Some(failure.clone());
                commit.wake_at = *at;
            }
            Ending::Evicted if state.pauses() => {
                commit.status = RunStatus::Paused;
                commit.failure = state.pause.as_ref().map(|pause| pause.why.clone());
                commit.wake_at = Timestamp::MAX;
            }
            // It waits, and the claim finds it when its time has come or something arrives.
            Ending::Evicted if state.only_waits() => {}
            // Something has arrived that the workflow has not seen: nobody else will wake it.
            Ending::Evicted => commit.wake_at = commit.at,
        }
    }

    /// How a run goes on after its code has panicked: it is tried again later, up to a limit.
    pub(crate) fn after_panic(&self, state: &mut State, failure: Failure) -> Ending {
        // Long enough for a cause outside to pass, short enough to be watched.
        const FIRST_PAUSE: Duration = Duration::from_millis(100);
        const LONGEST_PAUSE: Duration = Duration::from_secs(60);
        warn!(run_id = %self.identity.run, workflow = %self.identity.workflow, "workflow body panicked");
        // What it got done before the panic is written with it, so it got on since the last one.
        let earlier = if state.pending.gating > 0 {
            0
        } else {
            state.recoveries
        };
        state.recoveries = earlier.saturating_add(1);
        if state.recoveries > self.core.config.max_recovery_attempts {
            if let Some(run) = &self.identity.last_life {
                let mut dead = (**run).clone();
                dead.failure = Some(failure.clone());
                let marks = state.marks();
                (dead.tags, dead.attributes) = (marks.tags, marks.attributes);
                let letter = dead::letter(&self.core, &dead);
                state.pending.beyond().starts.extend(letter);
            }
            return Ending::Settled(Settlement::new(RunStatus::Dead, None, Some(failure)));
        }
        let factor = 1_u32 << state.recoveries.min(16);
        let pause = (FIRST_PAUSE * factor).min(LONGEST_PAUSE);
        let at = self.core.now() + pause;
        Ending::Retry { failure, at }
    }

    /// The journal has answered.
    pub(crate) fn written(&self, state: &mut State, ack: Ack) {
        let Some(mut flight) = state.in_flight.take() else {
            return;
        };
        let ack = match ack {
            Ok(ack) => ack,
            Err(error) => {
                self.log_refusal(&error);
                state.phase = Phase::Over;
                return;
            }
        };
        if let Some(then) = flight.then.take() {
            for task in then.dispatch {
                // The receiver lives as long as the engine.
                drop(self.core.dispatch.send(task));
            }
            self.begin_created(&then.starts, &ack);
            state.arrivals.left(&then.taken);
        }
        self.spread(&ack);
        self.core.events.publish(EngineEvent::Advanced {
            run: self.identity.run.clone(),
            rev: state.rev,
            status: state.status,
        });
        let run = &self.identity.run;
        self.core.herald.advanced(run, state.rev, state.status);
        match flight.ending {
            None => {
                for item in ack.delivered {
                    self.take_item(state, item);
                }
            }
            Some(ending) => {
                state.phase = Phase::Over;
                self.left(&ending);
            }
        }
    }

    fn left(&self, ending: &Ending) {
        match ending {
            Ending::Settled(settlement) => {
                debug!(run_id = %self.identity.run, status = %settlement.status, "run settled");
                self.core.settled.tell(&self.identity.run, settlement);
                if settlement.status == RunStatus::Dead {
                    let (core, run) = (Arc::clone(&self.core), self.identity.run.clone());
                    self.core
                        .spawn(async move { dead::tell(&core, &run).await });
                }
            }
            // It may be due already, by a signal that came meanwhile or a timer.
            Ending::Retry { .. } | Ending::Evicted => self.core.look_for_due(),
        }
    }

    fn log_refusal(&self, error: &StoreError) {
        let run = &self.identity.run;
        if matches!(error, StoreError::LeaseLost { .. }) {
            warn!(run_id = %run, lease_token = %self.identity.token, "run was taken over by another instance");
        } else {
            error!(run_id = %run, error = error as &dyn std::error::Error, "commit refused, run leaves memory");
        }
    }
}
