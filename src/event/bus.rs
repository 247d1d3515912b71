//! Bounded broadcast of what happened.

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
}

impl EngineEvent {
    /// The run that it is about.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        match self {
            Self::Advanced { run, .. } => run,
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
}

impl Default for EventBus {
    fn default() -> Self {
        Self {
            tx: broadcast::channel(CAPACITY).0,
        }
    }
}

impl EventBus {
    /// Tells whoever listens.
    pub fn publish(&self, event: EngineEvent) {
        if self.tx.receiver_count() > 0 {
            // Nobody listening any more is fine.
            drop(self.tx.send(event));
        }
    }

    /// Listens to what happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.tx.subscribe()
    }
}
