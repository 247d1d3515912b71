//! The traits of a transport.

use std::fmt;

use async_trait::async_trait;

use super::{channel::Channel, envelope::Envelope, error::TransportError};

/// Moves envelopes from publishers to subscribers.
///
/// # Contract
///
/// 1. An envelope that was published reaches one subscriber of its channel, however many there
///    are, and waits for one if there is none.
/// 2. One that was [acknowledged](Delivery::ack) does not come again. A delivery that is dropped
///    without that, as by a subscriber that dies, may come again; it holds up no other one.
/// 3. `publish` waits while the transport is full and does not grow without bound. It goes on when
///    something was taken.
/// 4. A body is carried as it is, whatever its bytes. One that is too large for the transport is
///    refused by `publish`, and goes nowhere.
/// 5. [`next`](Subscription::next) may be dropped while it waits; what comes then is for the next
///    call, or for another subscriber.
/// 6. There is no order, and what a server or a process holds when it dies may be lost or come
///    twice. Engines and workers stand all of that: a step is sent again under its key, and of its
///    answers the first one counts.
///
/// `transport_conformance!` makes the test cases of these clauses (feature `testing`).
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
