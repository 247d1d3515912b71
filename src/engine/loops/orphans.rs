//! Finds runs that the store has given to this instance without its knowing.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;
use tracing::{info, warn};

use crate::engine::core::Core;
use crate::id::RunId;
use crate::store::{Batch, Custody, RunCommit, StoreError};

/// How long a run may be owned and not be in memory: as long as it takes to act upon the answer to
/// a start or a claim. A run that is given back too early is claimed again, and what its first
/// claim writes is refused.
const GRACE: Duration = Duration::from_millis(800);

/// Runs that this instance owns and does not execute, with the time since when that is known.
///
/// The answer to a claim or to a start may be lost after it was written. Such a run is owned by an
/// instance that lives, so nobody takes it over. It is given back under its own token and claimed
/// like any other; a crash in between leaves it to whoever recovers this instance.
#[derive(Debug, Default)]
pub(super) struct Orphans(BTreeMap<RunId, Instant>);

impl Orphans {
    /// Looks for them, if an answer was lost since the last look or some are suspected.
    pub(super) async fn look(&mut self, core: &Core) {
        if !core.take_lost_answers() && self.0.is_empty() {
            return;
        }
        if let Err(error) = self.give_back(core).await {
            core.note_lost_answer();
            warn!(
                error = &error as &dyn std::error::Error,
                "could not look for runs that were claimed unknowingly"
            );
        }
    }

    async fn give_back(&mut self, core: &Core) -> Result<(), StoreError> {
        let held = core.store.held(&core.instance()).await?;
        let unknown = held
            .into_iter()
            .filter(|run| core.residents.get(run).is_none());
        let now = Instant::now();
        let unknown = unknown.map(|run| {
            let since = self.0.get(&run).copied().unwrap_or(now);
            (run, since)
        });
        self.0 = unknown.collect();
        let mut batch = Batch::default();
        for (run, since) in &self.0 {
            if now.duration_since(*since) >= GRACE {
                batch.commits.extend(release_of(core, run).await?);
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        core.store.commit(&batch).await?;
        for commit in &batch.commits {
            info!(run_id = %commit.run, "a run was claimed unknowingly; it is given back");
            self.0.remove(&commit.run);
        }
        core.claim_now.notify_one();
        Ok(())
    }
}

/// A commit that gives a run back as it is, due now.
async fn release_of(core: &Core, run: &RunId) -> Result<Option<RunCommit>, StoreError> {
    let Some(run) = core.store.run(run).await? else {
        return Ok(None);
    };
    if run.owner.as_ref() != Some(&core.instance()) {
        return Ok(None);
    }
    let now = core.now();
    let mut commit = RunCommit::new(run.id, run.token, run.status, now);
    commit.custody = Custody::Release;
    commit.wake_at = now;
    commit.seen_wakes = run.seen_wakes;
    commit.recoveries = run.recoveries;
    commit.rev = run.rev;
    commit.failure = run.failure;
    Ok(Some(commit))
}
