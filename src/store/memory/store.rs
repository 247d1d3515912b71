//! The store's handle.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::{Mutex, MutexGuard};

use super::state::State;
use crate::control_plane::{ControlPlane, InProcessPlane};
use crate::store::read::Store;
use crate::time::{Clock, SystemClock, Timestamp};

/// A store in memory. Cloning it is cheap: clones share the same runs, and engines on them tell
/// each other news at once.
///
/// Everything is lost with the process. To test recovery, drop an engine and start another one on
/// a clone of its store.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    plane: InProcessPlane,
}

impl MemoryStore {
    /// An empty store on the clock of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that judges leases and due times by `clock`.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Arc::default(),
            clock,
            plane: InProcessPlane::default(),
        }
    }

    /// A copy of everything as it is now, as a crash of every instance would leave it: what the
    /// copy holds of instances is known to be dead.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut state = self.lock().clone();
        for instance in state.instances.values_mut() {
            instance.lock = Weak::new();
        }
        Self {
            state: Arc::new(Mutex::new(state)),
            clock: Arc::clone(&self.clock),
            plane: InProcessPlane::default(),
        }
    }

    /// What ended runs have left behind that will never be taken: open waits, items in their
    /// inboxes, and signals that nobody waits for. Tests expect it to be empty.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn residue(&self) -> Vec<String> {
        let state = self.lock();
        let rows = state.rows.iter().enumerate();
        let ended = rows.filter(|(_, row)| row.run.finished_at.is_some());
        let mut left = Vec::new();
        for (no, row) in ended {
            let listens = state.events.by_run.keys().filter(|(of, _)| *of == no);
            let joins = state.joins.iter();
            let joins = joins.flat_map(|(of, all)| all.iter().map(move |(_, (by, _))| (*of, *by)));
            let joins = joins.filter(|(of, by)| *of == no || *by == no);
            for (what, count) in [
                ("waiters", row.waiters.len()),
                ("listens", listens.count()),
                ("joins", joins.count()),
                ("inbox", row.inbox.len()),
            ] {
                if count > 0 {
                    left.push(format!("{what}: {}", row.run.id));
                }
            }
        }
        let tokens = state.buffer.iter().filter(|(_, all)| !all.is_empty());
        left.extend(tokens.map(|(token, _)| format!("buffered: {token}")));
        left
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    fn control_plane(&self) -> Option<Arc<dyn ControlPlane>> {
        Some(Arc::new(self.plane.clone()))
    }
}
