//! Holding a run, and letting it go on.

use serde::Serialize;
use serde_json::json;

use super::amend::{ActionError, amend, changed, wrong_status};
use super::skip_step::said;
use crate::engine::{core::Core, tell::wake};
use crate::id::RunId;
use crate::model::{AuditEntry, By, Failure, InboxBody, Run, RunStatus};
use crate::store::{Amendment, Delivery, DeliveryAck, StoreError};
use crate::time::Timestamp;

/// Where a paused run keeps when its delayed start is due.
const DUE_AT: &str = "due_at";

/// What became of a request to pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PauseOutcome {
    /// The run is paused: nobody was executing it.
    Paused,
    /// The run's owner was told. It lets the run go as soon as the steps that run have ended.
    Requested,
}

/// Holds a run until it is resumed. Signals and results are still taken meanwhile.
///
/// Of a run that somebody executes the request waits in its inbox, and outlives him.
pub(crate) async fn pause(core: &Core, run: &RunId, by: &By) -> Result<PauseOutcome, ActionError> {
    let found = core.store.run(run).await?;
    let found = found.ok_or_else(|| StoreError::UnknownRun { run: run.clone() })?;
    if found.owner.is_some() {
        return ask(core, &found, by).await;
    }
    let paused = amend(core, run, |record| pause_at_rest(core, &record.run, by)).await;
    match paused {
        Ok(()) => Ok(PauseOutcome::Paused),
        // Somebody has just claimed it.
        Err(ActionError::Refused { .. }) => ask(core, &found, by).await,
        Err(error) => Err(error),
    }
}

fn pause_at_rest(core: &Core, run: &Run, by: &By) -> Result<Amendment, ActionError> {
    match run.status {
        RunStatus::Pending | RunStatus::Running | RunStatus::Suspended => {}
        RunStatus::Blocked
        | RunStatus::Paused
        | RunStatus::Cancelling
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Cancelled
        | RunStatus::Dead
        | RunStatus::CompensationFailed => return Err(wrong_status(run, "paused")),
    }
    if run.owner.is_some() {
        return Err(super::amend::refused(run, "somebody executes it"));
    }
    let now = core.now();
    let line = AuditEntry::new(run.id.clone(), now, by, "pause");
    let mut amendment = Amendment::new(run, RunStatus::Paused, Timestamp::MAX, line);
    let mut why = why(by);
    if run.status == RunStatus::Pending && run.wake_at > now {
        why.details = Some(json!({ DUE_AT: run.wake_at }));
    }
    amendment.commit.failure = Some(why);
    Ok(amendment)
}

async fn ask(core: &Core, run: &Run, by: &By) -> Result<PauseOutcome, ActionError> {
    let at = core.now();
    let delivery = Delivery::Item {
        run: run.id.clone(),
        body: InboxBody::Pause { why: why(by) },
        at,
    };
    let line = AuditEntry::new(run.id.clone(), at, by, "pause");
    let ack = core.store.deliver_audited(&delivery, &line).await?;
    if let DeliveryAck::Delivered {
        run,
        item,
        wakes,
        owner,
    } = ack
    {
        wake(core, &run, item, wakes, owner.as_ref());
    }
    changed(core, &run.id);
    Ok(PauseOutcome::Requested)
}

/// What a paused run shows as its reason.
fn why(by: &By) -> Failure {
    Failure::fatal("paused", said("paused", by))
}

/// Lets a paused run go on.
pub(crate) async fn resume(core: &Core, run: &RunId, by: &By) -> Result<(), ActionError> {
    amend(core, run, |record| {
        let run = &record.run;
        if run.status != RunStatus::Paused {
            return Err(wrong_status(run, "resumed"));
        }
        let now = core.now();
        // A delayed start is still due at its time.
        let details = run.failure.as_ref().and_then(|it| it.details.as_ref());
        let due_at = details.and_then(|it| it.get(DUE_AT)?.as_i64());
        let due_at = due_at.map_or(now, Timestamp::from_millis).max(now);
        let status = if record.history.is_empty() {
            RunStatus::Pending
        } else {
            RunStatus::Suspended
        };
        let line = AuditEntry::new(run.id.clone(), now, by, "resume");
        Ok(Amendment::new(run, status, due_at, line))
    })
    .await
}
