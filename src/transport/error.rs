//! Why a message did not travel.

use super::channel::Channel;

/// Why a message did not travel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A message cannot be written or read. Its text is left out, because it holds payloads.
    #[error("a message on {channel:?} is not of the expected shape")]
    Message {
        /// The channel.
        channel: Channel,
    },
    /// The transport was closed.
    #[error("the transport is closed")]
    Closed,
}
