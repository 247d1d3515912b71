//! What all changes by operators have in common: look, decide, write if nothing has moved, tell.

use std::sync::Arc;

use crate::engine::{core::Core, resident::Resident, settled::Settlement, tell::tell_all};
use crate::event::EngineEvent;
use crate::id::{InstanceId, RunId};
use crate::model::{CheckpointStatus, Run};
use crate::payload::PayloadError;
use crate::store::{Amended, Amendment, Removal, RunRecord, StoreError};
use crate::time::Timestamp;

/// How often a change is decided anew because the run has moved on meanwhile. A run that commits
/// a thousand times a second leaves a gap long before that.
const TRIES: u32 = 16;

/// Why an operator's change was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The store could not answer, or the run's status does not allow it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the run has recorded does not allow it.
    #[error("run `{run}` refuses that: {reason}")]
    Refused {
        /// The run.
        run: RunId,
        /// Why, and what to do instead.
        reason: String,
    },
    /// A value is too large.
    #[error("the value is refused: {0}")]
    Value(#[source] PayloadError),
}

/// Changes a run by what `plan` decides from what is stored of it.
///
/// A crash before the write changes nothing. One after it leaves the change made and its line in
/// the log; the run is found due by the next poll, and an owner that was not told is refused.
pub(super) async fn amend(
    core: &Core,
    run: &RunId,
    plan: impl Fn(&RunRecord) -> Result<Amendment, ActionError> + Send,
) -> Result<(), ActionError> {
    for _ in 0..TRIES {
        // Taken before the write: afterwards another claim may have put a new one in its place.
        let resident = core.residents.get(run);
        let record = core.store.load(run).await?;
        let record = record.ok_or_else(|| StoreError::UnknownRun { run: run.clone() })?;
        let amendment = plan(&record)?;
        if let Amended::Done { owner, told } = core.store.amend(&amendment).await? {
            tell(core, &amendment, resident, owner);
            tell_all(core, &told);
            return Ok(());
        }
    }
    Err(ActionError::Store(StoreError::Backend {
        backend: core.store.name(),
        operation: "change a run for its operator",
        source: "the run changes all the time; try again".into(),
    }))
}

/// Tells whoever held the run that it is lost, and whoever may claim it that it is due.
fn tell(
    core: &Core,
    amendment: &Amendment,
    resident: Option<Arc<dyn Resident>>,
    owner: Option<InstanceId>,
) {
    let commit = &amendment.commit;
    if let Some(resident) = resident
        && resident.token() < commit.token
    {
        resident.lose();
    }
    if let Some(owner) = owner
        && owner != core.instance()
    {
        core.herald.woken(&commit.run, &owner);
    }
    if commit.status.is_terminal() {
        let settlement = Settlement::new(commit.status, None, commit.failure.clone());
        core.settled.tell(&commit.run, &settlement);
    } else if commit.wake_at < Timestamp::MAX {
        core.look_for_due();
        core.herald.maybe_due();
    }
    changed(core, &commit.run);
}

/// Lets those who look at the run read it again.
pub(super) fn changed(core: &Core, run: &RunId) {
    let run = run.clone();
    core.events.publish(EngineEvent::Changed { run });
}

/// The refusal of a run that stands where this cannot be done.
pub(super) fn wrong_status(run: &Run, asked: &'static str) -> ActionError {
    ActionError::Store(StoreError::WrongStatus {
        run: run.id.clone(),
        status: run.status,
        asked,
    })
}

/// The refusal of a run that has recorded something else than is needed.
pub(super) fn refused(run: &Run, reason: impl Into<String>) -> ActionError {
    ActionError::Refused {
        run: run.id.clone(),
        reason: reason.into(),
    }
}

/// What has to go so that an ended or blocked run can go on, as by a requeue (clause 13 of the
/// store's contract).
pub(super) fn hindrances(record: &RunRecord) -> Removal {
    let was_ended = record.run.status.is_terminal();
    let goes = record.history.iter().filter(|it| match it.status {
        CheckpointStatus::Fatal | CheckpointStatus::Abandoned => true,
        // What it waited with went with the end of the run.
        CheckpointStatus::Waiting => was_ended && it.kind.is_wait_for_others(),
        CheckpointStatus::Retrying
        | CheckpointStatus::Completed
        | CheckpointStatus::Failed
        | CheckpointStatus::TimedOut => false,
    });
    Removal::These(goes.map(|it| it.seq).collect())
}
