//! Watching and disturbing the calls of an engine on its store.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::control_plane::ControlPlane;
use crate::id::{InstanceId, RunId};
use crate::model::{
    AuditEntry, Checkpoint, FlowQuery, InstanceReport, InstanceRow, LiveFlows, Run, RunPage,
    RunQuery, RunStatus, WorkflowKey,
};
use crate::payload::Payload;
use crate::store::{
    AmendStore, Amended, Amendment, Batch, BatchAck, Claim, Claimed, CommitStore, Delivery,
    DeliveryAck, Forget, Forgotten, Fork, LeaseStore, Letter, LivenessLock, Outlook, Prune,
    PruneStore, Pruned, ReadStore, Recovery, RunRecord, StartAck, Store, StoreError,
};
use crate::time::{Clock, Timestamp};

/// A call on a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StoreCall {
    /// A batch of the journal.
    Commit,
    /// A claim of due runs.
    Claim,
    /// A change by an operator.
    Amend,
    /// Forgetting what is over.
    Prune,
    /// Anything else that changes something: enroll, heartbeat, resign, recover.
    Lease,
    /// A read.
    Read,
}

/// What happens around the calls on a [`ProbedStore`]. Every method does nothing by default.
#[async_trait]
pub trait Probe: fmt::Debug + Send + Sync + 'static {
    /// Comes before a call. It may fail it, or hold it for ever, as a dead process would.
    ///
    /// # Errors
    ///
    /// What the caller shall see in place of the store's answer.
    async fn before(&self, call: StoreCall) -> Result<(), StoreError> {
        let _ = call;
        Ok(())
    }

    /// Comes before a batch. It may fail it, as a store does that refuses one of its rows.
    ///
    /// # Errors
    ///
    /// What the journal shall see in place of the store's answer.
    fn check(&self, batch: &Batch) -> Result<(), StoreError> {
        let _ = batch;
        Ok(())
    }

    /// Comes after a batch that was written, before the engine learns of it.
    fn written(&self, batch: &Batch, ack: &BatchAck) {
        let _ = (batch, ack);
    }

    /// Comes after a call that was carried out, before the engine learns of it. It may hold the
    /// call for ever, as a process would that dies at this moment.
    async fn after(&self, call: StoreCall) {
        let _ = call;
    }
}

/// A store with a [`Probe`] around its calls. Clones share both.
#[derive(Debug)]
pub struct ProbedStore<P> {
    store: Arc<dyn Store>,
    probe: Arc<P>,
}

impl<P> Clone for ProbedStore<P> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            probe: Arc::clone(&self.probe),
        }
    }
}

impl<P: Probe> ProbedStore<P> {
    /// A store whose calls pass by `probe`.
    pub fn new(store: impl Store, probe: P) -> Self {
        Self {
            store: Arc::new(store),
            probe: Arc::new(probe),
        }
    }

    /// The probe.
    #[must_use]
    pub fn probe(&self) -> &P {
        &self.probe
    }
}

#[async_trait]
impl<P: Probe> CommitStore for ProbedStore<P> {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        self.probe.before(StoreCall::Commit).await?;
        self.probe.check(batch)?;
        let ack = self.store.commit(batch).await?;
        self.probe.written(batch, &ack);
        self.probe.after(StoreCall::Commit).await;
        Ok(ack)
    }
}

#[async_trait]
impl<P: Probe> LeaseStore for ProbedStore<P> {
    async fn enroll(&self, id: &InstanceId, ttl: Duration) -> Result<LivenessLock, StoreError> {
        self.probe.before(StoreCall::Lease).await?;
        let answer = self.store.enroll(id, ttl).await;
        self.probe.after(StoreCall::Lease).await;
        answer
    }

    async fn heartbeat(&self, id: &InstanceId, ttl: Duration) -> Result<(), StoreError> {
        self.probe.before(StoreCall::Lease).await?;
        let answer = self.store.heartbeat(id, ttl).await;
        self.probe.after(StoreCall::Lease).await;
        answer
    }

    async fn report(&self, id: &InstanceId, report: &InstanceReport) -> Result<(), StoreError> {
        // Nothing depends on it, so it is no call of its own.
        self.store.report(id, report).await
    }

    async fn resign(&self, id: &InstanceId) -> Result<(), StoreError> {
        self.probe.before(StoreCall::Lease).await?;
        let answer = self.store.resign(id).await;
        self.probe.after(StoreCall::Lease).await;
        answer
    }

    async fn recover(
        &self,
        id: &InstanceId,
        most: u32,
        letter: Letter<'_>,
    ) -> Result<Recovery, StoreError> {
        self.probe.before(StoreCall::Lease).await?;
        let answer = self.store.recover(id, most, letter).await;
        self.probe.after(StoreCall::Lease).await;
        answer
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        self.probe.before(StoreCall::Claim).await?;
        let answer = self.store.claim(claim).await;
        self.probe.after(StoreCall::Claim).await;
        answer
    }

    async fn look(
        &self,
        id: &InstanceId,
        workflows: &[WorkflowKey],
        namespace: Option<&str>,
    ) -> Result<Outlook, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.look(id, workflows, namespace).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }
}

#[async_trait]
impl<P: Probe> ReadStore for ProbedStore<P> {
    async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.load(run).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.run(run).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.list(query).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.changed_since(run, rev).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.published(run, key).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn instances(&self) -> Result<Vec<InstanceRow>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.instances().await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn live_flows(&self, query: &FlowQuery) -> Result<LiveFlows, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.live_flows(query).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn held(&self, id: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.held(id).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }
}

#[async_trait]
impl<P: Probe> AmendStore for ProbedStore<P> {
    async fn amend(&self, amendment: &Amendment) -> Result<Amended, StoreError> {
        self.probe.before(StoreCall::Amend).await?;
        let answer = self.store.amend(amendment).await;
        self.probe.after(StoreCall::Amend).await;
        answer
    }

    async fn deliver_audited(
        &self,
        delivery: &Delivery,
        audit: &AuditEntry,
    ) -> Result<DeliveryAck, StoreError> {
        self.probe.before(StoreCall::Amend).await?;
        let answer = self.store.deliver_audited(delivery, audit).await;
        self.probe.after(StoreCall::Amend).await;
        answer
    }

    async fn fork(&self, fork: &Fork) -> Result<StartAck, StoreError> {
        self.probe.before(StoreCall::Amend).await?;
        let answer = self.store.fork(fork).await;
        self.probe.after(StoreCall::Amend).await;
        answer
    }

    async fn remove(&self, run: &RunId, audit: &AuditEntry) -> Result<(), StoreError> {
        self.probe.before(StoreCall::Amend).await?;
        let answer = self.store.remove(run, audit).await;
        self.probe.after(StoreCall::Amend).await;
        answer
    }

    async fn audit_log(&self, run: &RunId, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.audit_log(run, limit).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }
}

#[async_trait]
impl<P: Probe> PruneStore for ProbedStore<P> {
    async fn prune(&self, prune: &Prune) -> Result<Pruned, StoreError> {
        self.probe.before(StoreCall::Prune).await?;
        let answer = self.store.prune(prune).await;
        self.probe.after(StoreCall::Prune).await;
        answer
    }

    async fn end_of_newest(
        &self,
        statuses: &[RunStatus],
        keep: u64,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.probe.before(StoreCall::Read).await?;
        let answer = self.store.end_of_newest(statuses, keep).await;
        self.probe.after(StoreCall::Read).await;
        answer
    }

    async fn forget(&self, forget: &Forget) -> Result<Forgotten, StoreError> {
        self.probe.before(StoreCall::Prune).await?;
        let answer = self.store.forget(forget).await;
        self.probe.after(StoreCall::Prune).await;
        answer
    }
}

impl<P: Probe> Store for ProbedStore<P> {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.store.clock()
    }

    fn writers(&self) -> usize {
        self.store.writers()
    }

    fn control_plane(&self) -> Option<Arc<dyn ControlPlane>> {
        self.store.control_plane()
    }

    #[cfg(feature = "_sql")]
    fn host_connection(&self) -> Option<&sea_orm::DatabaseConnection> {
        self.store.host_connection()
    }

    #[cfg(feature = "_sql")]
    fn joined<'a>(
        &'a self,
        transaction: &'a sea_orm::DatabaseTransaction,
    ) -> Option<Box<dyn CommitStore + 'a>> {
        self.store.joined(transaction)
    }
}
