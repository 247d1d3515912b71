//! Letting a finished or blocked run continue in place.

use crate::engine::core::Core;
use crate::event::EngineEvent;
use crate::id::RunId;
use crate::model::{AuditEntry, By};
use crate::store::{Delivery, StoreError};

/// Makes a failed, cancelled, dead or blocked run due again. Completed steps stay completed; the
/// step that failed it is tried again.
pub(crate) async fn requeue(core: &Core, run: &RunId, by: &By) -> Result<(), StoreError> {
    let delivery = Delivery::Requeue {
        run: run.clone(),
        at: core.now(),
    };
    let line = AuditEntry::new(run.clone(), core.now(), by, "requeue");
    core.store.deliver_audited(&delivery, &line).await?;
    core.look_for_due();
    core.herald.maybe_due();
    core.events
        .publish(EngineEvent::Changed { run: run.clone() });
    Ok(())
}
