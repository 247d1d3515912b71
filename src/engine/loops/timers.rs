//! Tells runs in memory that an operation's time has come.

use std::sync::Arc;

use crate::engine::core::Core;

/// Tells runs in memory that an operation's time has come. Runs that are not in memory are due
/// by their row, which the claim finds.
pub(crate) async fn fire(core: Arc<Core>) {
    while !core.stop.is_cancelled() {
        let now = core.now();
        for (_, run, seq) in core.timers.take_due(now) {
            if let Some(resident) = core.residents.get(&run) {
                resident.timer_due(seq);
            }
        }
        let next = core.timers.next();
        let wait = async {
            match next {
                Some(at) => core.clock.wait_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = core.stop.cancelled() => {}
            () = core.timers.changed.notified() => {}
            () = wait => {}
        }
    }
}
