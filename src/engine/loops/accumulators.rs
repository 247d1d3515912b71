//! Sees to it that events which are accumulated find a run that takes them.

use std::{sync::Arc, time::Duration};

use tracing::{info, warn};

use crate::engine::{
    actions::{self, StartRequest},
    core::Core,
    triggers::Place,
};
use crate::id::RunId;
use crate::model::{RunQuery, RunStatus};
use crate::payload::Payload;
use crate::store::StoreError;

/// The longest that events wait for a run after somebody has cancelled the one that took them. Who
/// publishes one here looks at once.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Looks again and again, as long as the engine takes runs.
pub(crate) async fn attend(core: Arc<Core>) {
    while !core.draining.is_cancelled() {
        tokio::select! {
            biased;
            () = core.draining.cancelled() => return,
            () = core.accumulators.look_now.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        look(&core).await;
    }
}

/// Looks whether all of them are there, and starts what has been lost.
///
/// An accumulator ends by continuing as another run, in one commit. Any other end is somebody's
/// doing: a cancel, a failure that an operator asked for, a deletion. Several instances may see
/// that; they start the same run.
pub(crate) async fn look(core: &Arc<Core>) {
    for place in core.accumulators.places() {
        if let Err(error) = look_at(core, place).await {
            let error: &dyn std::error::Error = &error;
            warn!(workflow = %place.workflow, error, "could not look for the run that takes events");
        }
    }
}

async fn look_at(core: &Arc<Core>, place: &Place) -> Result<(), StoreError> {
    let last = |statuses: Vec<RunStatus>| async {
        let query = RunQuery {
            workflow: Some(Arc::clone(&place.workflow.name)),
            statuses,
            limit: 1,
            ..RunQuery::default()
        };
        let page = core.store.list(&query).await?;
        Ok::<_, StoreError>(page.runs.into_iter().next())
    };
    let mut open = RunStatus::ALL.to_vec();
    open.retain(|status| !status.is_terminal());
    if last(open).await?.is_some() {
        place.found();
        return Ok(());
    }
    let ended = last(Vec::new()).await?;
    // Stored since the first look, by an event.
    if ended.as_ref().is_some_and(|run| !run.status.is_terminal()) {
        place.found();
        return Ok(());
    }
    let next = place.lost(ended.as_ref().map(|run| &run.id));
    if let Some(next) = next.filter(|_| core.config.drive) {
        restart(core, place, next).await;
    }
    Ok(())
}

async fn restart(core: &Arc<Core>, place: &Place, next: RunId) {
    let mut request = StartRequest::new(Arc::clone(&place.workflow.name), Payload::null());
    request.version = Some(place.workflow.version);
    request.id = Some(next.clone());
    match actions::start(core, request).await {
        Ok(_) => {
            info!(run_id = %next, "events are taken by another run, since the last one has ended");
            place.found();
        }
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            warn!(run_id = %next, error, "could not start the run that takes events");
        }
    }
}
