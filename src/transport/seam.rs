//! The traits of a transport.

use std::fmt;

use async_trait::async_trait;

use super::{channel::Channel, envelope::Envelope, error::TransportError};

/// Moves envelopes from publishers to subscribers.
///
/// # Contract
///
/// 1. An envelope that was published reaches one subscriber of its channel, or is lost.
/// 2. A delivery that is dropped without an [`ack`](Delivery::ack) may come again.
/// 3. `publish` waits while the transport is full and does not grow without bound.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends an envelope.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if it was not taken.
    async fn publish(&self, envelope: Envelope) -> Result<(), TransportError>;

    /// Begins to receive what is sent to a channel.
    ///
    /// # Errors
    ///
    /// [`TransportError`] if the channel cannot be listened to.
    async fn subscribe(&self, channel: Channel) -> Result<Box<dyn Subscription>, TransportError>;
}

/// A stream of deliveries.
#[async_trait]
pub trait Subscription: fmt::Debug + Send {
    /// The next delivery; `None` once the transport is closed. Safe to drop while waiting.
    async fn next(&mut self) -> Option<Delivery>;
}

/// How a delivery is acknowledged.
#[async_trait]
pub trait Ack: fmt::Debug + Send {
    /// It was dealt with and must not come again.
    async fn ack(self: Box<Self>);
}

/// One receipt of an envelope.
#[derive(Debug)]
pub struct Delivery {
    /// What was received.
    pub envelope: Envelope,
    ack: Option<Box<dyn Ack>>,
}

impl Delivery {
    /// A delivery that is acknowledged by `ack`.
    #[must_use]
    pub fn new(envelope: Envelope, ack: Option<Box<dyn Ack>>) -> Self {
        Self { envelope, ack }
    }

    /// It was dealt with and must not come again.
    pub async fn ack(self) {
        if let Some(ack) = self.ack {
            ack.ack().await;
        }
    }
}
