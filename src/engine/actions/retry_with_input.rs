//! Starting a run again from the top, with another input.

use super::amend::{ActionError, amend, wrong_status};
use crate::engine::core::Core;
use crate::id::RunId;
use crate::model::{AuditEntry, By, RunStatus};
use crate::payload::Payload;
use crate::store::{Amendment, Removal};

/// Starts a failed, cancelled, dead or blocked run again under its id, with another input. All
/// that it had recorded, published and received goes. A completed one stays as it is: others may
/// have used its output, and a fork does the same beside it.
pub(crate) async fn retry_with_input(
    core: &Core,
    run: &RunId,
    input: Payload,
    by: &By,
) -> Result<(), ActionError> {
    let limit = core.config.max_payload;
    input.fits(limit).map_err(ActionError::Value)?;
    amend(core, run, |record| {
        let run = &record.run;
        let may_begin_again = match run.status {
            RunStatus::Failed
            | RunStatus::Cancelled
            | RunStatus::Dead
            | RunStatus::CompensationFailed
            | RunStatus::Blocked => true,
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Suspended
            | RunStatus::Paused
            | RunStatus::Cancelling
            | RunStatus::Completed => false,
        };
        if !may_begin_again {
            return Err(wrong_status(run, "retried with another input"));
        }
        let now = core.now();
        let line = AuditEntry::new(run.id.clone(), now, by, "retry-with-input");
        let mut amendment = Amendment::new(run, RunStatus::Pending, now, line);
        amendment.input = Some(input.clone());
        amendment.removed = Removal::Everything;
        let entry = core.registry.workflow(&run.workflow);
        amendment.fingerprint = entry.and_then(|entry| entry.fingerprint);
        Ok(amendment)
    })
    .await
}
