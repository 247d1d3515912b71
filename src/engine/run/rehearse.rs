//! Replaying a run without doing anything.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
};

use super::{
    drive::Driver,
    state::{Ending, InFlight, State},
};
use crate::engine::{core::Core, settled::Settlement};
use crate::id::Seq;
use crate::model::{CheckpointKind, Failure, RunStatus};
use crate::store::RunRecord;

/// How far a workflow's code comes with a recorded history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rehearsal {
    /// The code does not fit the history: it asks for something else, or awaits what is no
    /// operation.
    Diverged(Failure),
    /// The code panicked.
    Panicked(Failure),
    /// The code returned.
    Returned(Settlement),
    /// The code used the history up and waits for these operations, old ones and new ones.
    Waits(Vec<(Seq, CheckpointKind, Arc<str>)>),
}

/// Polls of a workflow that something foreign keeps waking before it is given up.
const MOST_POLLS: u32 = 1_000;

/// Replays `record` on a core without loops. Whatever lies beyond the history is asked for and
/// does not begin: its predecessors never become durable.
pub(crate) fn rehearse(core: &Arc<Core>, record: RunRecord) -> Option<Rehearsal> {
    let mut driver = Driver::of(core, record)?;
    poll(&mut driver);
    let rehearsal = seen(&driver.host.state());
    driver.drop_body();
    Some(rehearsal)
}

/// The steps that a run would undo if it were cancelled where `record` ends, each with the name of
/// its undo, in that order. `None` if the code does not come to that place and stays there.
pub(crate) fn undos(core: &Arc<Core>, record: RunRecord) -> Option<Vec<(Seq, Arc<str>)>> {
    let mut saga = None;
    let mut driver = Driver::with(core, record, |ctx| saga = Some(ctx.saga()))?;
    poll(&mut driver);
    // Before the body is dropped: what goes with it may note more.
    let due = match seen(&driver.host.state()) {
        Rehearsal::Waits(_) => saga.map(|saga| saga.due()),
        Rehearsal::Diverged(_) | Rehearsal::Panicked(_) | Rehearsal::Returned(_) => None,
    };
    driver.drop_body();
    due
}

/// Polls a driver until it only waits for what never comes.
fn poll(driver: &mut Driver) {
    // A commit that is on its way for ever: nothing is written, and no effect may start before it.
    driver.host.state().in_flight = Some(InFlight {
        gating: 1,
        then: None,
        ending: None,
    });
    let again = Arc::new(Again::default());
    let waker = Waker::from(Arc::clone(&again));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..MOST_POLLS {
        let polled = Pin::new(&mut *driver).poll(&mut cx);
        if polled.is_ready() || !again.0.swap(false, Ordering::Relaxed) {
            break;
        }
    }
}

fn seen(state: &State) -> Rehearsal {
    match state.ending.as_deref() {
        Some(Ending::Retry { failure, .. }) => Rehearsal::Panicked(failure.clone()),
        Some(Ending::Settled(settlement)) => match (settlement.status, &settlement.failure) {
            (RunStatus::Blocked, Some(failure)) => Rehearsal::Diverged(failure.clone()),
            (RunStatus::Dead, Some(failure)) => Rehearsal::Panicked(failure.clone()),
            _ => Rehearsal::Returned(settlement.clone()),
        },
        Some(Ending::Evicted) | None => Rehearsal::Waits(
            state
                .cursor
                .slots()
                .filter(|(_, slot)| slot.is_outstanding())
                .map(|(seq, slot)| (seq, slot.kind, Arc::clone(&slot.name)))
                .collect(),
        ),
    }
}

/// Notes that the driver wants to be polled again.
#[derive(Debug, Default)]
struct Again(AtomicBool);

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
