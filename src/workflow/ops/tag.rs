//! `ctx.add_tag`.

use std::{panic::Location, sync::Arc};

use crate::model::CheckpointKind;
use crate::payload::Payload;
use crate::workflow::host::{Call, Host};

/// Adds a tag to the run. On replay it is there already. Record and tag are one commit: a crash leaves
/// both or neither.
#[track_caller]
pub(crate) fn add_tag(host: &dyn Host, tag: Arc<str>) {
    let call = Call {
        kind: CheckpointKind::Tag,
        name: Arc::clone(&tag),
        site: Location::caller(),
    };
    let mut is_new = false;
    // A tag has no value that could be refused.
    drop(host.capture(call, &mut |_| {
        is_new = true;
        Ok(Payload::null())
    }));
    if is_new {
        host.tag(tag);
    }
}
