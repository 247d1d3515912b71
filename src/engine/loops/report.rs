//! Says what this instance is, for people.

use std::sync::Arc;

use tracing::debug;

use crate::engine::core::Core;

/// Says what this instance is at once, and again each time a lease would run out.
///
/// It is a task of its own, because a store that lets it wait must not keep the lease waiting.
/// What it fails to say is said the next time; nothing depends on it.
pub(crate) async fn report(core: Arc<Core>) {
    loop {
        let (instance, report) = (core.instance(), core.report());
        let told = core.store.report(&instance, &report);
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            told = told => if let Err(error) = told {
                let error = &error as &dyn std::error::Error;
                debug!(error, "this instance could not say what it is");
            },
        }
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            () = tokio::time::sleep(core.config.lease_ttl) => {}
        }
    }
}
