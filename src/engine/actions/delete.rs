//! Removing an ended run.

use super::amend::{ActionError, changed};
use crate::engine::core::Core;
use crate::id::RunId;
use crate::model::{AuditEntry, By};

/// Removes an ended run with all that belongs to it, but for its audit log.
pub(crate) async fn delete(core: &Core, run: &RunId, by: &By) -> Result<(), ActionError> {
    let line = AuditEntry::new(run.clone(), core.now(), by, "delete");
    core.store.remove(run, &line).await?;
    // Whoever waits for it looks, and finds that it is gone.
    core.settled.nudge(run);
    changed(core, run);
    Ok(())
}
