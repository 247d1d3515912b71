//! Taking a worker's answer to a step.

use crate::engine::{core::Core, tell::wake};
use crate::model::{Failure, InboxBody};
use crate::protocol::StepResult;
use crate::store::{Delivery, DeliveryAck, StoreError};

/// Takes a worker's answer. A run in memory here gets it directly: should the process die before
/// it is written, the step is sent again, as after any crash. A run elsewhere finds it in its
/// inbox.
pub(crate) async fn complete(core: &Core, mut result: StepResult) -> Result<(), StoreError> {
    if let Ok(value) = &result.outcome
        && let Err(error) = value.fits(core.config.max_payload)
    {
        result.outcome = Err(Failure::of_payload(&error));
    }
    if let Some(resident) = core.residents.get(&result.run)
        && resident.step_result(&result)
    {
        return Ok(());
    }
    let StepResult {
        run,
        seq,
        attempt,
        outcome,
        events: _,
    } = result;
    let body = InboxBody::StepResult {
        seq,
        attempt,
        outcome,
    };
    let at = core.now();
    let ack = core
        .journal
        .deliver(Delivery::Item { run, body, at })
        .await?;
    if let DeliveryAck::Delivered {
        run,
        item,
        wakes,
        owner,
    } = ack
    {
        wake(core, &run, item, wakes, owner.as_ref());
    }
    Ok(())
}
