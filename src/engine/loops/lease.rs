//! Shows that this instance lives, and stops its runs when it cannot.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::engine::core::Core;
use crate::id::InstanceId;
use crate::store::{LivenessLock, StoreError};

/// Makes this instance known and begins its lease.
pub(crate) async fn enroll(core: &Core) -> Result<LivenessLock, StoreError> {
    let sent = Instant::now();
    let lock = core
        .store
        .enroll(&core.instance(), core.config.lease_ttl)
        .await?;
    core.lease.renewed(sent, core.config.lease_ttl);
    Ok(lock)
}

/// Renews the lease until the engine stops.
///
/// The runs stop *before* the lease ends by the store's clock: effects are not started once this
/// instance's own count has run out (`Lease::is_good`), and a run that another instance took over
/// is fenced off by its token in any case.
pub(crate) async fn keep(core: Arc<Core>, lock: LivenessLock) {
    let mut lock = lock;
    loop {
        tokio::select! {
            biased;
            () = core.stop.cancelled() => break,
            () = tokio::time::sleep(core.config.renew_every()) => {}
        }
        let sent = Instant::now();
        match core
            .store
            .heartbeat(&core.instance(), core.config.lease_ttl)
            .await
        {
            Ok(()) => {
                if core.lease.renewed(sent, core.config.lease_ttl) {
                    // What was held back meanwhile may begin.
                    core.residents.all().iter().for_each(|run| run.nudge());
                }
            }
            Err(StoreError::InstanceLost { .. }) => lock = enroll_anew(&core, lock).await,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "lease not renewed"
                );
            }
        }
    }
    drop(lock);
}

/// The others have declared this instance dead: its runs are theirs. It goes on as a new one.
async fn enroll_anew(core: &Core, lock: LivenessLock) -> LivenessLock {
    error!(instance = %core.instance(), "declared dead by another instance, starting over");
    core.lease.end();
    core.residents.all().iter().for_each(|run| run.lose());
    drop(lock);
    core.rename(InstanceId::generate());
    let mut wait = Duration::from_millis(50);
    loop {
        match enroll(core).await {
            Ok(lock) => {
                info!(instance = %core.instance(), "enrolled anew");
                core.claim_now.notify_one();
                return lock;
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "could not enroll");
            }
        }
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return LivenessLock::none(),
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(1)),
        }
    }
}
