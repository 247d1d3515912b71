//! Results that were committed before their step is recorded; see `transaction`.

use super::{host::RunHost, state::State};
use crate::id::Seq;
use crate::model::{InboxBody, InboxItem};
use crate::payload::Payload;
use crate::workflow::Outcome;

impl RunHost {
    /// Gives a transaction that was committed before the run was claimed its result. `false` if
    /// there is none.
    pub(crate) fn take_committed(state: &mut State, seq: Seq) -> bool {
        let item = state.arrivals.take(|item| is_result(item, seq));
        let Some((id, stored)) = item.and_then(stored_result) else {
            return false;
        };
        if let Some(slot) = state.cursor.slot(seq) {
            slot.inbox = Some(id);
            slot.attempt = slot.attempt.max(1);
        }
        state.ready(seq, Outcome::Completed(stored));
        true
    }
}

/// What a step has returned, and the item that says so.
pub(super) fn stored_result(item: InboxItem) -> Option<(i64, Payload)> {
    match item.body {
        InboxBody::StepResult {
            outcome: Ok(stored),
            ..
        } => Some((item.id, stored)),
        _ => None,
    }
}

/// Whether an item is the result of the step at `seq`.
pub(super) fn is_result(item: &InboxItem, seq: Seq) -> bool {
    matches!(&item.body, InboxBody::StepResult { seq: of, .. } if *of == seq)
}
