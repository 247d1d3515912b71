//! Letting a finished or blocked run continue in place.

use crate::engine::core::Core;
use crate::id::RunId;
use crate::store::{Delivery, StoreError};

/// Makes a failed, cancelled, dead or blocked run due again. Completed steps stay completed; the
/// step that failed it is tried again.
pub(crate) async fn requeue(core: &Core, run: &RunId) -> Result<(), StoreError> {
    let delivery = Delivery::Requeue {
        run: run.clone(),
        at: core.now(),
    };
    core.journal.deliver(delivery).await?;
    core.claim_now.notify_one();
    Ok(())
}
