//! Lets waiting runs leave memory.

use std::{sync::Arc, time::Duration};

use crate::engine::core::Core;

/// How often waiting runs are looked at: eviction needs no precision, and a look is cheap.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lets runs leave memory that have waited long, and the longest-waiting ones when memory holds
/// too many.
pub(crate) async fn let_go(core: Arc<Core>) {
    let _end = LetGoOfAll(Arc::clone(&core));
    while !core.stop.is_cancelled() {
        let before = core.now() - core.config.evict_after;
        for resident in core
            .residents
            .evictable(before, core.config.max_resident_runs)
        {
            resident.evict();
        }
        core.settled.sweep();
        core.herald.sweep();
        tokio::select! {
            biased;
            () = core.stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Lets go of every run when the engine ends, or its runtime ends under it. The engine holds them
/// and they hold the engine; without this, neither would ever be dropped, nor its connections.
struct LetGoOfAll(Arc<Core>);

impl Drop for LetGoOfAll {
    fn drop(&mut self) {
        self.0.residents.clear();
    }
}
