//! `ctx.upsert_search_attributes`.

use std::panic::Location;

use serde::Serialize;

use crate::model::{AttributePatch, CheckpointKind, Failure};
use crate::payload::Payload;
use crate::workflow::{
    error::{Result, WorkflowError},
    host::{Call, Host},
};

/// Merges search attributes into those of the run. On replay they are there already.
#[track_caller]
pub(crate) fn upsert_search_attributes<T: Serialize + ?Sized>(
    host: &dyn Host,
    changes: &T,
) -> Result<()> {
    let call = Call {
        kind: CheckpointKind::Attributes,
        // What is set is no name: it may be mended without a new version.
        name: "".into(),
        site: Location::caller(),
    };
    let mut new = None;
    let captured = host.capture(call, &mut |_| {
        // A refusal is on record, so that a run whose code saw it does not see it pass on replay.
        let patch = AttributePatch::of(changes);
        let patch = patch.and_then(|patch| host.check_attributes(&patch).map(|()| patch));
        let patch = patch.map_err(|error| Failure::of_attributes(&host.workflow().name, &error))?;
        let record = Payload::encode(&patch).map_err(|error| Failure::of_payload(&error))?;
        new = Some(patch);
        Ok(record)
    });
    captured.map_err(WorkflowError::Failed)?;
    if let Some(patch) = new {
        host.put_attributes(patch);
    }
    Ok(())
}
