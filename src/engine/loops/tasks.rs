//! Starts the background tasks of an engine.

use std::sync::Arc;

use super::{
    accumulators, announce, claim, dispatch, dispatch::DispatchQueue, evict, lease, listen,
    recovery, report, sweep, timers,
};
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
    for _ in 1..core.store.writers() {
        tasks.spawn(journal::help_out(Arc::clone(core)));
    }
    if let Some(plane) = core.herald.plane() {
        let plane = Arc::clone(plane);
        tasks.spawn(listen::listen(Arc::clone(core), plane.subscribe()));
        tasks.spawn(announce::announce(Arc::clone(core), plane));
    }
    if core.accumulators.places().next().is_some() {
        tasks.spawn(accumulators::attend(Arc::clone(core)));
    }
    if !core.config.drive {
        return;
    }
    tasks.spawn(lease::keep(Arc::clone(core), lock));
    tasks.spawn(report::report(Arc::clone(core)));
    tasks.spawn(recovery::take_over(Arc::clone(core)));
    tasks.spawn(claim::claim_due(Arc::clone(core)));
    tasks.spawn(timers::fire(Arc::clone(core)));
    tasks.spawn(evict::let_go(Arc::clone(core)));
    tasks.spawn(sweep::sweep_often(Arc::clone(core)));
    tasks.spawn(dispatch::send(
        Arc::clone(core),
        queue,
        Arc::clone(&transport),
    ));
    tasks.spawn(dispatch::receive(Arc::clone(core), transport));
}
