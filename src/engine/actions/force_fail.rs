//! Ending a run as failed.

use super::amend::{ActionError, amend, wrong_status};
use crate::engine::core::Core;
use crate::id::RunId;
use crate::model::{AuditEntry, By, Failure, Run, RunStatus};
use crate::store::Amendment;
use crate::time::Timestamp;

/// Ends a run that is not executing as `failed`, with the code `forced`. Nothing is undone: its
/// code does not run any more. A requeue lets it go on where it stood.
pub(crate) async fn force_fail(
    core: &Core,
    run: &RunId,
    reason: &str,
    by: &By,
) -> Result<(), ActionError> {
    amend(core, run, |record| {
        let run = &record.run;
        if !may_fail(run) {
            return Err(wrong_status(run, "made to fail"));
        }
        let now = core.now();
        let line = AuditEntry::new(run.id.clone(), now, by, "force-fail");
        let mut amendment = Amendment::new(run, RunStatus::Failed, Timestamp::MAX, line);
        let failure = Failure::fatal("forced", reason);
        amendment.commit.failure = Some(match run.failure.clone() {
            Some(cause) => failure.caused_by(cause),
            None => failure,
        });
        Ok(amendment)
    })
    .await
}

/// Whether the run has not ended and nobody executes it.
const fn may_fail(run: &Run) -> bool {
    match run.status {
        RunStatus::Suspended | RunStatus::Blocked | RunStatus::Paused => true,
        RunStatus::Pending => run.owner.is_none(),
        RunStatus::Running
        | RunStatus::Cancelling
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Cancelled
        | RunStatus::Dead
        | RunStatus::CompensationFailed => false,
    }
}
