//! Claims runs that are due: the only entrance to execution.

use std::{sync::Arc, time::Duration};

use rand::RngExt;
use tracing::{error, warn};

use super::orphans::Orphans;
use crate::engine::{core::Core, run, settled::Settlement};
use crate::id::InstanceId;
use crate::model::{Failure, RunStatus};
use crate::store::{Claim, Claimed, Custody, RunCommit, StoreError, UnreadableRun};
use crate::time::Timestamp;

/// Runs claimed at once. Each comes with its whole history; more would take memory in gulps.
const CLAIM_SIZE: usize = 256;

/// The wait after a failed look, doubling up to the poll interval.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// Claims runs that are due, and wakes runs in memory that got news from elsewhere, until the
/// engine drains.
pub(crate) async fn claim_due(core: Arc<Core>) {
    let mut failures = 0_u32;
    let mut orphans = Orphans::default();
    while !core.draining.is_cancelled() {
        let next = match look(&core).await {
            Ok(next) => {
                failures = 0;
                orphans.look(&core).await;
                next
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                core.note_lost_answer();
                warn!(
                    error = &error as &dyn std::error::Error,
                    failures, "could not claim"
                );
                // Whatever is announced meanwhile: a store that refuses is left alone for a while.
                let wait = FIRST_WAIT * 2_u32.saturating_pow(failures.min(10));
                tokio::select! {
                    biased;
                    () = core.draining.cancelled() => {}
                    () = tokio::time::sleep(wait.min(core.config.poll_interval)) => {}
                }
                None
            }
        };
        let poll = pace(&core);
        let latest = core.now() + poll;
        let until = next.map_or(latest, |at| at.min(latest));
        tokio::select! {
            biased;
            () = core.draining.cancelled() => {}
            () = core.claim_now.notified() => {}
            () = pause(&core, until, poll) => {}
        }
    }
}

/// Waits for the next due run, in real time too: with a clock that stands still the poll goes on.
async fn pause(core: &Core, until: Timestamp, poll: Duration) {
    tokio::select! {
        () = core.clock.wait_until(until) => {}
        () = tokio::time::sleep(poll) => {}
    }
}

/// How long until the next look if nothing is heard: a little less than the poll interval, by
/// chance, so that instances do not look all at once; longer while others tell us their news.
fn pace(core: &Core) -> Duration {
    const WHEN_TOLD: f64 = 2.5;
    // The look also shows who has come, and so who may have died: as soon as others look for that.
    const WHEN_POLLING: f64 = 0.9;
    let jitter = rand::rng().random_range(0.85..=1.0);
    let is_told = core.herald.plane().is_some_and(|plane| plane.is_live());
    let factor = if is_told { WHEN_TOLD } else { WHEN_POLLING };
    core.config.poll_interval.mul_f64(jitter * factor)
}

/// Wakes runs in memory that got news, and claims until nothing is due or memory is full. Returns
/// when the next run falls due.
async fn look(core: &Arc<Core>) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let instance = core.instance();
        let outlook = core
            .store
            .look(&instance, &core.workflows, core.namespace())
            .await?;
        core.neighbours.seen(outlook.is_alone);
        for run in outlook.woken {
            if let Some(resident) = core.residents.get(&run) {
                resident.look_again();
            }
        }
        let room = core.room_for_claim().min(CLAIM_SIZE);
        if room == 0 || core.workflows.is_empty() || !core.lease.is_good() {
            return Ok(None);
        }
        if outlook.next_due.is_none_or(|due| due > core.now()) {
            return Ok(outlook.next_due);
        }
        if !claim(core, &instance, room).await? {
            // Somebody else was faster, or is just claiming it.
            return Ok(None);
        }
    }
}

/// Claims once. Returns whether there was anything.
async fn claim(core: &Arc<Core>, instance: &InstanceId, room: usize) -> Result<bool, StoreError> {
    let claim = Claim {
        instance,
        workflows: &core.workflows,
        namespace: core.namespace(),
        limit: u32::try_from(room).unwrap_or(u32::MAX),
    };
    let Claimed { runs, unreadable } = core.store.claim(claim).await?;
    let is_any = !(runs.is_empty() && unreadable.is_empty());
    for record in runs {
        run::begin(core, record);
    }
    for broken in unreadable {
        set_aside(core, broken).await;
    }
    Ok(is_any)
}

/// Blocks a run whose rows cannot be read, so that it does not come back at once. A requeue by a
/// build that can read them continues it.
async fn set_aside(core: &Core, broken: UnreadableRun) {
    let UnreadableRun {
        run,
        token,
        rev,
        error,
    } = broken;
    error!(run_id = %run, error = &error as &dyn std::error::Error, "run cannot be read");
    let failure =
        Failure::fatal("unreadable", error.to_string()).caused_by(Failure::from_error(&error));
    let mut commit = RunCommit::new(run.clone(), token, RunStatus::Blocked, core.now());
    commit.custody = Custody::Release;
    commit.rev = rev + 1;
    commit.failure = Some(failure.clone());
    let batch = crate::store::Batch {
        commits: vec![commit],
        ..Default::default()
    };
    match core.store.commit(&batch).await {
        Ok(_) => {
            let settlement = Settlement::new(RunStatus::Blocked, None, Some(failure));
            core.settled.tell(&run, &settlement);
        }
        // Its lease ends with this instance; it is found again then.
        Err(error) => {
            error!(run_id = %run, error = &error as &dyn std::error::Error, "run not set aside");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
