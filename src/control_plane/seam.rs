//! The traits of a control plane.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::bulletin::Bulletin;

/// Carries hints between the instances of one app.
///
/// # Contract
///
/// 1. A bulletin may be lost, repeated or overtaken, and its sender may hear it too.
/// 2. `publish` never fails and returns within a few seconds: what cannot be sent is dropped.
/// 3. A stream says [`Notice::Resync`] once it hears again after it may have missed something.
/// 4. `is_live` turns `false`, by itself, when hints do not arrive here; the log says so once.
/// 5. `subscribe` listens from then on, or says `Resync` when it does. It does not wait.
#[async_trait]
pub trait ControlPlane: fmt::Debug + Send + Sync + 'static {
    /// Tells every instance.
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the bulletin was sent or not.
    async fn publish(&self, bulletin: Bulletin);

    /// Begins to listen. Connections are made when the stream is asked for notices.
    fn subscribe(&self) -> Box<dyn Notices>;

    /// Whether what others publish arrives here, as far as is known.
    fn is_live(&self) -> bool;
}

/// A stream of what arrives.
#[async_trait]
pub trait Notices: fmt::Debug + Send {
    /// The next notice; `None` once the plane is gone. It mends what is broken by itself, so it
    /// has to be asked again and again. Safe to drop while waiting.
    async fn next(&mut self) -> Option<Notice>;
}

/// What arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Hints of an instance.
    Heard(Arc<Bulletin>),
    /// Hints may have been lost, and from here on they arrive: look at the store.
    Resync,
}
