//! Encryption with AES-256-GCM.

use std::fmt;

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, Generate, KeyInit, consts::U12},
};

use super::{
    codec::Codec,
    value::{Payload, PayloadError},
};

const NAME: &str = "aes-gcm";

/// How many bytes of a stored value are its nonce.
const NONCE_BYTES: usize = 12;

/// Encrypts payloads with AES-256-GCM. A value that was changed in the store is refused.
///
/// Each value has a random nonce, so change the key (with a [`Keyring`](super::Keyring)) before
/// some four thousand million values were written with it.
///
/// It costs 28 bytes per value, and the size of a value can still be seen.
///
/// # Examples
///
/// ```
/// use axum_durable::payload::{AesGcmCodec, Codec, Keyring, Payload, PayloadError};
///
/// # fn main() -> Result<(), PayloadError> {
/// let key = [7; 32]; // from your secret manager
/// let codec = Keyring::new("2026-01", AesGcmCodec::new(&key))?;
/// let stored = codec.encode(&Payload::encode("4111 1111 1111 1111")?);
/// assert!(stored.as_text().is_none());
/// assert_eq!(codec.decode(&stored)?.decode::<String>()?, "4111 1111 1111 1111");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AesGcmCodec(Aes256Gcm);

impl AesGcmCodec {
    /// A codec with this key: 32 bytes of high quality, not a password.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }
}

fn refused(reason: &str) -> PayloadError {
    PayloadError::Codec {
        codec: NAME,
        reason: reason.to_owned(),
    }
}

impl Codec for AesGcmCodec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, plain: &Payload) -> Payload {
        let nonce = Nonce::<U12>::generate();
        // It only fails beyond 64 GiB, which no payload reaches. The value is then lost and not
        // stored in the clear.
        let sealed = self.0.encrypt(&nonce, plain.as_bytes()).unwrap_or_default();
        let mut stored = nonce.to_vec();
        stored.extend_from_slice(&sealed);
        Payload::from_bytes(stored)
    }

    fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
        let (nonce, sealed) = stored
            .as_bytes()
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(|| refused("it is too short"))?;
        let plain = self.0.decrypt(nonce.into(), sealed);
        let plain = plain.map_err(|_| refused("it was changed, or has another key"))?;
        Ok(Payload::from_bytes(plain))
    }
}

impl fmt::Debug for AesGcmCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesGcmCodec")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_value_is_refused() {
        let codec = AesGcmCodec::new(&[1; 32]);
        let plain = Payload::encode("secret").unwrap();
        let stored = codec.encode(&plain);
        assert_ne!(stored, codec.encode(&plain), "the nonce was used again");
        assert_eq!(codec.decode(&stored).unwrap(), plain);
        for place in 0..stored.as_bytes().len() {
            let mut bytes = stored.as_bytes().to_vec();
            bytes[place] ^= 1;
            assert!(codec.decode(&Payload::from_bytes(bytes)).is_err());
        }
        assert!(AesGcmCodec::new(&[2; 32]).decode(&stored).is_err());
        assert!(codec.decode(&Payload::default()).is_err());
    }
}
