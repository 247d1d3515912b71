//! How one run got on since a client last heard of it.

use std::time::Duration;

use crate::control::{Control, Progress, Row, UnderWay};
use crate::engine::StepUnderWay;
use crate::id::RunId;
use crate::model::{Checkpoint, Run, RunStatus};
use crate::store::StoreError;
use crate::time::Timestamp;

/// How often is looked whether other steps execute: soon enough for people, and all it costs is a
/// look into a map.
const GLANCE: Duration = Duration::from_millis(100);

/// A client's place in a run.
#[derive(Debug)]
pub(super) struct RunWatch {
    id: RunId,
    /// The revision up to which everything was taken from the store.
    after: u64,
    /// How the run stood when it was last told.
    told: Option<Stand>,
    /// The steps that executed here at the last look.
    glance: Vec<StepUnderWay>,
    /// What was last told of the steps that execute.
    told_under_way: Option<UnderWay>,
}

/// What is new about a run.
#[derive(Debug)]
pub(super) struct Look {
    /// The operations that changed, by revision.
    pub(super) changed: Vec<Checkpoint>,
    /// The run, if it stands differently.
    pub(super) row: Option<Row>,
    /// The steps that execute now, if they are others or somebody else knows them, and since when
    /// that is known.
    pub(super) under_way: Option<(UnderWay, Timestamp)>,
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
            glance: Vec::new(),
            told_under_way: None,
        }
    }

    /// The run.
    pub(super) const fn id(&self) -> &RunId {
        &self.id
    }

    /// Returns once other steps execute here than at the last look. Nobody tells when one begins,
    /// so this looks into memory now and then.
    pub(super) async fn moved(&self, control: &Control) {
        loop {
            tokio::time::sleep(GLANCE).await;
            if control.glance(&self.id) != self.glance {
                return;
            }
        }
    }

    /// Reads what changed since the last look; `None` if there is no such run.
    pub(super) async fn look(&mut self, control: &Control) -> Result<Option<Look>, StoreError> {
        self.glance = control.glance(&self.id);
        let at = control.engine().clock().now();
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
        let under_way = control.under_way(&run, self.glance.clone(), &changed);
        let row = if self.told == Some(now) {
            None
        } else {
            control.as_rows(vec![run]).await?.pop()
        };
        // Only now: after an error the same is read again.
        self.after = now.0;
        self.told = Some(now);
        // Of a run that has ended there is nothing to tell, unless something was told before.
        let is_told = match &self.told_under_way {
            Some(told) => *told == under_way,
            None => status.is_terminal(),
        };
        let news = (!is_told).then(|| (under_way.clone(), at));
        self.told_under_way = Some(under_way);
        Ok(Some(Look {
            changed,
            row,
            under_way: news,
            status,
        }))
    }
}
