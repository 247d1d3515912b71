//! A store that vanishes at a chosen commit, as it does for a process that dies there.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::probe::{Probe, StoreCall};
use crate::store::StoreError;

/// Where a process dies, relative to one of its commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Before it is written.
    Before,
    /// After it is written, before the process learns of it.
    After,
}

/// Lets the store vanish at a commit: that call and all later ones never return.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    at: u64,
    death: Death,
    commits: AtomicU64,
    is_dead: AtomicBool,
    died: Notify,
}

impl Fuse {
    /// Burns through at commit number `at`, counted from 0.
    #[must_use]
    pub fn new(at: u64, death: Death) -> Self {
        Self(Arc::new(Inner {
            at,
            death,
            commits: AtomicU64::new(0),
            is_dead: AtomicBool::new(false),
            died: Notify::new(),
        }))
    }

    /// Completes when it has burnt through.
    pub async fn died(&self) {
        self.0.died.notified().await;
    }

    async fn die(&self) {
        self.0.is_dead.store(true, SeqCst);
        self.0.died.notify_one();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Probe for Fuse {
    async fn before(&self, call: StoreCall) -> Result<(), StoreError> {
        let inner = &*self.0;
        if inner.is_dead.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        if call == StoreCall::Commit
            && inner.death == Death::Before
            && inner.commits.fetch_add(1, SeqCst) == inner.at
        {
            self.die().await;
        }
        Ok(())
    }

    async fn after(&self, call: StoreCall) {
        let inner = &*self.0;
        if call == StoreCall::Commit
            && inner.death == Death::After
            && inner.commits.fetch_add(1, SeqCst) == inner.at
        {
            self.die().await;
        }
        if inner.is_dead.load(SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}
