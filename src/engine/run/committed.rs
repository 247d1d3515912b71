//! Results that were committed before their step is recorded; see `transaction`.

use super::{host::RunHost, state::State};
use crate::id::Seq;
use crate::model::{InboxBody, InboxItem};
use crate::workflow::Outcome;

impl RunHost {
    /// Gives a transaction that was committed before the run was claimed its result. `false` if
    /// there is none.
    pub(crate) fn take_committed(state: &mut State, seq: Seq) -> bool {
        let item = state.arrivals.take(|item| is_result(item, seq));
        let Some(InboxItem {
            id,
            body:
                InboxBody::StepResult {
                    outcome: Ok(stored),
                    ..
                },
            ..
        }) = item
        else {
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

/// Whether an item is the result of the step at `seq`.
pub(super) fn is_result(item: &InboxItem, seq: Seq) -> bool {
    matches!(&item.body, InboxBody::StepResult { seq: of, .. } if *of == seq)
}
