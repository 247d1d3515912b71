//! `ctx.patched` and `ctx.deprecate_patch`.

use std::{panic::Location, sync::Arc};

use crate::model::CheckpointKind;
use crate::payload::Payload;
use crate::workflow::host::{Call, Host, PatchState};

/// Whether the run takes the new way of the patch `id`; only then a position is taken.
///
/// The mark is written with the next commit. A crash before it leaves no trace of what follows either,
/// so the call decides anew.
#[track_caller]
pub(crate) fn patched(host: &dyn Host, id: Arc<str>) -> bool {
    let is_new = host.patch_state(&id) != PatchState::OldRun;
    if is_new {
        mark(host, id, Location::caller());
    }
    is_new
}

/// Passes over the mark that `patched` has left, if there is one.
#[track_caller]
pub(crate) fn deprecate_patch(host: &dyn Host, id: Arc<str>) {
    if host.patch_state(&id) == PatchState::Recorded {
        mark(host, id, Location::caller());
    }
}

fn mark(host: &dyn Host, id: Arc<str>, site: &'static Location<'static>) {
    let call = Call {
        kind: CheckpointKind::Patch,
        name: id,
        site,
    };
    // A mark has no value that could be refused.
    drop(host.capture(call, &mut |_| Ok(Payload::null())));
}
