//! A store that counts what is written through it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum_durable::{
    RunStatus,
    id::{InstanceId, RunId},
    model::{Checkpoint, Run, RunPage, RunQuery},
    payload::Payload,
    store::{
        Batch, BatchAck, Claim, Claimed, CommitStore, Custody, LeaseStore, LivenessLock, ReadStore,
        Recovery, RunRecord, Store, StoreError,
    },
    time::Clock,
};
use tokio::time::Instant;

/// What was written so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    commits: AtomicU64,
    changes: AtomicU64,
    busy_nanos: AtomicU64,
    parked: AtomicU64,
    evicted: AtomicU64,
}

/// What was written at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) commits: u64,
    pub(crate) changes: u64,
    pub(crate) busy: Duration,
}

impl Tally {
    /// What was written since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            commits: self.commits - before.commits,
            changes: self.changes - before.changes,
            busy: self.busy.saturating_sub(before.busy),
        }
    }
}

impl Counts {
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            commits: self.commits.load(Relaxed),
            changes: self.changes.load(Relaxed),
            busy: Duration::from_nanos(self.busy_nanos.load(Relaxed)),
        }
    }

    /// Commits after which a run only waits.
    pub(crate) fn parked(&self) -> u64 {
        self.parked.load(Relaxed)
    }

    /// Commits with which a waiting run left memory.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    fn add(&self, batch: &Batch, ack: &BatchAck, took: Duration) {
        self.commits.fetch_add(1, Relaxed);
        self.changes
            .fetch_add(u64::try_from(batch.len()).unwrap_or(u64::MAX), Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.busy_nanos.fetch_add(nanos, Relaxed);
        for (commit, ack) in batch.commits.iter().zip(&ack.commits) {
            if ack.is_ok() && commit.status == RunStatus::Suspended {
                let which = match commit.custody {
                    Custody::Keep => &self.parked,
                    Custody::Release => &self.evicted,
                };
                which.fetch_add(1, Relaxed);
            }
        }
    }
}

/// A store that counts what is written through it.
#[derive(Debug, Clone)]
pub(crate) struct Counting {
    inner: Arc<dyn Store>,
    counts: Arc<Counts>,
}

impl Counting {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            counts: Arc::default(),
        }
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

#[async_trait]
impl CommitStore for Counting {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let begun = Instant::now();
        let ack = self.inner.commit(batch).await?;
        self.counts.add(batch, &ack, begun.elapsed());
        Ok(ack)
    }
}

#[async_trait]
impl LeaseStore for Counting {
    async fn enroll(
        &self,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<LivenessLock, StoreError> {
        self.inner.enroll(instance, ttl).await
    }

    async fn heartbeat(&self, instance: &InstanceId, ttl: Duration) -> Result<(), StoreError> {
        self.inner.heartbeat(instance, ttl).await
    }

    async fn resign(&self, instance: &InstanceId) -> Result<(), StoreError> {
        self.inner.resign(instance).await
    }

    async fn recover(
        &self,
        instance: &InstanceId,
        max_recoveries: u32,
    ) -> Result<Recovery, StoreError> {
        self.inner.recover(instance, max_recoveries).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        self.inner.claim(claim).await
    }

    async fn woken(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        self.inner.woken(instance).await
    }
}

#[async_trait]
impl ReadStore for Counting {
    async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        self.inner.load(run).await
    }

    async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError> {
        self.inner.run(run).await
    }

    async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.inner.list(query).await
    }

    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError> {
        self.inner.changed_since(run, rev).await
    }

    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        self.inner.published(run, key).await
    }

    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        self.inner.held(instance).await
    }
}

impl Store for Counting {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock()
    }
}
