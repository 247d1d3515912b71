//! What travels: opaque bytes with an address.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{channel::Channel, error::TransportError};

/// What travels: opaque bytes with an address.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Envelope {
    /// Where to.
    pub channel: Channel,
    /// The message.
    pub body: Bytes,
}

impl Envelope {
    /// A message as JSON.
    ///
    /// # Errors
    ///
    /// [`TransportError::Message`] if it has no JSON form.
    pub fn encode<T: Serialize>(channel: Channel, message: &T) -> Result<Self, TransportError> {
        let body = serde_json::to_vec(message).map_err(|_| TransportError::Message { channel })?;
        Ok(Self {
            channel,
            body: body.into(),
        })
    }

    /// The message.
    ///
    /// # Errors
    ///
    /// [`TransportError::Message`] if it is none of this kind.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, TransportError> {
        let channel = self.channel;
        serde_json::from_slice(&self.body).map_err(|_| TransportError::Message { channel })
    }
}
