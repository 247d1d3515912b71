//! Telling runs in this process what was written for them.

use super::{core::Core, settled::Settlement};
use crate::event::EngineEvent;
use crate::id::{InstanceId, RunId};
use crate::model::{Failure, InboxItem, RunStatus};
use crate::store::DeliveryAck;

/// Hands an item to its run, if that is in memory here; otherwise its owner is told, or the run is
/// looked for.
///
/// Nothing is lost if the process dies before this: the item is in the inbox, and the run's wake
/// counter says that it has news.
pub(crate) fn wake(
    core: &Core,
    run: &RunId,
    item: InboxItem,
    wakes: u64,
    owner: Option<&InstanceId>,
) {
    if owner.is_some()
        && let Some(resident) = core.residents.get(run)
        && resident.deliver(item, wakes)
    {
        return;
    }
    match owner {
        Some(owner) if *owner != core.instance() => core.herald.woken(run, owner),
        Some(_) => core.claim_now.notify_one(),
        None => {
            core.look_for_due();
            core.herald.maybe_due();
        }
    }
}

/// Tells other runs what they got, as far as they are in memory here, and their owners elsewhere.
pub(crate) fn tell_all(core: &Core, told: &[DeliveryAck]) {
    for one in told {
        match one {
            DeliveryAck::Delivered {
                run,
                item,
                wakes,
                owner,
            } => wake(core, run, item.clone(), *wakes, owner.as_ref()),
            DeliveryAck::Ended { run, status, told } => {
                let failure = Failure::fatal("cancelled", "the run was cancelled");
                let failure = (*status == RunStatus::Cancelled).then_some(failure);
                core.settled
                    .tell(run, &Settlement::new(*status, None, failure));
                core.events
                    .publish(EngineEvent::Changed { run: run.clone() });
                tell_all(core, told);
            }
            DeliveryAck::Published { told } => tell_all(core, told),
            DeliveryAck::Buffered | DeliveryAck::Duplicate | DeliveryAck::Requeued { .. } => {}
        }
    }
}
