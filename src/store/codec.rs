//! A store whose payloads pass through a codec.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::commit::{Batch, BatchAck, CommitStore, Delivery, DeliveryAck};
use super::error::StoreError;
use super::lease::{
    Claim, Claimed, LeaseStore, Letter, LivenessLock, Outlook, Recovery, UnreadableRun,
};
use super::read::{ReadStore, RunRecord, Store};
use super::seal::{open, seal};
use crate::control_plane::ControlPlane;
use crate::id::{InstanceId, RunId};
use crate::model::{
    Checkpoint, Failure, FlowQuery, InboxBody, InboxItem, InstanceReport, InstanceRow, LiveFlows,
    NewRun, Run, RunPage, RunQuery, WorkflowKey,
};
use crate::payload::{Codec, Payload};
use crate::time::Clock;

/// Any store, with payloads that pass through a [`Codec`] on their way in and out.
///
/// Inputs, outputs, results, signals, published values and failures are encoded; of a failure the
/// code and whether it is retryable stay readable. Names, tags and log lines are not encoded:
/// people search and read them in the database.
#[derive(Debug, Clone)]
pub struct CodecStore {
    pub(super) store: Arc<dyn Store>,
    codec: Arc<dyn Codec>,
}

impl CodecStore {
    /// A store around `store`, which must be empty or written with the same codec.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, codec: Arc<dyn Codec>) -> Self {
        Self { store, codec }
    }

    pub(super) fn encode(&self, plain: &mut Payload) {
        *plain = self.codec.encode(plain);
    }

    fn decode(&self, stored: &mut Payload) -> Result<(), StoreError> {
        *stored = self.codec.decode(stored)?;
        Ok(())
    }

    fn seal(&self, failure: Option<&mut Failure>) {
        if let Some(failure) = failure {
            *failure = seal(&*self.codec, failure);
        }
    }

    fn open(&self, failure: Option<&mut Failure>) -> Result<(), StoreError> {
        match failure {
            Some(failure) => Ok(open(&*self.codec, failure)?),
            None => Ok(()),
        }
    }

    fn encode_starts(&self, starts: &mut [NewRun]) {
        for NewRun { input, .. } in starts {
            self.encode(input);
        }
    }

    fn encode_deliveries(&self, deliveries: &mut [Delivery]) {
        for delivery in deliveries {
            let payload = match delivery {
                Delivery::Signal { payload, .. } | Delivery::Event { payload, .. } => Some(payload),
                Delivery::Item { body, .. } => {
                    self.seal(failure_of(body));
                    payload_of(body)
                }
                Delivery::Requeue { .. } => None,
            };
            payload.into_iter().for_each(|payload| self.encode(payload));
        }
    }

    pub(super) fn encode_batch(&self, batch: &Batch) -> Batch {
        let mut starts = batch.starts.clone();
        self.encode_starts(&mut starts);
        let mut deliveries = batch.deliveries.clone();
        self.encode_deliveries(&mut deliveries);
        let mut commits = batch.commits.clone();
        for commit in &mut commits {
            let results = commit
                .checkpoints
                .iter_mut()
                .filter_map(|one| one.result.as_mut());
            let published = commit.published.iter_mut().map(|(_, value)| value);
            let payloads = results.chain(published).chain(commit.output.as_mut());
            payloads.for_each(|payload| self.encode(payload));
            let checkpoints = commit.checkpoints.iter_mut();
            checkpoints.for_each(|one| self.seal(one.failure.as_mut()));
            self.seal(commit.failure.as_mut());
            if let Some(beyond) = &mut commit.beyond {
                self.encode_starts(&mut beyond.starts);
                self.encode_deliveries(&mut beyond.sends);
            }
        }
        Batch {
            starts,
            deliveries,
            commits,
        }
    }

    fn decode_item(&self, item: &mut InboxItem) -> Result<(), StoreError> {
        self.open(failure_of(&mut item.body))?;
        payload_of(&mut item.body).map_or(Ok(()), |payload| self.decode(payload))
    }

    fn decode_checkpoint(&self, checkpoint: &mut Checkpoint) -> Result<(), StoreError> {
        self.open(checkpoint.failure.as_mut())?;
        checkpoint
            .result
            .as_mut()
            .map_or(Ok(()), |result| self.decode(result))
    }

    fn decode_run(&self, run: &mut Run) -> Result<(), StoreError> {
        self.open(run.failure.as_mut())?;
        self.decode(&mut run.input)?;
        run.output
            .as_mut()
            .map_or(Ok(()), |output| self.decode(output))
    }

    fn decode_record(&self, record: &mut RunRecord) -> Result<(), StoreError> {
        self.decode_run(&mut record.run)?;
        record
            .history
            .iter_mut()
            .try_for_each(|one| self.decode_checkpoint(one))?;
        record
            .inbox
            .iter_mut()
            .try_for_each(|item| self.decode_item(item))
    }
}

/// The payload of an item, if it has one.
fn payload_of(body: &mut InboxBody) -> Option<&mut Payload> {
    match body {
        InboxBody::Signal { payload, .. } | InboxBody::Event { payload, .. } => Some(payload),
        InboxBody::StepResult { outcome, .. } | InboxBody::RunEnded { outcome, .. } => {
            outcome.as_mut().ok()
        }
        InboxBody::Cancel | InboxBody::Compensate | InboxBody::Pause { .. } => None,
    }
}

/// The failure of an item, if it has one.
fn failure_of(body: &mut InboxBody) -> Option<&mut Failure> {
    match body {
        InboxBody::StepResult { outcome, .. } | InboxBody::RunEnded { outcome, .. } => {
            outcome.as_mut().err()
        }
        InboxBody::Pause { why } => Some(why),
        InboxBody::Signal { .. }
        | InboxBody::Event { .. }
        | InboxBody::Cancel
        | InboxBody::Compensate => None,
    }
}

#[async_trait]
impl CommitStore for CodecStore {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let ack = self.store.commit(&self.encode_batch(batch)).await?;
        self.decode_ack(batch, ack)
    }
}

impl CodecStore {
    fn decode_ack(&self, batch: &Batch, mut ack: BatchAck) -> Result<BatchAck, StoreError> {
        // The batch is written: what cannot be decoded is told where it is read again.
        for (delivery, sent) in ack.deliveries.iter_mut().zip(&batch.deliveries) {
            match delivery {
                Ok(DeliveryAck::Delivered { item, .. }) => restore(item, sent),
                Ok(DeliveryAck::Ended { told, .. } | DeliveryAck::Published { told }) => {
                    self.decode_told(told);
                }
                Ok(
                    DeliveryAck::Buffered | DeliveryAck::Duplicate | DeliveryAck::Requeued { .. },
                )
                | Err(_) => {}
            }
        }
        for commit in ack.commits.iter_mut().flatten() {
            for item in &mut commit.delivered {
                self.decode_item(item)?;
            }
            self.decode_told(&mut commit.told);
        }
        Ok(ack)
    }

    /// What cannot be decoded is left out: whoever reads it from the inbox is told why.
    pub(super) fn decode_told(&self, told: &mut Vec<DeliveryAck>) {
        told.retain_mut(|one| match one {
            DeliveryAck::Delivered { item, .. } => self.decode_item(item).is_ok(),
            DeliveryAck::Ended { told, .. } | DeliveryAck::Published { told } => {
                self.decode_told(told);
                true
            }
            DeliveryAck::Buffered | DeliveryAck::Duplicate | DeliveryAck::Requeued { .. } => true,
        });
    }
}

/// Puts what was sent back into the answer.
pub(super) fn restore(item: &mut InboxItem, sent: &Delivery) {
    match (sent, &mut item.body) {
        (Delivery::Signal { payload, .. }, body) => {
            if let Some(stored) = payload_of(body) {
                stored.clone_from(payload);
            }
        }
        (Delivery::Item { body, .. }, stored) => stored.clone_from(body),
        // An event is told to many, each with an answer of its own.
        (Delivery::Event { .. } | Delivery::Requeue { .. }, _) => {}
    }
}

#[async_trait]
impl LeaseStore for CodecStore {
    async fn enroll(
        &self,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<LivenessLock, StoreError> {
        self.store.enroll(instance, ttl).await
    }

    async fn heartbeat(&self, instance: &InstanceId, ttl: Duration) -> Result<(), StoreError> {
        self.store.heartbeat(instance, ttl).await
    }

    async fn report(
        &self,
        instance: &InstanceId,
        report: &InstanceReport,
    ) -> Result<(), StoreError> {
        self.store.report(instance, report).await
    }

    async fn resign(&self, instance: &InstanceId) -> Result<(), StoreError> {
        self.store.resign(instance).await
    }

    async fn recover(
        &self,
        instance: &InstanceId,
        max_recoveries: u32,
        letter: Letter<'_>,
    ) -> Result<Recovery, StoreError> {
        let letter = |stored: &Run| {
            let mut run = stored.clone();
            if let Err(error) = self.decode_run(&mut run) {
                // The death of a run that cannot be read is still told of, without what it holds.
                tracing::warn!(run_id = %run.id, error = &error as &dyn std::error::Error, "a dead run cannot be read");
                (run.input, run.failure) = (Payload::null(), None);
            }
            let mut new = letter(&run)?;
            self.encode(&mut new.input);
            Some(new)
        };
        self.store.recover(instance, max_recoveries, &letter).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        let mut claimed = self.store.claim(claim).await?;
        let mut readable = Vec::with_capacity(claimed.runs.len());
        for mut record in std::mem::take(&mut claimed.runs) {
            match self.decode_record(&mut record) {
                Ok(()) => readable.push(record),
                Err(error) => claimed.unreadable.push(UnreadableRun {
                    run: record.run.id,
                    token: record.run.token,
                    rev: record.run.rev,
                    error,
                }),
            }
        }
        claimed.runs = readable;
        Ok(claimed)
    }

    async fn look(
        &self,
        instance: &InstanceId,
        workflows: &[WorkflowKey],
        namespace: Option<&str>,
    ) -> Result<Outlook, StoreError> {
        self.store.look(instance, workflows, namespace).await
    }
}

#[async_trait]
impl ReadStore for CodecStore {
    async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let mut record = self.store.load(run).await?;
        record
            .as_mut()
            .map_or(Ok(()), |record| self.decode_record(record))?;
        Ok(record)
    }

    async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError> {
        let mut run = self.store.run(run).await?;
        run.as_mut().map_or(Ok(()), |run| self.decode_run(run))?;
        Ok(run)
    }

    async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let mut page = self.store.list(query).await?;
        for run in &mut page.runs {
            // One that cannot be read stays sealed: the others are still listed.
            drop(self.open(run.failure.as_mut()));
        }
        Ok(page)
    }

    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError> {
        let mut checkpoints = self.store.changed_since(run, rev).await?;
        checkpoints
            .iter_mut()
            .try_for_each(|one| self.decode_checkpoint(one))?;
        Ok(checkpoints)
    }

    async fn open_operations(
        &self,
        runs: &[RunId],
    ) -> Result<Vec<(RunId, Checkpoint)>, StoreError> {
        let mut open = self.store.open_operations(runs).await?;
        open.iter_mut()
            .try_for_each(|(_, one)| self.decode_checkpoint(one))?;
        Ok(open)
    }

    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        let mut payload = self.store.published(run, key).await?;
        payload
            .as_mut()
            .map_or(Ok(()), |payload| self.decode(payload))?;
        Ok(payload)
    }

    async fn live_flows(&self, query: &FlowQuery) -> Result<LiveFlows, StoreError> {
        self.store.live_flows(query).await
    }

    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        self.store.held(instance).await
    }

    async fn instances(&self) -> Result<Vec<InstanceRow>, StoreError> {
        self.store.instances().await
    }
}

impl Store for CodecStore {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.store.clock()
    }

    fn writers(&self) -> usize {
        self.store.writers()
    }

    fn for_people(&self) -> Option<Arc<dyn Store>> {
        let (store, codec) = (self.store.for_people()?, Arc::clone(&self.codec));
        Some(Arc::new(Self { store, codec }))
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
        let store = self.store.joined(transaction)?;
        Some(Box::new(JoinedCodec { codec: self, store }))
    }
}

/// A store inside a transaction of the host, with payloads that pass through the codec.
#[cfg(feature = "_sql")]
struct JoinedCodec<'a> {
    codec: &'a CodecStore,
    store: Box<dyn CommitStore + 'a>,
}

#[cfg(feature = "_sql")]
#[async_trait]
impl CommitStore for JoinedCodec<'_> {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let ack = self.store.commit(&self.codec.encode_batch(batch)).await?;
        self.codec.decode_ack(batch, ack)
    }
}
