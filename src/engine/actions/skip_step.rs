//! Giving an operation that does not get on a result by hand.

use super::amend::{ActionError, amend, hindrances, refused, wrong_status};
use crate::engine::core::Core;
use crate::id::{RunId, Seq};
use crate::model::{
    AuditEntry, By, Checkpoint, CheckpointKind, CheckpointStatus, LogLevel, RunStatus, StepEvent,
    StepEventKind,
};
use crate::payload::Payload;
use crate::store::{Amendment, Removal, RunRecord};
use crate::time::Timestamp;

/// Gives the operation at `seq` a result, so that the run goes on as if it had ended with it: one
/// that still waits or is tried again, or the one that the run failed of.
///
/// An attempt that is under way is cut off or its answer ignored; whatever it did stays done.
pub(crate) async fn skip_step(
    core: &Core,
    run: &RunId,
    seq: Seq,
    value: Payload,
    by: &By,
) -> Result<(), ActionError> {
    let limit = core.config.max_payload;
    value.fits(limit).map_err(ActionError::Value)?;
    amend(core, run, |record| {
        let run = &record.run;
        let now = core.now();
        let next = match run.status {
            RunStatus::Suspended => RunStatus::Suspended,
            RunStatus::Paused => RunStatus::Paused,
            RunStatus::Blocked | RunStatus::Failed | RunStatus::Dead => RunStatus::Pending,
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Cancelling
            | RunStatus::Completed
            | RunStatus::Cancelled
            | RunStatus::CompensationFailed => return Err(wrong_status(run, "given a result")),
        };
        let skipped = skipped(record, seq, &value, by, now)?;
        let detail = format!("{} `{}` at {seq}", skipped.kind, skipped.name);
        let line = AuditEntry::new(run.id.clone(), now, by, "skip-step").with_detail(detail);
        let mut amendment = Amendment::new(run, next, now, line);
        if next == RunStatus::Paused {
            amendment.commit.wake_at = Timestamp::MAX;
            amendment.commit.failure.clone_from(&run.failure);
        }
        if next == RunStatus::Pending {
            amendment.removed = hindrances(record);
            if let Removal::These(seqs) = &mut amendment.removed {
                seqs.retain(|it| *it != seq);
            }
        }
        amendment.put(skipped);
        Ok(amendment)
    })
    .await
}

/// The checkpoint at `seq` with its new outcome, unless it must not have one.
fn skipped(
    record: &RunRecord,
    seq: Seq,
    value: &Payload,
    by: &By,
    now: Timestamp,
) -> Result<Checkpoint, ActionError> {
    let run = &record.run;
    let found = record.history.iter().find(|it| it.seq == seq);
    let found = found.ok_or_else(|| refused(run, format!("nothing is recorded at {seq}")))?;
    let is_fatal = found.status == CheckpointStatus::Fatal;
    if !is_fatal && !found.status.is_open() {
        let reason = format!(
            "`{}` at {seq} is {}, and its workflow has seen that; fork the run with another result",
            found.name, found.status
        );
        return Err(refused(run, reason));
    }
    let is_undone = |it: &Checkpoint| it.kind == CheckpointKind::Compensation && it.seq > seq;
    if is_fatal && record.history.iter().any(is_undone) {
        let reason = "its steps were undone since; fork it from before that";
        return Err(refused(run, reason));
    }
    let mut skipped = found.clone();
    skipped.status = CheckpointStatus::Completed;
    // A sleep has no result; all else that waits has one.
    skipped.result = (found.kind != CheckpointKind::Sleep).then(|| value.clone());
    skipped.failure = None;
    skipped.wake_at = None;
    skipped.finished_at = Some(now);
    // What the run failed of keeps its place in the order; what was open comes last.
    let last = record.history.iter().filter_map(|it| it.ord).max();
    let next = last.map_or(0, |ord| ord.saturating_add(1));
    skipped.ord = Some(found.ord.unwrap_or(next));
    let kind = StepEventKind::Log {
        level: LogLevel::Warn,
        message: said("skipped", by),
    };
    skipped
        .events
        .push(StepEvent::new(now, found.attempt, kind));
    Ok(skipped)
}

/// What was done, by whom and why, as one sentence.
pub(super) fn said(done: &str, by: &By) -> String {
    let mut text = done.to_owned();
    if let Some(actor) = &by.actor {
        text += &format!(" by {actor}");
    }
    if let Some(reason) = &by.reason {
        text += &format!(": {reason}");
    }
    text
}
