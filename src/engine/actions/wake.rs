//! Telling a run in this process what was written for it.

use crate::engine::core::Core;
use crate::id::{InstanceId, RunId};
use crate::model::InboxItem;

/// Hands an item to its run, if that is in memory here; otherwise the run is looked for.
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
    core.claim_now.notify_one();
}
