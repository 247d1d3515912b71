//! Who waits in this process for which run to end.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::herald::Herald;
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
    /// The run that it has continued as.
    pub next: Option<RunId>,
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
            next: None,
        }
    }
}

impl From<Run> for Settlement {
    fn from(run: Run) -> Self {
        Self {
            next: run.next,
            ..Self::new(run.status, run.output, run.failure)
        }
    }
}

/// Who waits in this process for which run to end. It is news only: a waiter that was not told,
/// because the run ended elsewhere, reads the store.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    waiters: Mutex<BTreeMap<RunId, Vec<oneshot::Sender<Settlement>>>>,
    /// Tells those who wait at other instances.
    herald: Arc<Herald>,
}

impl Settled {
    pub(crate) fn new(herald: Arc<Herald>) -> Self {
        Self {
            waiters: Mutex::default(),
            herald,
        }
    }

    /// Begins to wait. A caller that looks at the store afterwards misses nothing.
    pub(crate) fn watch(&self, run: &RunId) -> oneshot::Receiver<Settlement> {
        let (tx, rx) = oneshot::channel();
        let mut waiters = self.waiters.lock();
        let waiting = waiters.entry(run.clone()).or_default();
        waiting.retain(|tx| !tx.is_closed());
        waiting.push(tx);
        rx
    }

    /// Tells everyone who waits for `run`, here and elsewhere.
    pub(crate) fn tell(&self, run: &RunId, settlement: &Settlement) {
        self.herald.settled(run, settlement.status);
        let waiting = self.waiters.lock().remove(run);
        for tx in waiting.into_iter().flatten() {
            // A waiter that has gone does not want to know.
            drop(tx.send(settlement.clone()));
        }
    }

    /// Lets everyone who waits for `run` look at the store: their channel closes.
    pub(crate) fn nudge(&self, run: &RunId) {
        drop(self.waiters.lock().remove(run));
    }

    /// Lets everyone who waits for any run look at the store.
    pub(crate) fn nudge_all(&self) {
        self.waiters.lock().clear();
    }

    /// Forgets waiters that have gone, so that runs which never end do not collect them.
    pub(crate) fn sweep(&self) {
        self.waiters.lock().retain(|_, waiting| {
            waiting.retain(|tx| !tx.is_closed());
            !waiting.is_empty()
        });
    }
}
