//! Asking a run to end.

use serde::Serialize;

use crate::engine::{
    core::Core,
    tell::{tell_all, wake},
};
use crate::id::RunId;
use crate::model::{AuditEntry, By, InboxBody};
use crate::store::{Delivery, DeliveryAck, StoreError};

/// What became of a cancel request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CancelOutcome {
    /// The run has ended: nobody was executing it.
    Cancelled,
    /// The run's owner was told and ends it at its next look, or once its steps are undone.
    Requested,
}

/// Asks a run to end. Its owner drops the run's future, so that waits and step bodies end at
/// their next suspension point, and refuses late results.
///
/// One that compensates undoes what the run has done before. Only an owner can do that, so a run
/// that nobody holds is due at once.
pub(crate) async fn cancel(
    core: &Core,
    run: &RunId,
    compensates: bool,
    by: &By,
) -> Result<CancelOutcome, StoreError> {
    let (body, action) = if compensates {
        (InboxBody::Compensate, "cancel_compensate")
    } else {
        (InboxBody::Cancel, "cancel")
    };
    let delivery = Delivery::Item {
        run: run.clone(),
        body,
        at: core.now(),
    };
    let ack = if by.is_program() {
        core.journal.deliver(delivery).await?
    } else {
        let line = AuditEntry::new(run.clone(), core.now(), by, action);
        core.store.deliver_audited(&delivery, &line).await?
    };
    match ack {
        ended @ DeliveryAck::Ended { .. } => {
            tell_all(core, &[ended]);
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
        DeliveryAck::Buffered
        | DeliveryAck::Published { .. }
        | DeliveryAck::Duplicate
        | DeliveryAck::Requeued { .. } => Ok(CancelOutcome::Requested),
    }
}
