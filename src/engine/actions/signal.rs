//! Sending a signal.

use std::sync::Arc;

use serde::Serialize;

use crate::engine::{core::Core, tell::wake};
use crate::model::SignalId;
use crate::payload::Payload;
use crate::store::{Delivery, DeliveryAck, StoreError};

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignalOutcome {
    /// A run was waiting and has it.
    Delivered,
    /// Nobody waits yet; the next wait for the token gets it.
    Buffered,
    /// The same delivery was taken before.
    Duplicate,
}

/// Sends a signal. When this returns it is stored: in the waiting run's inbox or in the buffer.
pub(crate) async fn signal(
    core: &Core,
    id: SignalId,
    token: Arc<str>,
    payload: Payload,
) -> Result<SignalOutcome, StoreError> {
    payload.fits(core.config.max_payload)?;
    let at = core.now();
    let delivery = Delivery::Signal {
        id,
        token,
        payload,
        at,
    };
    let ack = core.journal.deliver(delivery).await?;
    Ok(delivered(core, ack))
}

/// What became of a signal that is stored; wakes whoever has it.
pub(super) fn delivered(core: &Core, ack: DeliveryAck) -> SignalOutcome {
    match ack {
        DeliveryAck::Delivered {
            run,
            item,
            wakes,
            owner,
        } => {
            wake(core, &run, item, wakes, owner.as_ref());
            SignalOutcome::Delivered
        }
        DeliveryAck::Duplicate => SignalOutcome::Duplicate,
        DeliveryAck::Buffered
        | DeliveryAck::Published { .. }
        | DeliveryAck::Ended { .. }
        | DeliveryAck::Requeued { .. } => SignalOutcome::Buffered,
    }
}
