//! Codecs by key id: what is stored says which key it was written with.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{
    codec::Codec,
    value::{Payload, PayloadError},
};

/// How a value that a keyring has written begins. No JSON text begins so.
const MARK: [u8; 2] = [0xd1, 0x01];

/// The longest key id, in bytes: it is stored with every value.
const MAX_ID_BYTES: usize = 64;

const NAME: &str = "keyring";

/// Several codecs, each under the id of its key. It writes with the newest one and reads with
/// whichever a value names in its header.
///
/// To rotate a key, put the new one in front and keep the old one for as long as values of it are
/// stored. All processes must be able to read a key before the first one writes with it: deploy
/// once with the new key added by [`also`](Self::also), then with the two changed over.
///
/// # Examples
///
/// ```
/// use axum_durable::payload::{Codec, Keyring, Payload, PayloadError};
///
/// /// No protection at all; see `AesGcmCodec` for one.
/// #[derive(Debug)]
/// struct Flip(u8);
///
/// impl Codec for Flip {
///     fn name(&self) -> &'static str {
///         "flip"
///     }
///     fn encode(&self, plain: &Payload) -> Payload {
///         Payload::from_bytes(plain.as_bytes().iter().map(|b| b ^ self.0).collect::<Vec<u8>>())
///     }
///     fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
///         Ok(self.encode(stored))
///     }
/// }
///
/// # fn main() -> Result<(), PayloadError> {
/// let old = Keyring::new("2026-01", Flip(1))?;
/// let stored = old.encode(&Payload::encode("secret")?);
/// let rotated = Keyring::new("2026-07", Flip(2))?.also("2026-01", Flip(1))?;
/// assert_eq!(rotated.decode(&stored)?.decode::<String>()?, "secret");
/// let without_old = Keyring::new("2026-07", Flip(2))?;
/// assert!(without_old.decode(&stored).unwrap_err().to_string().contains("2026-01"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Keyring {
    newest: Arc<str>,
    codecs: BTreeMap<Arc<str>, Arc<dyn Codec>>,
    accepts_plain: bool,
}

impl Keyring {
    /// A keyring that writes with `codec`, under the key id `id`.
    ///
    /// The id is stored in the clear with every value. It is no secret.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Codec`] if the id is empty or longer than 64 bytes.
    pub fn new(id: impl Into<Arc<str>>, codec: impl Codec) -> Result<Self, PayloadError> {
        let newest = id.into();
        let keyring = Self {
            newest: Arc::clone(&newest),
            codecs: BTreeMap::new(),
            accepts_plain: false,
        };
        keyring.also(newest, codec)
    }

    /// The same keyring, which reads another key too.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Codec`] if the id is empty, longer than 64 bytes or taken.
    pub fn also(
        mut self,
        id: impl Into<Arc<str>>,
        codec: impl Codec,
    ) -> Result<Self, PayloadError> {
        let id = id.into();
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(refused(format!("key id `{id}` is not 1 to 64 bytes long")));
        }
        if self.codecs.contains_key(&id) {
            return Err(refused(format!("key id `{id}` is taken")));
        }
        self.codecs.insert(id, Arc::new(codec));
        Ok(self)
    }

    /// The same keyring, which reads values without a header as they are: for a database that was
    /// written without a codec before.
    #[must_use]
    pub const fn accept_plain(mut self) -> Self {
        self.accepts_plain = true;
        self
    }
}

fn refused(reason: String) -> PayloadError {
    PayloadError::Codec {
        codec: NAME,
        reason,
    }
}

/// The key id and the body of a value with a header.
fn split(stored: &[u8]) -> Option<(&str, &[u8])> {
    let rest = stored.strip_prefix(&MARK)?;
    let (length, rest) = rest.split_first()?;
    let (id, body) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(id).ok()?, body))
}

impl Codec for Keyring {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(&self, plain: &Payload) -> Payload {
        let id = self.newest.as_bytes();
        let body = self.codecs.get(&self.newest).map(|it| it.encode(plain));
        // The newest key is on the ring since it was made.
        let body = body.unwrap_or_default();
        let mut stored = Vec::with_capacity(MARK.len() + 1 + id.len() + body.as_bytes().len());
        stored.extend_from_slice(&MARK);
        // Ids are 64 bytes at the most.
        stored.push(u8::try_from(id.len()).unwrap_or(0));
        stored.extend_from_slice(id);
        stored.extend_from_slice(body.as_bytes());
        Payload::from_bytes(stored)
    }

    fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
        let Some((id, body)) = split(stored.as_bytes()) else {
            return if self.accepts_plain {
                Ok(stored.clone())
            } else {
                Err(refused("it has no header with a key id".to_owned()))
            };
        };
        let codec = self.codecs.get(id);
        let codec = codec.ok_or_else(|| refused(format!("key `{id}` is not on the keyring")))?;
        codec.decode(&Payload::from_bytes(body.to_vec()))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("newest", &self.newest)
            .field("ids", &self.codecs.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Reverse;

    impl Codec for Reverse {
        fn name(&self) -> &'static str {
            "reverse"
        }

        fn encode(&self, plain: &Payload) -> Payload {
            Payload::from_bytes(plain.as_bytes().iter().rev().copied().collect::<Vec<u8>>())
        }

        fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
            Ok(self.encode(stored))
        }
    }

    #[test]
    fn what_has_no_header_is_plain_or_refused() {
        let ring = Keyring::new("a", Reverse).unwrap();
        let plain = Payload::encode(&[1, 2]).unwrap();
        let error = ring.decode(&plain).unwrap_err().to_string();
        assert!(error.contains("no header"), "{error}");
        let ring = ring.accept_plain();
        assert_eq!(ring.decode(&plain).unwrap(), plain);
        let stored = ring.encode(&plain);
        assert_eq!(stored.as_bytes(), b"\xd1\x01\x01a]2,1[");
        assert_eq!(ring.decode(&stored).unwrap(), plain);
        for cut in 0..stored.as_bytes().len() {
            // Whatever is read of a torn value, nothing panics.
            drop(ring.decode(&Payload::from_bytes(stored.as_bytes()[..cut].to_vec())));
        }
    }

    #[test]
    fn key_ids_are_short_and_unique() {
        assert!(Keyring::new("", Reverse).is_err());
        assert!(Keyring::new("x".repeat(65), Reverse).is_err());
        let ring = Keyring::new("x".repeat(64), Reverse).unwrap();
        assert!(ring.clone().also("x".repeat(64), Reverse).is_err());
        assert!(ring.also("y", Reverse).is_ok());
    }
}
