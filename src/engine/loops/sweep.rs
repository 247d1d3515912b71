//! Removes what is kept no longer.
//!
//! Every instance that executes runs sweeps. Several at a time do no harm: each removes what the
//! others have not locked. A crash leaves the rest to the next sweep.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::{info, warn};

use crate::engine::{
    core::Core,
    retention::{Keep, Retention, Swept},
};
use crate::model::RunStatus;
use crate::store::{Forget, Prune, StoreError};
use crate::time::Timestamp;

/// Sweeps again and again.
pub(crate) async fn sweep_often(core: Arc<Core>) {
    let Some(retention) = core.config.retention.clone() else {
        return;
    };
    loop {
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            () = tokio::time::sleep(retention.every) => {}
        }
        tokio::select! {
            biased;
            // Each of its calls is whole or not at all.
            () = core.stop.cancelled() => return,
            swept = sweep(&core, &retention) => match swept {
                Ok(swept) if swept != Swept::default() => {
                    info!(runs = swept.runs, signal_ids = swept.signal_ids, "what is kept no longer was removed");
                }
                Ok(_) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(error, "old runs could not be removed; the next sweep tries again");
                }
            },
        }
    }
}

/// Sweeps once.
pub(crate) async fn sweep(core: &Core, retention: &Retention) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let now = core.now();
    let mut prune = Prune::new(rules(core, retention, now).await?);
    prune.with_log = retention.drops_logs;
    let mut removed = 0;
    while !prune.rules.is_empty() {
        let began_at = Instant::now();
        let pruned = core.store.prune(&prune).await?;
        removed += pruned.runs;
        swept.runs += pruned.runs;
        prune.after = pruned.next;
        if pruned.next.is_none() {
            // Children go after their parents, which end after them.
            if removed == 0 {
                break;
            }
            removed = 0;
        }
        rest(began_at.elapsed()).await;
    }
    let mut forget = Forget::new(now - retention.signal_ids);
    loop {
        let began_at = Instant::now();
        let forgotten = core.store.forget(&forget).await?;
        swept.signal_ids += forgotten.signals;
        forget.after = forgotten.next;
        if forgotten.next.is_none() {
            return Ok(swept);
        }
        rest(began_at.elapsed()).await;
    }
}

/// Between two calls the store is left alone for as long as the last one took.
async fn rest(took: Duration) {
    tokio::time::sleep(took).await;
}

/// Before when the runs of each status must have ended to go.
async fn rules(
    core: &Core,
    retention: &Retention,
    now: Timestamp,
) -> Result<Vec<(RunStatus, Timestamp)>, StoreError> {
    let mut rules = Vec::new();
    for keep in &retention.policies {
        if let Some(before) = cutoff(core, keep, now).await? {
            rules.extend(keep.statuses.iter().map(|status| (*status, before)));
        }
    }
    Ok(rules)
}

async fn cutoff(core: &Core, keep: &Keep, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let by_age = keep.max_age.map(|age| now - age);
    let by_count = match keep.max_count {
        Some(count) => core.store.end_of_newest(&keep.statuses, count).await?,
        None => None,
    };
    Ok(by_age.max(by_count))
}
