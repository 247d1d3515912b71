//! Bounded broadcast of what happened.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::broadcast;

use crate::id::RunId;
use crate::model::RunStatus;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineEvent {
    /// A commit of a run is durable.
    Advanced {
        /// The run.
        run: RunId,
        /// Its revision now.
        rev: u64,
        /// Where it stands now.
        status: RunStatus,
    },
    /// A run may have changed otherwise: a request from outside ended or requeued it, or another
    /// instance says so. Read it to see how it stands.
    Changed {
        /// The run.
        run: RunId,
    },
}

impl EngineEvent {
    /// The run that it is about.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        match self {
            Self::Advanced { run, .. } | Self::Changed { run } => run,
        }
    }
}

/// How many events a slow listener may lag behind before it loses some and reads the store
/// instead. 4,096 are some hundred milliseconds of a busy engine.
const CAPACITY: usize = 4_096;

/// Bounded broadcast of what happened.
#[derive(Debug, Clone)]
pub struct EventBus {
    tx: broadcast::Sender<EngineEvent>,
    counted: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    commits: AtomicU64,
    ended: [AtomicU64; RunStatus::ALL.len()],
}

/// What has happened in a process since its engine began.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Commits of runs.
    pub commits: u64,
    /// Runs that have come to an end here, by the status in which they ended.
    pub ended: BTreeMap<RunStatus, u64>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self {
            tx: broadcast::channel(CAPACITY).0,
            counted: Arc::default(),
        }
    }
}

impl EventBus {
    /// Tells whoever listens.
    pub fn publish(&self, event: EngineEvent) {
        if let EngineEvent::Advanced { status, .. } = &event {
            self.counted.commits.fetch_add(1, Ordering::Relaxed);
            let at = RunStatus::ALL.iter().position(|it| it == status);
            let place = at.and_then(|at| self.counted.ended.get(at));
            if let (Some(place), true) = (place, status.is_terminal()) {
                place.fetch_add(1, Ordering::Relaxed);
            }
        }
        if self.tx.receiver_count() > 0 {
            // Nobody listening any more is fine.
            drop(self.tx.send(event));
        }
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let places = RunStatus::ALL.into_iter().zip(&self.counted.ended);
        let ended = places.map(|(status, count)| (status, count.load(Ordering::Relaxed)));
        Counts {
            commits: self.counted.commits.load(Ordering::Relaxed),
            ended: ended.filter(|(status, _)| status.is_terminal()).collect(),
        }
    }

    /// Listens to what happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.tx.subscribe()
    }
}
