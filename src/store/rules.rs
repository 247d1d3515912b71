//! Rules that every store follows alike and that need no I/O.

use super::error::StoreError;
use crate::id::RunId;
use crate::model::{Failure, InboxBody, OnCancel, RunStatus};
use crate::payload::Payload;

/// Why a run is given up; what its last owner reported is kept as the cause.
pub(super) fn given_up(recoveries: u32, last: Option<Failure>) -> Failure {
    let message = format!("given up after {recoveries} recoveries without getting on");
    let failure = Failure::fatal("too_many_recoveries", message);
    match last {
        Some(last) => failure.caused_by(last),
        None => failure,
    }
}

/// How a run has ended, for those who wait for that.
pub(super) fn outcome(
    status: RunStatus,
    output: Option<Payload>,
    failure: Option<Failure>,
) -> Result<Payload, Failure> {
    if status == RunStatus::Completed {
        return Ok(output.unwrap_or_else(Payload::null));
    }
    let unknown = || Failure::fatal(status.as_str(), format!("the run has ended as {status}"));
    Err(failure.unwrap_or_else(unknown))
}

/// Why nobody can wait for the end of a run that does not exist.
pub(super) fn nothing_to_wait_for(run: &RunId) -> Failure {
    Failure::fatal("unknown_run", format!("there is no run `{run}`"))
}

/// What a child is asked whose parent ends by `request`.
pub(super) fn request_to_child(on_cancel: OnCancel, request: &InboxBody) -> InboxBody {
    match on_cancel {
        OnCancel::Request => InboxBody::Compensate,
        OnCancel::Cascade | OnCancel::Abandon => request.clone(),
    }
}

/// Checks that a run may be requeued: it ended without output, or it is blocked.
pub(super) fn check_requeue(run: &RunId, status: RunStatus) -> Result<(), StoreError> {
    match status {
        RunStatus::Failed
        | RunStatus::Cancelled
        | RunStatus::Dead
        | RunStatus::CompensationFailed
        | RunStatus::Blocked => Ok(()),
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Suspended
        | RunStatus::Paused
        | RunStatus::Cancelling
        | RunStatus::Completed => Err(refused(run, status, "requeued")),
    }
}

/// Checks that a run still takes items.
pub(super) fn check_item(
    run: &RunId,
    status: RunStatus,
    body: &InboxBody,
) -> Result<(), StoreError> {
    let takes_it = match body {
        InboxBody::Pause { .. } => matches!(
            status,
            RunStatus::Pending | RunStatus::Running | RunStatus::Suspended
        ),
        InboxBody::Cancel
        | InboxBody::Compensate
        | InboxBody::StepResult { .. }
        | InboxBody::Signal { .. }
        | InboxBody::Event { .. }
        | InboxBody::RunEnded { .. } => !status.is_terminal(),
    };
    if takes_it {
        return Ok(());
    }
    let asked = match body {
        InboxBody::Cancel | InboxBody::Compensate => "cancelled",
        InboxBody::Pause { .. } => "paused",
        InboxBody::StepResult { .. } => "given a step result",
        InboxBody::Signal { .. } => "signalled",
        InboxBody::Event { .. } => "told of an event",
        InboxBody::RunEnded { .. } => "told of the end of a run",
    };
    Err(refused(run, status, asked))
}

/// Checks that a run may be removed: it has ended.
pub(super) fn check_remove(run: &RunId, status: RunStatus) -> Result<(), StoreError> {
    if status.is_terminal() {
        return Ok(());
    }
    Err(refused(run, status, "deleted"))
}

fn refused(run: &RunId, status: RunStatus, asked: &'static str) -> StoreError {
    StoreError::WrongStatus {
        run: run.clone(),
        status,
        asked,
    }
}
