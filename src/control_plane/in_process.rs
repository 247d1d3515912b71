//! The control plane inside one process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast::{self, error::RecvError};

use super::bulletin::Bulletin;
use super::seam::{ControlPlane, Notice, Notices};

/// Bulletins that a slow listener may lag behind before it looks at the store instead. A bulletin
/// holds many hints, so that more would hide a listener that is stuck.
const CAPACITY: usize = 1_024;

/// The control plane between engines of one process. Clones share it.
#[derive(Debug, Clone)]
pub struct InProcessPlane {
    tx: broadcast::Sender<Arc<Bulletin>>,
}

impl Default for InProcessPlane {
    fn default() -> Self {
        Self {
            tx: broadcast::channel(CAPACITY).0,
        }
    }
}

#[async_trait]
impl ControlPlane for InProcessPlane {
    async fn publish(&self, bulletin: Bulletin) {
        // Nobody listening is fine.
        drop(self.tx.send(Arc::new(bulletin)));
    }

    fn subscribe(&self) -> Box<dyn Notices> {
        Box::new(Listener(self.tx.subscribe()))
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Listener(broadcast::Receiver<Arc<Bulletin>>);

#[async_trait]
impl Notices for Listener {
    async fn next(&mut self) -> Option<Notice> {
        match self.0.recv().await {
            Ok(bulletin) => Some(Notice::Heard(bulletin)),
            Err(RecvError::Lagged(_)) => Some(Notice::Resync),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::hint::Hint;
    use crate::id::InstanceId;

    #[tokio::test]
    async fn everyone_hears_everything_and_who_lags_resyncs() {
        let plane = InProcessPlane::default();
        let mut first = plane.subscribe();
        let mut second = plane.clone().subscribe();
        let bulletin = Bulletin::new(InstanceId::generate(), vec![Hint::Due]);
        plane.publish(bulletin.clone()).await;
        let heard = Some(Notice::Heard(Arc::new(bulletin.clone())));
        assert_eq!(first.next().await, heard);
        assert_eq!(second.next().await, heard);
        for _ in 0..=CAPACITY {
            plane.publish(bulletin.clone()).await;
        }
        assert_eq!(first.next().await, Some(Notice::Resync));
        assert_eq!(first.next().await, heard);
    }
}
