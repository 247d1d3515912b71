//! The runs that this process holds in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;

use super::resident::Resident;
use crate::id::RunId;
use crate::time::Timestamp;

/// The runs that this process holds in memory, and which of them only wait.
#[derive(Debug, Default)]
pub(crate) struct Residents {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    runs: BTreeMap<RunId, Arc<dyn Resident>>,
    /// Waiting runs by the time since when, for eviction.
    parked: BTreeSet<(Timestamp, RunId)>,
}

impl Residents {
    pub(crate) fn get(&self, run: &RunId) -> Option<Arc<dyn Resident>> {
        self.inner.lock().runs.get(run).map(Arc::clone)
    }

    pub(crate) fn len(&self) -> usize {
        self.inner.lock().runs.len()
    }

    pub(crate) fn parked_len(&self) -> usize {
        self.inner.lock().parked.len()
    }

    pub(crate) fn insert(&self, run: RunId, host: Arc<dyn Resident>) {
        self.inner.lock().runs.insert(run, host);
    }

    /// Removes a run, unless a newer claim of it has taken its place.
    pub(crate) fn remove(&self, run: &RunId, host: &Arc<dyn Resident>) {
        let mut inner = self.inner.lock();
        if inner
            .runs
            .get(run)
            .is_some_and(|there| Arc::ptr_eq(there, host))
        {
            inner.runs.remove(run);
        }
    }

    /// Forgets every run, as a crash does.
    pub(crate) fn clear(&self) {
        // Dropped when the lock is free again: it drops the author's futures.
        let _runs = std::mem::take(&mut *self.inner.lock());
    }

    pub(crate) fn all(&self) -> Vec<Arc<dyn Resident>> {
        self.inner.lock().runs.values().map(Arc::clone).collect()
    }

    pub(crate) fn park(&self, since: Timestamp, run: &RunId) {
        self.inner.lock().parked.insert((since, run.clone()));
    }

    pub(crate) fn unpark(&self, since: Timestamp, run: &RunId) {
        self.inner.lock().parked.remove(&(since, run.clone()));
    }

    /// The longest-waiting runs: those that wait since `before`, and as many more as memory holds
    /// beyond `max`.
    pub(crate) fn evictable(&self, before: Timestamp, max: usize) -> Vec<Arc<dyn Resident>> {
        let inner = self.inner.lock();
        let excess = inner.runs.len().saturating_sub(max);
        let parked = inner.parked.iter().enumerate();
        let chosen = parked.take_while(|(n, (since, _))| *n < excess || *since < before);
        chosen
            .filter_map(|(_, (_, run))| inner.runs.get(run).map(Arc::clone))
            .collect()
    }
}
