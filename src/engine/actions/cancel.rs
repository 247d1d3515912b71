//! Asking a run to end.

use serde::Serialize;

use super::wake::wake;
use crate::engine::{core::Core, settled::Settlement};
use crate::id::RunId;
use crate::model::{Failure, InboxBody, RunStatus};
use crate::store::{Delivery, DeliveryAck, StoreError};

/// What became of a cancel request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelOutcome {
    /// The run has ended: nobody was executing it.
    Cancelled,
    /// The run's owner was told and ends it at its next look.
    Requested,
}

/// Asks a run to end. Its owner drops the run's future, so that waits and step bodies end at
/// their next suspension point, and refuses late results.
pub(crate) async fn cancel(core: &Core, run: &RunId) -> Result<CancelOutcome, StoreError> {
    let delivery = Delivery::Item {
        run: run.clone(),
        body: InboxBody::Cancel,
        at: core.now(),
    };
    match core.journal.deliver(delivery).await? {
        DeliveryAck::Ended { run, status } => {
            let failure = Failure::fatal("cancelled", "the run was cancelled");
            let failure = (status == RunStatus::Cancelled).then_some(failure);
            core.settled
                .tell(&run, &Settlement::new(status, None, failure));
            Ok(CancelOutcome::Cancelled)
        }
        DeliveryAck::Delivered {
            run,
            item,
            wakes,
            owner,
        } => {
            wake(core, &run, item, wakes, owner.as_ref());
            Ok(CancelOutcome::Requested)
        }
        DeliveryAck::Buffered | DeliveryAck::Duplicate | DeliveryAck::Requeued { .. } => {
            Ok(CancelOutcome::Requested)
        }
    }
}
