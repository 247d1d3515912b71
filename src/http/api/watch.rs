//! How one run got on since a client last heard of it.

use crate::control::{Control, Progress, Row};
use crate::id::RunId;
use crate::model::{Checkpoint, Run, RunStatus};
use crate::store::StoreError;
use crate::time::Timestamp;

/// A client's place in a run.
#[derive(Debug)]
pub(super) struct RunWatch {
    id: RunId,
    /// The revision up to which everything was taken from the store.
    after: u64,
    /// How the run stood when it was last told.
    told: Option<Stand>,
}

/// What is new about a run.
#[derive(Debug)]
pub(super) struct Look {
    /// The operations that changed, by revision.
    pub(super) changed: Vec<Checkpoint>,
    /// The run, if it stands differently.
    pub(super) row: Option<Row>,
    /// Where it stands.
    pub(super) status: RunStatus,
}

/// What tells two states of a run apart. Requests from outside change it without a new revision.
pub(super) type Stand = (u64, RunStatus, Timestamp);

pub(super) const fn stand(run: &Run) -> Stand {
    (run.rev, run.status, run.updated_at)
}

impl RunWatch {
    /// A client that has seen the run up to revision `after`.
    pub(super) const fn new(id: RunId, after: u64) -> Self {
        Self {
            id,
            after,
            told: None,
        }
    }

    /// The run.
    pub(super) const fn id(&self) -> &RunId {
        &self.id
    }

    /// Reads what changed since the last look; `None` if there is no such run.
    pub(super) async fn look(&mut self, control: &Control) -> Result<Option<Look>, StoreError> {
        let mut progress = control.progress(&self.id, self.after).await?;
        // A position beyond the run's is one of a run that had this id before.
        if progress.as_ref().is_some_and(|it| it.run.rev < self.after) {
            progress = control.progress(&self.id, 0).await?;
        }
        let Some(Progress { run, changed }) = progress else {
            return Ok(None);
        };
        let status = run.status;
        let now = stand(&run);
        let row = if self.told == Some(now) {
            None
        } else {
            control.as_rows(vec![run]).await?.pop()
        };
        // Only now: after an error the same is read again.
        self.after = now.0;
        self.told = Some(now);
        Ok(Some(Look {
            changed,
            row,
            status,
        }))
    }
}
