//! Takes over from instances that have died.

use std::sync::Arc;

use tracing::{info, warn};

use crate::engine::{core::Core, dead, settled::Settlement};
use crate::model::{Run, RunStatus};

/// How many looks in a row are left out while no other instance is known. Not all of them: one
/// that nobody knows any more may have written a run when it was already declared dead.
const LEFT_OUT: u32 = 9;

/// Looks for dead instances again and again. What they held is due afterwards, and the claim
/// takes it.
///
/// The look for work tells whether there are others at all, and comes as often; an instance that is
/// alone asks no more than that. One that has just come is looked at at once, because it may have
/// died in the meantime.
pub(crate) async fn take_over(core: Arc<Core>) {
    let mut left_out = 0;
    while !core.draining.is_cancelled() {
        if may_wait(&core) && left_out < LEFT_OUT {
            left_out += 1;
        } else {
            left_out = 0;
            look(&core).await;
        }
        tokio::select! {
            biased;
            () = core.draining.cancelled() => {}
            () = core.neighbours.came() => {}
            () = tokio::time::sleep(core.config.recovery_interval) => {}
        }
    }
}

/// Whether the look for work would show soon enough that somebody has come. While a control plane
/// tells of work, that is looked for less often.
fn may_wait(core: &Core) -> bool {
    let is_told = core.herald.plane().is_some_and(|plane| plane.is_live());
    core.neighbours.is_alone() && !is_told
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
