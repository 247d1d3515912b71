//! A transport that does what a transport may do, and more often.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::transport::{Channel, Envelope, Subscription, Transport, TransportError};

/// The transport under test, which repeats or loses envelopes.
#[derive(Debug, Clone)]
pub(super) struct Faulty {
    inner: Arc<dyn Transport>,
    copies: u32,
    /// Answers that are lost yet.
    losses: Arc<AtomicU32>,
    pub(super) lost: Arc<Notify>,
}

impl Faulty {
    /// The transport as it is.
    pub(super) fn new(inner: Arc<dyn Transport>) -> Self {
        Self {
            inner,
            copies: 1,
            losses: Arc::default(),
            lost: Arc::default(),
        }
    }

    /// Everything comes twice.
    pub(super) fn twice(mut self) -> Self {
        self.copies = 2;
        self
    }

    /// The first answer is lost.
    pub(super) fn losing_an_answer(self) -> Self {
        self.losses.store(1, Ordering::SeqCst);
        self
    }

    fn loses(&self, channel: Channel) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        let order = Ordering::SeqCst;
        channel == Channel::Results && self.losses.fetch_update(order, order, one_less).is_ok()
    }
}

#[async_trait]
impl Transport for Faulty {
    async fn publish(&self, envelope: Envelope) -> Result<(), TransportError> {
        if self.loses(envelope.channel) {
            self.lost.notify_one();
            return Ok(());
        }
        for _ in 0..self.copies {
            self.inner.publish(envelope.clone()).await?;
        }
        Ok(())
    }

    async fn subscribe(&self, channel: Channel) -> Result<Box<dyn Subscription>, TransportError> {
        self.inner.subscribe(channel).await
    }
}
