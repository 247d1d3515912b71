//! Claims runs that are due: the only entrance to execution.

use std::{sync::Arc, time::Duration};

use tracing::{error, warn};

use crate::engine::{core::Core, run, settled::Settlement};
use crate::model::{Failure, RunStatus};
use crate::store::{Claim, Claimed, Custody, RunCommit, StoreError, UnreadableRun};
use crate::time::Timestamp;

/// Runs claimed at once. Each comes with its whole history; more would take memory in gulps.
const CLAIM_SIZE: usize = 256;

/// Claims runs that are due, and wakes runs in memory that got news from elsewhere, until the
/// engine drains.
pub(crate) async fn claim_due(core: Arc<Core>) {
    let mut failures = 0_u32;
    while !core.draining.is_cancelled() {
        let next = match look(&core).await {
            Ok(next) => {
                failures = 0;
                next
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                warn!(
                    error = &error as &dyn std::error::Error,
                    failures, "could not claim"
                );
                None
            }
        };
        let now = core.now();
        let poll = now + core.config.poll_interval;
        let until = next.map_or(poll, |at| at.min(poll));
        tokio::select! {
            biased;
            () = core.draining.cancelled() => {}
            () = core.claim_now.notified() => {}
            () = pause(&core, until) => {}
        }
    }
}

/// Waits for the next due run, in real time too: with a clock that stands still the poll goes on.
async fn pause(core: &Core, until: Timestamp) {
    tokio::select! {
        () = core.clock.wait_until(until) => {}
        () = tokio::time::sleep(core.config.poll_interval) => {}
    }
}

/// Claims until nothing is due or memory is full. Returns when the next run falls due.
async fn look(core: &Arc<Core>) -> Result<Option<Timestamp>, StoreError> {
    refresh_woken(core).await?;
    loop {
        let room = core.room().min(CLAIM_SIZE);
        if room == 0 || core.workflows.is_empty() || !core.lease.is_good() {
            return Ok(None);
        }
        let instance = core.instance();
        let claim = Claim {
            instance: &instance,
            workflows: &core.workflows,
            limit: u32::try_from(room).unwrap_or(u32::MAX),
        };
        let Claimed {
            runs,
            unreadable,
            next_due,
        } = core.store.claim(claim).await?;
        let claimed = runs.len() + unreadable.len();
        for record in runs {
            run::begin(core, record);
        }
        for broken in unreadable {
            set_aside(core, broken).await;
        }
        if claimed < room {
            return Ok(next_due);
        }
    }
}

/// Runs in memory here whose inbox got something from another process.
async fn refresh_woken(core: &Core) -> Result<(), StoreError> {
    for run in core.store.woken(&core.instance()).await? {
        let Some(resident) = core.residents.get(&run) else {
            continue;
        };
        if let Some(record) = core.store.load(&run).await? {
            resident.refresh(record.inbox, record.run.wakes);
        }
    }
    Ok(())
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
