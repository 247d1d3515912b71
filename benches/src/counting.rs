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
    control_plane::ControlPlane,
    id::{InstanceId, RunId},
    model::{AuditEntry, Checkpoint, Run, RunPage, RunQuery, WorkflowKey},
    payload::Payload,
    store::{
        AmendStore, Amended, Amendment, Batch, BatchAck, Claim, Claimed, CommitStore, Custody,
        Delivery, DeliveryAck, Forget, Forgotten, Fork, LeaseStore, Letter, LivenessLock, Outlook,
        Prune, PruneStore, Pruned, ReadStore, Recovery, RunRecord, StartAck, Store, StoreError,
    },
    time::{Clock, Timestamp},
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
    accepted: AtomicU64,
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

    /// Commits of runs that were not refused.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    fn add(&self, batch: &Batch, ack: &BatchAck, took: Duration) {
        self.commits.fetch_add(1, Relaxed);
        self.changes
            .fetch_add(u64::try_from(batch.len()).unwrap_or(u64::MAX), Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.busy_nanos.fetch_add(nanos, Relaxed);
        for (commit, ack) in batch.commits.iter().zip(&ack.commits) {
            if ack.is_err() {
                continue;
            }
            self.accepted.fetch_add(1, Relaxed);
            if commit.status == RunStatus::Suspended {
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
        letter: Letter<'_>,
    ) -> Result<Recovery, StoreError> {
        self.inner.recover(instance, max_recoveries, letter).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        self.inner.claim(claim).await
    }

    async fn look(
        &self,
        instance: &InstanceId,
        workflows: &[WorkflowKey],
        namespace: Option<&str>,
    ) -> Result<Outlook, StoreError> {
        self.inner.look(instance, workflows, namespace).await
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

    async fn open_operations(
        &self,
        runs: &[RunId],
    ) -> Result<Vec<(RunId, Checkpoint)>, StoreError> {
        self.inner.open_operations(runs).await
    }

    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        self.inner.held(instance).await
    }
}

#[async_trait]
impl AmendStore for Counting {
    async fn amend(&self, amendment: &Amendment) -> Result<Amended, StoreError> {
        self.inner.amend(amendment).await
    }

    async fn deliver_audited(
        &self,
        delivery: &Delivery,
        audit: &AuditEntry,
    ) -> Result<DeliveryAck, StoreError> {
        self.inner.deliver_audited(delivery, audit).await
    }

    async fn fork(&self, fork: &Fork) -> Result<StartAck, StoreError> {
        self.inner.fork(fork).await
    }

    async fn remove(&self, run: &RunId, audit: &AuditEntry) -> Result<(), StoreError> {
        self.inner.remove(run, audit).await
    }

    async fn audit_log(&self, run: &RunId, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.inner.audit_log(run, limit).await
    }
}

#[async_trait]
impl PruneStore for Counting {
    async fn prune(&self, prune: &Prune) -> Result<Pruned, StoreError> {
        self.inner.prune(prune).await
    }

    async fn end_of_newest(
        &self,
        statuses: &[RunStatus],
        keep: u64,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.inner.end_of_newest(statuses, keep).await
    }

    async fn forget(&self, forget: &Forget) -> Result<Forgotten, StoreError> {
        self.inner.forget(forget).await
    }
}

impl Store for Counting {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.inner.clock()
    }

    fn writers(&self) -> usize {
        self.inner.writers()
    }

    fn for_people(&self) -> Option<Arc<dyn Store>> {
        self.inner.for_people()
    }

    fn control_plane(&self) -> Option<Arc<dyn ControlPlane>> {
        self.inner.control_plane()
    }
}
