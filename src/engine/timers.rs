//! Points in time at which runs in memory go on.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::id::{RunId, Seq};
use crate::time::Timestamp;

/// A point in time at which an operation of a run goes on.
pub(crate) type Timer = (Timestamp, RunId, Seq);

/// The timers of the runs in memory. A run that is not in memory is woken by the claim query.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: Mutex<BTreeSet<Timer>>,
    /// Told when the earliest timer changes.
    pub(crate) changed: Notify,
}

impl Timers {
    pub(crate) fn set(&self, at: Timestamp, run: &RunId, seq: Seq) {
        let timer = (at, run.clone(), seq);
        let mut due = self.due.lock();
        let is_first = due.first().is_none_or(|first| timer < *first);
        due.insert(timer);
        drop(due);
        if is_first {
            self.changed.notify_one();
        }
    }

    pub(crate) fn clear(&self, at: Timestamp, run: &RunId, seq: Seq) {
        self.due.lock().remove(&(at, run.clone(), seq));
    }

    /// When the earliest timer is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.lock().first().map(|(at, ..)| *at)
    }

    /// Takes the timers that are due.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<Timer> {
        let mut due = self.due.lock();
        let mut taken = Vec::new();
        while let Some(timer) = due.pop_first() {
            if timer.0 > now {
                due.insert(timer);
                break;
            }
            taken.push(timer);
        }
        taken
    }
}
