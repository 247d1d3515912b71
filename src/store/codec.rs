//! A store whose payloads pass through a codec.

use std::{borrow::Cow, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::commit::{Batch, BatchAck, CommitStore, Delivery, DeliveryAck};
use super::error::StoreError;
use super::lease::{Claim, Claimed, LeaseStore, LivenessLock, Recovery, UnreadableRun};
use super::read::{ReadStore, RunRecord, Store};
use crate::id::{InstanceId, RunId};
use crate::model::{Checkpoint, InboxBody, InboxItem, NewRun, Run, RunPage, RunQuery};
use crate::payload::{Codec, Payload};
use crate::time::Clock;

/// Any store, with payloads that pass through a [`Codec`] on their way in and out.
///
/// Inputs, outputs, results, signals and published values are encoded. Names, tags, failures and
/// log lines are not: people search and read them in the database.
#[derive(Debug, Clone)]
pub struct CodecStore {
    store: Arc<dyn Store>,
    codec: Arc<dyn Codec>,
}

impl CodecStore {
    /// A store around `store`, which must be empty or written with the same codec.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, codec: Arc<dyn Codec>) -> Self {
        Self { store, codec }
    }

    fn encode(&self, plain: &mut Payload) {
        *plain = self.codec.encode(plain);
    }

    fn decode(&self, stored: &mut Payload) -> Result<(), StoreError> {
        *stored = self.codec.decode(stored)?;
        Ok(())
    }

    fn encode_batch(&self, batch: &Batch) -> Batch {
        let mut starts = batch.starts.clone();
        for NewRun { input, .. } in &mut starts {
            self.encode(input);
        }
        let mut deliveries = batch.deliveries.clone();
        for delivery in &mut deliveries {
            let payload = match delivery {
                Delivery::Signal { payload, .. } => Some(payload),
                Delivery::Item { body, .. } => payload_of(body),
                Delivery::Requeue { .. } => None,
            };
            payload.into_iter().for_each(|payload| self.encode(payload));
        }
        let mut commits = batch.commits.clone();
        for commit in &mut commits {
            let results = commit
                .checkpoints
                .iter_mut()
                .filter_map(|one| one.result.as_mut());
            let published = commit.published.iter_mut().map(|(_, value)| value);
            let payloads = results.chain(published).chain(commit.output.as_mut());
            payloads.for_each(|payload| self.encode(payload));
        }
        Batch {
            starts,
            deliveries,
            commits,
        }
    }

    fn decode_item(&self, item: &mut InboxItem) -> Result<(), StoreError> {
        payload_of(&mut item.body).map_or(Ok(()), |payload| self.decode(payload))
    }

    fn decode_checkpoint(&self, checkpoint: &mut Checkpoint) -> Result<(), StoreError> {
        checkpoint
            .result
            .as_mut()
            .map_or(Ok(()), |result| self.decode(result))
    }

    fn decode_run(&self, run: &mut Run) -> Result<(), StoreError> {
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
        InboxBody::Signal { payload, .. } => Some(payload),
        InboxBody::StepResult { outcome, .. } => outcome.as_mut().ok(),
        InboxBody::Cancel => None,
    }
}

#[async_trait]
impl CommitStore for CodecStore {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let mut ack = self.store.commit(&self.encode_batch(batch)).await?;
        // The batch is written: what cannot be decoded is told where it is read again.
        for (delivery, sent) in ack.deliveries.iter_mut().zip(&batch.deliveries) {
            if let Ok(DeliveryAck::Delivered { item, .. }) = delivery {
                restore(item, sent);
            }
        }
        for commit in ack.commits.iter_mut().flatten() {
            for item in &mut commit.delivered {
                self.decode_item(item)?;
            }
        }
        Ok(ack)
    }
}

/// Puts the plain payload that was sent back into the answer.
fn restore(item: &mut InboxItem, sent: &Delivery) {
    let plain = match sent {
        Delivery::Signal { payload, .. } => Cow::Borrowed(payload),
        Delivery::Item { body, .. } => match payload_of(&mut body.clone()) {
            Some(payload) => Cow::Owned(payload.clone()),
            None => return,
        },
        Delivery::Requeue { .. } => return,
    };
    if let Some(payload) = payload_of(&mut item.body) {
        *payload = plain.into_owned();
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

    async fn resign(&self, instance: &InstanceId) -> Result<(), StoreError> {
        self.store.resign(instance).await
    }

    async fn recover(
        &self,
        instance: &InstanceId,
        max_recoveries: u32,
    ) -> Result<Recovery, StoreError> {
        self.store.recover(instance, max_recoveries).await
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

    async fn woken(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        self.store.woken(instance).await
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
        self.store.list(query).await
    }

    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError> {
        let mut checkpoints = self.store.changed_since(run, rev).await?;
        checkpoints
            .iter_mut()
            .try_for_each(|one| self.decode_checkpoint(one))?;
        Ok(checkpoints)
    }

    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        let mut payload = self.store.published(run, key).await?;
        payload
            .as_mut()
            .map_or(Ok(()), |payload| self.decode(payload))?;
        Ok(payload)
    }

    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        self.store.held(instance).await
    }
}

impl Store for CodecStore {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.store.clock()
    }

    fn joins_transactions(&self) -> bool {
        self.store.joins_transactions()
    }

    fn seal(&self, run: &mut NewRun) {
        self.encode(&mut run.input);
        self.store.seal(run);
    }
}
