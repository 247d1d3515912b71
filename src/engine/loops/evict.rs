//! Lets waiting runs leave memory.

use std::{sync::Arc, time::Duration};

use crate::engine::core::Core;

/// How often waiting runs are looked at: eviction needs no precision, and a look is cheap.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lets runs leave memory that have waited long, and the longest-waiting ones when memory holds
/// too many.
pub(crate) async fn let_go(core: Arc<Core>) {
    while !core.stop.is_cancelled() {
        let before = core.now() - core.config.evict_after;
        for resident in core
            .residents
            .evictable(before, core.config.max_resident_runs)
        {
            resident.evict();
        }
        core.settled.sweep();
        tokio::select! {
            biased;
            () = core.stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
