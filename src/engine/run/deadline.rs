//! How long a run may take in all.

use super::{
    host::RunHost,
    state::{Cancel, State},
};
use crate::id::Seq;
use crate::time::Timestamp;

/// Stands among the timers for the run as a whole; no operation gets so far.
pub(super) const DEADLINE: Seq = Seq(u32::MAX);

impl RunHost {
    /// When the run is cancelled, unless it has ended.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.identity.kin.as_ref()?.deadline
    }

    /// Has the run told when it has taken too long. One that was claimed too late executes nothing
    /// more.
    pub(super) fn watch_deadline(&self) {
        let Some(at) = self.deadline() else {
            return;
        };
        if at <= self.core.now() {
            self.state().cancel.get_or_insert(Cancel::Deadline);
        } else {
            self.core.timers.set(at, &self.identity.run, DEADLINE);
        }
    }

    pub(super) fn deadline_came(&self, state: &mut State) {
        match self.deadline() {
            // The clock was set back since the timer fired.
            Some(at) if at > self.core.now() => {
                self.core.timers.set(at, &self.identity.run, DEADLINE);
            }
            Some(_) => {
                state.cancel.get_or_insert(Cancel::Deadline);
            }
            None => {}
        }
    }

    /// When time alone moves the run on.
    pub(super) fn wake_at(&self, state: &State) -> Timestamp {
        let at = state.wake_at();
        // What it undoes, it undoes to the end.
        let deadline = self.deadline().filter(|_| !state.unwinds);
        deadline.map_or(at, |deadline| at.min(deadline))
    }
}
