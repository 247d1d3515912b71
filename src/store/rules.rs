//! Rules that every store follows alike and that need no I/O.

use super::error::StoreError;
use crate::id::RunId;
use crate::model::{Failure, InboxBody, RunStatus};

/// Why a run is given up; what its last owner reported is kept as the cause.
pub(super) fn given_up(recoveries: u32, last: Option<Failure>) -> Failure {
    let message = format!("given up after {recoveries} recoveries without getting on");
    let failure = Failure::fatal("too_many_recoveries", message);
    match last {
        Some(last) => failure.caused_by(last),
        None => failure,
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
    if !status.is_terminal() {
        return Ok(());
    }
    let asked = match body {
        InboxBody::Cancel => "cancelled",
        InboxBody::StepResult { .. } => "given a step result",
        InboxBody::Signal { .. } => "signalled",
    };
    Err(refused(run, status, asked))
}

fn refused(run: &RunId, status: RunStatus, asked: &'static str) -> StoreError {
    StoreError::WrongStatus {
        run: run.clone(),
        status,
        asked,
    }
}
