//! How a run got on since someone last looked.

use super::gateway::Control;
use crate::id::RunId;
use crate::model::{Checkpoint, Run};
use crate::store::StoreError;

/// How a run got on since someone last looked: made by [`Control::progress`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Progress {
    /// The run. Its `rev` is what to pass the next time.
    pub run: Run,
    /// The checkpoints that changed meanwhile, by revision.
    pub changed: Vec<Checkpoint>,
}

impl Control {
    /// What changed in a run after revision `after`; `None` if there is no such run.
    ///
    /// Whoever passes the `rev` of the run that it was given last sees each change once, and of a
    /// checkpoint that changed several times meanwhile the last state.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn progress(&self, run: &RunId, after: u64) -> Result<Option<Progress>, StoreError> {
        // The run is read first. What is committed between the two reads has a larger revision
        // than the run that was read, is left out here and comes the next time.
        let Some(run) = self.run(run).await? else {
            return Ok(None);
        };
        let mut changed = Vec::new();
        if run.rev > after {
            changed = self.changed_since(&run, after).await?;
            changed.retain(|checkpoint| checkpoint.rev <= run.rev);
            changed.sort_by_key(|checkpoint| (checkpoint.rev, checkpoint.seq));
        }
        Ok(Some(Progress { run, changed }))
    }
}
