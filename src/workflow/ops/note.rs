//! `ctx.note`.

use std::panic::Location;

use crate::model::CheckpointKind;
use crate::payload::Payload;
use crate::workflow::host::{Call, Host};

/// Writes a line into the history. On replay the recorded one stays. A crash before the next commit
/// leaves no trace of it, and it is written again.
#[track_caller]
pub(crate) fn note(host: &dyn Host, message: &str) {
    let call = Call {
        kind: CheckpointKind::Note,
        // The text is no name: it may be mended without a new version.
        name: "".into(),
        site: Location::caller(),
    };
    // A note that is too large is recorded as a failure in its place; the run goes on.
    drop(host.capture(call, &mut |_| {
        // A text always has a JSON form.
        let text = Payload::encode(message).unwrap_or_else(|_| Payload::null());
        host.check(&text).map(|()| text)
    }));
}
