//! Hears what other instances tell.

use std::sync::Arc;

use tracing::debug;

use crate::control_plane::{Bulletin, Hint, Notice, Notices};
use crate::engine::{core::Core, herald::is_settled};
use crate::event::EngineEvent;

/// Hears what other instances tell, until the engine stops. None of it is believed: it says where
/// to look.
pub(crate) async fn listen(core: Arc<Core>, mut notices: Box<dyn Notices>) {
    loop {
        let notice = tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            notice = notices.next() => notice,
        };
        match notice {
            Some(Notice::Heard(bulletin)) => hear(&core, &bulletin),
            Some(Notice::Resync) => resync(&core),
            None => return,
        }
    }
}

fn hear(core: &Core, bulletin: &Bulletin) {
    if bulletin.from == core.instance() {
        return;
    }
    for hint in &bulletin.hints {
        match hint {
            Hint::Due => core.claim_now.notify_one(),
            Hint::Woken { run, owner } if *owner == core.instance() => {
                match core.residents.get(run) {
                    Some(resident) => resident.look_again(),
                    // A run on its way out of memory is due once it has left.
                    None => core.claim_now.notify_one(),
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
