//! How waits for signals begin at addresses of the run's own, and how they end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{host::RunHost, state::State};
use crate::id::Seq;
use crate::payload::Payload;
use crate::store::NewWaiter;
use crate::workflow::{Ask, Outcome, PrivateAsk, Reading, panicked};

impl RunHost {
    /// Opens a wait at an address of the run's own, unless it is on record: then it is open, or
    /// its signal lies in the inbox.
    pub(super) fn begin_private(
        &self,
        state: &mut State,
        seq: Seq,
        ask: Arc<PrivateAsk>,
        was_waiting: bool,
    ) {
        let Some(slot) = state.cursor.slot(seq) else {
            return;
        };
        if !was_waiting {
            slot.wake_at = ask.timeout.map(|length| self.core.now() + length);
        }
        let token = Arc::clone(&ask.token);
        slot.ask = Some(Ask::Private(ask));
        if !was_waiting {
            state.pending.waiters.push(NewWaiter::new(seq, token));
        }
        self.wait_stored(state, seq, was_waiting);
    }

    /// A signal has come for the wait at `seq`, as item `item` of the inbox.
    ///
    /// What refuses it is written together with the answer to its sender and the wait that is
    /// opened again. After a crash before that, the item is still there and is looked at again.
    pub(super) fn signalled(state: &mut State, seq: Seq, item: i64, payload: Payload) {
        let Some(slot) = state.cursor.slot(seq) else {
            return;
        };
        let reading = match &slot.ask {
            Some(Ask::Private(ask)) => {
                // The author's code; a panic in it must not take the run's lock along.
                let read = catch_unwind(AssertUnwindSafe(|| ask.read(payload)));
                read.unwrap_or_else(|panic| {
                    Reading::Ends(Outcome::Failed(Box::new(panicked(&*panic))))
                })
            }
            _ => Reading::Ends(Outcome::Completed(payload)),
        };
        match (reading, &slot.ask) {
            (Reading::Refused { key, answer }, Some(Ask::Private(ask))) => {
                let waiter = NewWaiter::new(seq, Arc::clone(&ask.token));
                let pending = &mut state.pending;
                pending.take([item]);
                pending.rare().published.push((key, answer));
                pending.waiters.push(waiter);
                pending.is_urgent = true;
            }
            (Reading::Ends(outcome), _) => {
                slot.inbox = Some(item);
                state.ready(seq, outcome);
            }
            // Only a private wait has something that refuses.
            (Reading::Refused { .. }, _) => {}
        }
    }
}
