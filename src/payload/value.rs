//! A stored value.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::Error as _,
};
use serde_json::value::RawValue;

/// A stored value: the bytes of its JSON text.
///
/// Every layer passes the bytes on as they are; nothing parses and prints them again, so a value
/// comes back exactly as it was written. Cloning is one reference count. `Debug` shows the length
/// only, because payloads must not reach a log.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Payload(Bytes);

impl Payload {
    /// Writes `value` as JSON text.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Encode`] if the value has no JSON form, such as a map with tuple keys.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        let text = serde_json::to_vec(value).map_err(|source| PayloadError::Encode { source })?;
        // Payloads live long, in histories and waiting runs: no spare capacity.
        Ok(Self(text.into_boxed_slice().into()))
    }

    /// Reads the value back.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Decode`] if the bytes are not the JSON of a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        serde_json::from_slice(&self.0).map_err(|error| PayloadError::Decode {
            expected: std::any::type_name::<T>(),
            line: error.line(),
            column: error.column(),
        })
    }

    /// The JSON `null`, the value of `()`.
    #[must_use]
    pub const fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// Takes bytes as they are.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Refuses a value of more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`PayloadError::TooLarge`].
    pub fn fits(&self, limit: usize) -> Result<(), PayloadError> {
        let bytes = self.0.len();
        if bytes > limit {
            return Err(PayloadError::TooLarge { bytes, limit });
        }
        Ok(())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The JSON text; `None` if a codec made something else of it.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl Serialize for Payload {
    /// As the JSON that it is, without parsing it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self
            .as_text()
            .ok_or_else(|| S::Error::custom("the payload is no JSON text"))?;
        let raw = RawValue::from_string(text.to_owned()).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(String::from(Box::<str>::from(raw)).into()))
    }
}

/// Why a value could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value has no JSON form.
    #[error("the value cannot be written as JSON")]
    Encode {
        /// What the serializer said.
        #[source]
        source: serde_json::Error,
    },
    /// The stored bytes are not the expected value.
    ///
    /// The parser's own message is left out, because it quotes the value.
    #[error("the stored value is no `{expected}` (line {line}, column {column})")]
    Decode {
        /// The Rust type that was asked for.
        expected: &'static str,
        /// Where the parser gave up, from 1.
        line: usize,
        /// Where the parser gave up, from 1.
        column: usize,
    },
    /// The value is larger than a stored value may be.
    #[error("the value has {bytes} bytes, and {limit} are the limit; store a reference instead")]
    TooLarge {
        /// The bytes of its JSON text.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The codec refused the bytes, for example because its key is missing.
    #[error("codec `{codec}` cannot read the stored value: {reason}")]
    Codec {
        /// The codec's name.
        codec: &'static str,
        /// Its reason, without secrets.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_content() {
        let payload = Payload::encode("secret").unwrap();
        assert_eq!(format!("{payload:?}"), "Payload(8 bytes)");
    }

    #[test]
    fn a_wrong_shape_names_the_type_and_not_the_text() {
        let error = Payload::encode("secret")
            .unwrap()
            .decode::<u32>()
            .unwrap_err();
        assert!(error.to_string().contains("`u32` (line 1"), "{error}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}
