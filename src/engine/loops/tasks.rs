//! Starts the background tasks of an engine.

use std::sync::Arc;

use super::{claim, dispatch, dispatch::DispatchQueue, evict, lease, recovery, timers};
use crate::engine::{core::Core, journal};
use crate::store::LivenessLock;
use crate::transport::Transport;

/// Starts the background tasks of an engine. They end when the engine stops.
pub(crate) fn spawn_all(
    core: &Arc<Core>,
    queue: DispatchQueue,
    transport: Arc<dyn Transport>,
    lock: LivenessLock,
) {
    let tasks = &core.tasks;
    tasks.spawn(journal::write_all(Arc::clone(core)));
    if !core.config.drive {
        return;
    }
    tasks.spawn(lease::keep(Arc::clone(core), lock));
    tasks.spawn(recovery::take_over(Arc::clone(core)));
    tasks.spawn(claim::claim_due(Arc::clone(core)));
    tasks.spawn(timers::fire(Arc::clone(core)));
    tasks.spawn(evict::let_go(Arc::clone(core)));
    tasks.spawn(dispatch::send(
        Arc::clone(core),
        queue,
        Arc::clone(&transport),
    ));
    tasks.spawn(dispatch::receive(Arc::clone(core), transport));
}
