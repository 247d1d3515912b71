//! Removing an ended run.

use super::amend::{ActionError, changed, refused};
use crate::engine::core::Core;
use crate::id::RunId;
use crate::model::{AuditEntry, By, entity};

/// Removes an ended run with all that belongs to it, but for its audit log.
///
/// An entity that has continued consists of several runs, and is started unless its first one is
/// there: without that one, a second entity would begin beside the newest.
pub(crate) async fn delete(core: &Core, run: &RunId, by: &By) -> Result<(), ActionError> {
    let found = core.store.run(run).await.map_err(ActionError::Store)?;
    if let Some(found) = found.filter(entity::is_one_of_several) {
        let reason = "it is one of several runs of an entity, which are deleted together";
        return Err(refused(&found, reason));
    }
    remove(core, run, by).await
}

/// Removes an ended run, also one of an entity.
pub(crate) async fn remove(core: &Core, run: &RunId, by: &By) -> Result<(), ActionError> {
    let line = AuditEntry::new(run.clone(), core.now(), by, "delete");
    core.store.remove(run, &line).await?;
    // Whoever waits for it looks, and finds that it is gone.
    core.settled.nudge(run);
    changed(core, run);
    Ok(())
}
