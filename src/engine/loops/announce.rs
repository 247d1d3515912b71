//! Tells the other instances what concerns them.

use std::{sync::Arc, time::Duration};

use crate::control_plane::{Bulletin, ControlPlane, Hint};
use crate::engine::core::Core;

/// How long a plane may take to send. A longer wait would only make hints older than the poll.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// How long the end of the engine waits for its last hint.
const FAREWELL_WITHIN: Duration = Duration::from_millis(500);

/// Tells the other instances what concerns them. While one bulletin is under way the next
/// collects.
///
/// Hints are made after what they tell of was stored. A crash between the two loses the hint, and
/// the others find the rows at their next poll.
pub(crate) async fn announce(core: Arc<Core>, plane: Arc<dyn ControlPlane>) {
    loop {
        let stops = tokio::select! {
            biased;
            () = core.stop.cancelled() => true,
            () = core.herald.filled() => false,
        };
        let hints = core.herald.take();
        let within = if stops { FAREWELL_WITHIN } else { SEND_WITHIN };
        if !hints.is_empty() {
            send(&core, &plane, hints, within).await;
        }
        if stops {
            return;
        }
    }
}

/// This instance has given its runs back: others may take them.
pub(crate) async fn farewell(core: &Core) {
    if let Some(plane) = core.herald.plane() {
        send(core, plane, vec![Hint::Due], FAREWELL_WITHIN).await;
    }
}

async fn send(core: &Core, plane: &Arc<dyn ControlPlane>, hints: Vec<Hint>, within: Duration) {
    let bulletin = Bulletin::new(core.instance(), hints);
    // What comes too late is lost, as every hint may be.
    drop(tokio::time::timeout(within, plane.publish(bulletin)).await);
}
