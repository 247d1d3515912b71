//! What arrives from outside, inside a write transaction, one by one.

use super::record;
use super::signal::Parts;
use super::transaction::Transaction;
use crate::driver::sql::Args;
use crate::id::RunId;
use crate::model::{Failure, InboxBody, RunStatus};
use crate::store::commit::{Delivery, DeliveryAck};
use crate::store::error::StoreError;
use crate::store::rules;
use crate::time::Timestamp;

/// What a delivery needs to know of its run, which is locked.
pub(super) struct Target {
    pub(super) no: i64,
    pub(super) status: RunStatus,
    is_held: bool,
}

impl Transaction<'_, '_> {
    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<DeliveryAck, StoreError> {
        match delivery {
            Delivery::Signal { .. } => self.signal(delivery).await,
            Delivery::Event { .. } => self.publish_event(delivery).await,
            Delivery::Item { run, body, at } => self.item(run, body, *at).await,
            Delivery::Requeue { run, .. } => {
                let target = self.target(run).await?;
                rules::check_requeue(run, target.status)?;
                let args = Args::new().with(target.no).with(self.now.as_millis());
                self.run(self.texts().deliver.requeue, &args).await?;
                Ok(DeliveryAck::Requeued { run: run.clone() })
            }
        }
    }

    pub(super) async fn target(&mut self, run: &RunId) -> Result<Target, StoreError> {
        let text = self.texts().deliver.find_run;
        let sets = self.run(text, &Args::new().with(run.as_str())).await?;
        let Some(row) = sets.first(0) else {
            return Err(StoreError::UnknownRun { run: run.clone() });
        };
        Ok(Target {
            no: record::get(row, 0)?,
            status: record::status(row, 1)?,
            is_held: record::owner(row, 2)?.is_some(),
        })
    }

    async fn item(
        &mut self,
        run: &RunId,
        body: &InboxBody,
        at: Timestamp,
    ) -> Result<DeliveryAck, StoreError> {
        let target = self.target(run).await?;
        rules::check_item(run, target.status, body)?;
        // One that is cancelling and held by nobody may have undone half of its steps.
        let may_end = !target.is_held && target.status != RunStatus::Cancelling;
        if *body == InboxBody::Cancel && may_end {
            let status = RunStatus::Cancelled;
            let failure = serde_json::to_string(&Failure::cancelled()).ok();
            self.end_run(target.no, status, at, failure).await?;
            let untaken = self.close_all(&[target.no]).await?;
            self.redeliver(untaken).await?;
            let told = self.cancelled(run, target.no).await?;
            return Ok(DeliveryAck::Ended {
                run: run.clone(),
                status,
                told,
            });
        }
        // Recognising an item that waits already makes it safe to send a batch again.
        if !matches!(body, InboxBody::Signal { .. }) {
            let parts = Parts::of(body);
            let args = Args::new().with(target.no).with(parts.kind);
            let args = args.with(parts.seq).with(parts.attempt);
            let sets = self.run(self.texts().deliver.find_item, &args).await?;
            if sets.first(0).is_some() {
                return Ok(DeliveryAck::Duplicate);
            }
        }
        self.put_item(target.no, body.clone(), None).await
    }

    /// Ends a run that nobody executes.
    pub(super) async fn end_run(
        &mut self,
        run_no: i64,
        status: RunStatus,
        at: Timestamp,
        failure: Option<String>,
    ) -> Result<(), StoreError> {
        let args = Args::new()
            .with(run_no)
            .with(status.as_str())
            .with(at.as_millis())
            .with(self.now.as_millis())
            .with(failure);
        self.run(self.texts().deliver.end_run, &args)
            .await
            .map(drop)
    }
}
