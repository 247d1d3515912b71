//! Who waits in this process for which run to end.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::id::RunId;
use crate::model::{Failure, Run, RunStatus};
use crate::payload::Payload;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// Where it stands: an end, or `blocked`.
    pub status: RunStatus,
    /// Its result, if it completed.
    pub output: Option<Payload>,
    /// Why it did not.
    pub failure: Option<Failure>,
}

impl Settlement {
    pub(crate) const fn new(
        status: RunStatus,
        output: Option<Payload>,
        failure: Option<Failure>,
    ) -> Self {
        Self {
            status,
            output,
            failure,
        }
    }
}

impl From<Run> for Settlement {
    fn from(run: Run) -> Self {
        Self::new(run.status, run.output, run.failure)
    }
}

/// Who waits in this process for which run to end. It is news only: a waiter that was not told,
/// because the run ended elsewhere, reads the store.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    waiters: Mutex<BTreeMap<RunId, Vec<oneshot::Sender<Settlement>>>>,
}

impl Settled {
    /// Begins to wait. A caller that looks at the store afterwards misses nothing.
    pub(crate) fn watch(&self, run: &RunId) -> oneshot::Receiver<Settlement> {
        let (tx, rx) = oneshot::channel();
        let mut waiters = self.waiters.lock();
        let waiting = waiters.entry(run.clone()).or_default();
        waiting.retain(|tx| !tx.is_closed());
        waiting.push(tx);
        rx
    }

    /// Tells everyone who waits for `run`.
    pub(crate) fn tell(&self, run: &RunId, settlement: &Settlement) {
        let waiting = self.waiters.lock().remove(run);
        for tx in waiting.into_iter().flatten() {
            // A waiter that has gone does not want to know.
            drop(tx.send(settlement.clone()));
        }
    }

    /// Forgets waiters that have gone, so that runs which never end do not collect them.
    pub(crate) fn sweep(&self) {
        self.waiters.lock().retain(|_, waiting| {
            waiting.retain(|tx| !tx.is_closed());
            !waiting.is_empty()
        });
    }
}
