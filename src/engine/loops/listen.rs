//! Hears what other instances tell.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::control_plane::{Bulletin, Hint, Notice, Notices};
use crate::engine::{core::Core, herald::is_settled};
use crate::event::EngineEvent;
use crate::id::RunId;
use crate::store::StoreError;

/// Woken runs that may wait to be read. Beyond it one look for all of them costs less.
const MAX_WOKEN: usize = 256;

/// Runs in memory here that were woken from elsewhere.
type Woken = mpsc::Sender<RunId>;

/// Hears what other instances tell, until the engine stops. None of it is believed: it says where
/// to look.
pub(crate) async fn listen(core: Arc<Core>, mut notices: Box<dyn Notices>) {
    let (woken, queue) = mpsc::channel(MAX_WOKEN);
    core.tasks.spawn(refresh(Arc::clone(&core), queue));
    loop {
        let notice = tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            notice = notices.next() => notice,
        };
        match notice {
            Some(Notice::Heard(bulletin)) => hear(&core, &woken, &bulletin),
            Some(Notice::Resync) => resync(&core),
            None => return,
        }
    }
}

fn hear(core: &Core, woken: &Woken, bulletin: &Bulletin) {
    if bulletin.from == core.instance() {
        return;
    }
    for hint in &bulletin.hints {
        match hint {
            Hint::Due => core.claim_now.notify_one(),
            Hint::Woken { run, owner } if *owner == core.instance() => {
                // A run on its way out of memory is due once it has left.
                if core.residents.get(run).is_none() || woken.try_send(run.clone()).is_err() {
                    core.claim_now.notify_one();
                }
            }
            Hint::Woken { .. } => {}
            Hint::Advanced { run, rev, status } => {
                if core.herald.follows(run) {
                    core.events.publish(EngineEvent::Advanced {
                        run: run.clone(),
                        rev: *rev,
                        status: *status,
                    });
                }
                if is_settled(*status) {
                    core.settled.nudge(run);
                }
            }
            Hint::Settled { run, .. } => {
                if core.herald.follows(run) {
                    core.events
                        .publish(EngineEvent::Changed { run: run.clone() });
                }
                core.settled.nudge(run);
            }
            Hint::Watch { run, secs } => {
                core.herald.watch(run, *secs);
                if let Some(resident) = core.residents.get(run) {
                    // It may have got on before the watch arrived.
                    let (rev, status) = resident.stand();
                    core.herald.advanced(run, rev, status);
                }
            }
        }
    }
}

/// Anything may have been missed: everyone here looks again, and the others hear again what is
/// followed here.
fn resync(core: &Core) {
    debug!("hints of other instances may have been lost, looking at the store");
    core.claim_now.notify_one();
    core.settled.nudge_all();
    for run in core.herald.follow_anew() {
        core.events.publish(EngineEvent::Changed { run });
    }
}

/// Reads what woken runs got, without holding up what is heard next.
async fn refresh(core: Arc<Core>, mut queue: mpsc::Receiver<RunId>) {
    let mut woken = Vec::new();
    loop {
        let received = tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            received = queue.recv_many(&mut woken, MAX_WOKEN) => received,
        };
        if received == 0 {
            return;
        }
        // A run that was woken several times is read once.
        let runs: BTreeSet<RunId> = woken.drain(..).collect();
        for run in runs {
            if let Err(error) = refresh_one(&core, &run).await {
                // The next poll finds it again.
                let error = &error as &dyn std::error::Error;
                warn!(run_id = %run, error, "inbox not read");
            }
        }
    }
}

async fn refresh_one(core: &Core, run: &RunId) -> Result<(), StoreError> {
    let Some(resident) = core.residents.get(run) else {
        core.claim_now.notify_one();
        return Ok(());
    };
    if let Some(record) = core.store.load(run).await? {
        // An operator has taken the run away.
        if record.run.token > resident.token() {
            resident.lose();
            return Ok(());
        }
        resident.refresh(record.inbox, record.run.wakes);
    }
    Ok(())
}
