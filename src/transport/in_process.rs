//! The transport inside one process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};

use super::{
    channel::Channel,
    envelope::Envelope,
    error::TransportError,
    seam::{Delivery, Subscription, Transport},
};

/// Envelopes that may wait on a channel; then publishers wait. Enough to keep every worker busy,
/// few enough to stay small in memory.
const CAPACITY: usize = 1_024;

/// The transport inside one process. What it holds is lost with the process, and sent again by
/// whoever recovers the runs. Clones share the channels.
#[derive(Debug, Clone, Default)]
pub struct InProcess {
    tasks: Pipe,
    results: Pipe,
}

#[derive(Debug, Clone)]
struct Pipe {
    tx: mpsc::Sender<Envelope>,
    /// Shared by all subscribers of the channel, so that each envelope reaches one of them.
    rx: Arc<Mutex<mpsc::Receiver<Envelope>>>,
}

impl Default for Pipe {
    fn default() -> Self {
        let (tx, rx) = mpsc::channel(CAPACITY);
        let rx = Arc::new(Mutex::new(rx));
        Self { tx, rx }
    }
}

impl InProcess {
    const fn pipe(&self, channel: Channel) -> &Pipe {
        match channel {
            Channel::StepTasks => &self.tasks,
            Channel::Results => &self.results,
        }
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn publish(&self, envelope: Envelope) -> Result<(), TransportError> {
        let pipe = self.pipe(envelope.channel);
        pipe.tx
            .send(envelope)
            .await
            .map_err(|_| TransportError::Closed)
    }

    async fn subscribe(&self, channel: Channel) -> Result<Box<dyn Subscription>, TransportError> {
        Ok(Box::new(self.pipe(channel).clone()))
    }
}

#[async_trait]
impl Subscription for Pipe {
    async fn next(&mut self) -> Option<Delivery> {
        let envelope = self.rx.lock().await.recv().await?;
        Some(Delivery::new(envelope, None))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_full_channel_makes_publishers_wait() {
        let transport = InProcess::default();
        let publish = || {
            let envelope = Envelope::encode(Channel::Results, &0_u32).unwrap();
            transport.publish(envelope)
        };
        for _ in 0..CAPACITY {
            publish().await.unwrap();
        }
        let mut waiting = publish();
        assert!((&mut waiting).now_or_never().is_none(), "it is full");
        let mut results = transport.subscribe(Channel::Results).await.unwrap();
        results.next().await.unwrap();
        waiting.await.unwrap();
    }
}
