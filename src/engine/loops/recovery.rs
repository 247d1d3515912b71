//! Takes over from instances that have died.

use std::sync::Arc;

use tracing::{info, warn};

use crate::engine::{core::Core, dead, settled::Settlement};
use crate::model::{Run, RunStatus};

/// Looks for dead instances again and again. What they held is due afterwards, and the claim
/// takes it.
pub(crate) async fn take_over(core: Arc<Core>) {
    while !core.draining.is_cancelled() {
        look(&core).await;
        tokio::select! {
            biased;
            () = core.draining.cancelled() => {}
            () = tokio::time::sleep(core.config.recovery_interval) => {}
        }
    }
}

/// Takes over from every instance that is dead now.
pub(crate) async fn look(core: &Core) {
    let most = core.config.max_recovery_attempts;
    let letter = |run: &Run| dead::letter(core, run);
    match core.store.recover(&core.instance(), most, &letter).await {
        Ok(recovery) if recovery.dead.is_empty() => {}
        Ok(recovery) => {
            info!(
                instances = recovery.dead.len(),
                runs = recovery.runs,
                given_up = recovery.given_up.len(),
                "took over from dead instances"
            );
            for run in &recovery.given_up {
                core.settled
                    .tell(run, &Settlement::new(RunStatus::Dead, None, None));
                dead::tell(core, run).await;
            }
            core.look_for_due();
        }
        Err(error) => {
            warn!(
                error = &error as &dyn std::error::Error,
                "could not look for dead instances"
            );
        }
    }
}
