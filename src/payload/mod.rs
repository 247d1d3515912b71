//! Values as they are stored and sent: opaque bytes, JSON text unless a codec wraps them.

#[cfg(feature = "codec-aes-gcm")]
mod aes;
mod codec;
mod keyring;
mod value;
#[cfg(feature = "codec-zlib")]
mod zlib;

#[cfg(feature = "codec-aes-gcm")]
pub use aes::AesGcmCodec;
pub use codec::{Chain, Codec};
pub use keyring::Keyring;
pub use value::{Payload, PayloadError};
#[cfg(feature = "codec-zlib")]
pub use zlib::ZlibCodec;
