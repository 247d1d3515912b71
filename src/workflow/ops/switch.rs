//! `ctx.switch`.

use std::{panic::Location, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::model::CheckpointKind;
use crate::payload::Payload;
use crate::workflow::{
    error::{Result, WorkflowError},
    host::{Call, Host},
};

/// The recorded choice, or `value` as it is recorded now.
///
/// Nothing that comes after it starts before the choice is durable. So a crash leaves either no
/// trace of the branch at all, or the choice.
#[track_caller]
pub(crate) fn switch<T: Serialize + DeserializeOwned>(
    host: &dyn Host,
    name: Arc<str>,
    value: &T,
) -> Result<T> {
    let value = Payload::encode(value).map_err(WorkflowError::Payload)?;
    let call = Call {
        kind: CheckpointKind::Switch,
        name,
        site: Location::caller(),
    };
    let choice = host.capture(call, &mut |_| host.check(&value).map(|()| value.clone()));
    let choice = choice.map_err(WorkflowError::Failed)?;
    choice.decode().map_err(WorkflowError::Payload)
}
