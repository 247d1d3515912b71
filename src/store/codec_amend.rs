//! What operators change, with payloads that pass through the codec. The audit log holds none.

use async_trait::async_trait;

use super::amend::{AmendStore, Amended, Amendment, Fork};
use super::codec::{CodecStore, restore};
use super::commit::{Batch, Delivery, DeliveryAck, RunCommit, StartAck};
use super::error::StoreError;
use crate::id::RunId;
use crate::model::AuditEntry;

#[async_trait]
impl AmendStore for CodecStore {
    async fn amend(&self, amendment: &Amendment) -> Result<Amended, StoreError> {
        let mut encoded = amendment.clone();
        self.encode_commit(&mut encoded.commit);
        if let Some(input) = &mut encoded.input {
            self.encode(input);
        }
        let mut amended = self.store.amend(&encoded).await?;
        if let Amended::Done { told, .. } = &mut amended {
            self.decode_told(told);
        }
        Ok(amended)
    }

    async fn deliver_audited(
        &self,
        delivery: &Delivery,
        audit: &AuditEntry,
    ) -> Result<DeliveryAck, StoreError> {
        let batch = Batch {
            deliveries: vec![delivery.clone()],
            ..Batch::default()
        };
        let mut deliveries = self.encode_batch(&batch).deliveries;
        let encoded = deliveries.pop();
        let encoded = encoded.as_ref().unwrap_or(delivery);
        let mut ack = self.store.deliver_audited(encoded, audit).await?;
        match &mut ack {
            DeliveryAck::Delivered { item, .. } => restore(item, delivery),
            DeliveryAck::Ended { told, .. } | DeliveryAck::Published { told } => {
                self.decode_told(told);
            }
            DeliveryAck::Buffered | DeliveryAck::Duplicate | DeliveryAck::Requeued { .. } => {}
        }
        Ok(ack)
    }

    async fn fork(&self, fork: &Fork) -> Result<StartAck, StoreError> {
        let mut encoded = fork.clone();
        self.encode(&mut encoded.run.input);
        let mut commit = encoded.commit();
        self.encode_commit(&mut commit);
        encoded.history = commit.checkpoints;
        self.store.fork(&encoded).await
    }

    async fn remove(&self, run: &RunId, audit: &AuditEntry) -> Result<(), StoreError> {
        self.store.remove(run, audit).await
    }

    async fn audit_log(&self, run: &RunId, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.store.audit_log(run, limit).await
    }
}

impl CodecStore {
    fn encode_commit(&self, commit: &mut RunCommit) {
        let batch = Batch {
            commits: vec![commit.clone()],
            ..Batch::default()
        };
        if let Some(encoded) = self.encode_batch(&batch).commits.pop() {
            *commit = encoded;
        }
    }
}
