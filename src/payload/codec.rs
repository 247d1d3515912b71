//! The seam through which payloads pass on their way to and from the store.

use std::fmt;

use super::value::{Payload, PayloadError};

/// Changes payloads on their way to and from the store, such as encryption or compression.
///
/// # Contract
///
/// 1. `decode(encode(p)) == p` for every `p`.
/// 2. `decode` takes what an earlier release of the codec has written.
/// 3. Neither blocks: they run on the threads that drive runs.
pub trait Codec: fmt::Debug + Send + Sync + 'static {
    /// A short name for error messages.
    fn name(&self) -> &'static str;

    /// Turns a plain payload into what is stored.
    fn encode(&self, plain: &Payload) -> Payload;

    /// Turns what is stored into the plain payload.
    ///
    /// # Errors
    ///
    /// [`PayloadError::Codec`]; the run that needs the value fails with it, others go on.
    fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError>;

    /// This codec and then `outer`, whose values are what is stored: compression first, then
    /// encryption.
    fn then<C: Codec>(self, outer: C) -> Chain<Self, C>
    where
        Self: Sized,
    {
        Chain {
            first: self,
            second: outer,
        }
    }
}

/// One codec after the other, made by [`Codec::then`].
#[derive(Debug, Clone)]
pub struct Chain<A, B> {
    first: A,
    second: B,
}

impl<A: Codec, B: Codec> Codec for Chain<A, B> {
    fn name(&self) -> &'static str {
        self.second.name()
    }

    fn encode(&self, plain: &Payload) -> Payload {
        self.second.encode(&self.first.encode(plain))
    }

    fn decode(&self, stored: &Payload) -> Result<Payload, PayloadError> {
        self.first.decode(&self.second.decode(stored)?)
    }
}
