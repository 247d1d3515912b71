//! A transport that loses the order of its messages and repeats some of them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use tokio_util::task::TaskTracker;

use crate::transport::{Channel, Envelope, InProcess, Subscription, Transport, TransportError};

/// A transport that loses the order of its messages and repeats some of them, as real ones may.
#[derive(Debug, Clone)]
pub(super) struct Shuffling {
    inner: InProcess,
    rng: Arc<Mutex<ChaCha8Rng>>,
    tasks: TaskTracker,
}

impl Shuffling {
    pub(super) fn new(rng: ChaCha8Rng) -> Self {
        Self {
            inner: InProcess::default(),
            rng: Arc::new(Mutex::new(rng)),
            tasks: TaskTracker::new(),
        }
    }
}

#[async_trait]
impl Transport for Shuffling {
    async fn publish(&self, envelope: Envelope) -> Result<(), TransportError> {
        let (copies, seed) = {
            let mut rng = self.rng.lock();
            (1 + u32::from(rng.random_bool(0.25)), rng.next_u64())
        };
        for copy in 0..copies {
            let (inner, envelope) = (self.inner.clone(), envelope.clone());
            // A real wait: it changes which message overtakes which, and nothing waits for it.
            let delay = Duration::from_micros(seed.rotate_left(copy * 17) % 2_000);
            self.tasks.spawn(async move {
                tokio::time::sleep(delay).await;
                // A closed transport takes no more messages; the process is ending.
                drop(inner.publish(envelope).await);
            });
        }
        Ok(())
    }

    async fn subscribe(&self, channel: Channel) -> Result<Box<dyn Subscription>, TransportError> {
        self.inner.subscribe(channel).await
    }
}
