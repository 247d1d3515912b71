//! `ctx.set_event`.

use std::{panic::Location, sync::Arc};

use serde::Serialize;

use crate::model::CheckpointKind;
use crate::payload::Payload;
use crate::workflow::{
    error::{Result, WorkflowError},
    host::{Call, Host},
};

/// Publishes a value under a key. On replay the stored one stays.
#[track_caller]
pub(crate) fn set_event<T: Serialize + ?Sized>(
    host: &dyn Host,
    key: Arc<str>,
    value: &T,
) -> Result<()> {
    let value = Payload::encode(value).map_err(WorkflowError::Payload)?;
    let call = Call {
        kind: CheckpointKind::SetEvent,
        name: Arc::clone(&key),
        site: Location::caller(),
    };
    let mut is_new = false;
    let captured = host.capture(call, &mut |_| {
        // On record, so that a run whose code saw it refused does not see it pass on replay.
        host.check(&value)?;
        is_new = true;
        Ok(Payload::null())
    });
    captured.map_err(WorkflowError::Failed)?;
    if is_new {
        host.publish(key, value);
    }
    Ok(())
}
