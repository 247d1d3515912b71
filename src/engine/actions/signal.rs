//! Sending a signal.

use std::sync::Arc;

use serde::Serialize;

use super::wake::wake;
use crate::engine::core::Core;
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
    let at = core.now();
    let delivery = Delivery::Signal {
        id,
        token,
        payload,
        at,
    };
    match core.journal.deliver(delivery).await? {
        DeliveryAck::Delivered {
            run,
            item,
            wakes,
            owner,
        } => {
            wake(core, &run, item, wakes, owner.as_ref());
            Ok(SignalOutcome::Delivered)
        }
        DeliveryAck::Duplicate => Ok(SignalOutcome::Duplicate),
        DeliveryAck::Buffered | DeliveryAck::Ended { .. } | DeliveryAck::Requeued { .. } => {
            Ok(SignalOutcome::Buffered)
        }
    }
}
