//! `ctx.emit`.

use std::{panic::Location, sync::Arc};

use serde::Serialize;

use crate::id::check_name;
use crate::model::{CheckpointKind, Failure};
use crate::payload::Payload;
use crate::workflow::{
    error::{Result, WorkflowError},
    host::{Call, Host},
};

/// Publishes an event with the next commit of the run. On replay it has been published.
///
/// The record of it and the event are in that commit: a crash leaves both or neither.
#[track_caller]
pub(crate) fn emit<T: Serialize + ?Sized>(
    host: &dyn Host,
    name: Arc<str>,
    value: &T,
) -> Result<()> {
    let value = Payload::encode(value).map_err(WorkflowError::Payload)?;
    let call = Call {
        kind: CheckpointKind::Emit,
        name: Arc::clone(&name),
        site: Location::caller(),
    };
    let mut is_new = false;
    let captured = host.capture(call, &mut |_| {
        // On record, so that a run whose code saw it refused does not see it pass on replay.
        let named = check_name("event name", &name);
        named.map_err(|error| Failure::fatal("invalid_name", error.to_string()))?;
        host.check(&value)?;
        is_new = true;
        Ok(Payload::null())
    });
    captured.map_err(WorkflowError::Failed)?;
    if is_new {
        host.emit(name, value);
    }
    Ok(())
}
