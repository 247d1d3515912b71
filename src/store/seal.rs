//! Failures in the form in which a codec lets them be stored.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::model::Failure;
use crate::payload::{Codec, Payload, PayloadError};

/// Where the details of a sealed failure hold what was sealed.
const SEALED: &str = "$sealed";

/// The failure as it is stored: its code and whether it may be retried in the clear, since
/// programs look for them, and everything that people wrote inside.
pub(super) fn seal(codec: &dyn Codec, plain: &Failure) -> Failure {
    // A failure always has a JSON form.
    let text = Payload::encode(plain).unwrap_or_default();
    let sealed = STANDARD.encode(codec.encode(&text).as_bytes());
    let mut stored = Failure::retryable(format!("sealed by codec `{}`", codec.name()));
    stored.retryable = plain.retryable;
    stored.code.clone_from(&plain.code);
    stored.details = Some(json!({ SEALED: sealed }));
    stored
}

/// The failure that was sealed. One that was not is taken as it is: the store itself writes some,
/// with a sealed one as their cause, and others are older than the codec.
pub(super) fn open(codec: &dyn Codec, stored: &mut Failure) -> Result<(), PayloadError> {
    let sealed = stored.details.as_ref().and_then(|it| it.get(SEALED));
    let Some(sealed) = sealed.and_then(Value::as_str) else {
        return stored
            .cause
            .as_mut()
            .map_or(Ok(()), |cause| open(codec, cause));
    };
    let sealed = STANDARD.decode(sealed);
    let sealed = sealed.map_err(|_| PayloadError::Codec {
        codec: codec.name(),
        reason: "a sealed failure is torn".to_owned(),
    })?;
    *stored = codec.decode(&Payload::from_bytes(sealed))?.decode()?;
    Ok(())
}
