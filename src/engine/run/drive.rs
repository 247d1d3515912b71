//! The task of a run: releases one outcome, polls the workflow, writes down, sleeps.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::task::coop::{Unconstrained, unconstrained};

use super::{
    deadline::DEADLINE,
    host::RunHost,
    state::{Cancel, Ending, Phase, State},
};
use crate::engine::{core::Core, resident::Resident, settled::Settlement};
use crate::model::{Failure, RunStatus};
use crate::payload::Payload;
use crate::store::RunRecord;
use crate::workflow::{BoxFuture, Host as _, Result, WorkflowCtx, WorkflowError, panicked};

/// Rounds of the driver in one poll of its task. A run with thousands of steps that end at once
/// lets others run in between.
const ROUNDS: u32 = 256;

/// Polls of a workflow that keeps waking itself before its turn is taken as over.
const SELF_WAKES: u32 = 1_000;

/// Brings a claimed run into memory and starts its task.
///
/// A crash afterwards leaves the run as it was claimed: its instance dies with the task, and the
/// take-over makes it due again.
pub(crate) fn begin(core: &Arc<Core>, record: RunRecord) {
    // Nobody comes in once the engine drains, so that the drain sees everybody who is in. The row
    // stays with this instance until that signs off, which makes the run due for the others.
    let _door = core.door.lock();
    if core.draining.is_cancelled() {
        return;
    }
    let run = record.run.id.clone();
    // The claim asks for registered workflows only.
    if let Some(driver) = Driver::of(core, record) {
        core.residents.insert(run, Arc::clone(&driver.host) as _);
        core.spawn(driver);
    }
}

type Body = Unconstrained<BoxFuture<'static, Result<Payload>>>;

/// The task of a run.
pub(super) struct Driver {
    pub(super) host: Arc<RunHost>,
    body: Option<Body>,
    /// What the workflow is polled with: [`RunHost::waker`].
    waker: Waker,
    has_begun: bool,
}

/// What the driver does next.
enum Next {
    /// Poll the workflow.
    Poll,
    /// Look again.
    Again,
    /// Drop the workflow's future and look again.
    Drop,
    /// Nothing to do until something happens.
    Rest,
    /// Nothing to do any more.
    Over,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.host.waker.rise(cx);
        for _ in 0..ROUNDS {
            match this.next() {
                Next::Poll => this.poll_body(),
                Next::Again => {}
                Next::Drop => this.drop_body(),
                Next::Rest => {
                    if this.host.waker.rest() {
                        return Poll::Pending;
                    }
                }
                Next::Over => {
                    this.drop_body();
                    this.leave();
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Driver {
    /// The task of a run; `None` if its workflow is not registered here.
    pub(super) fn of(core: &Arc<Core>, record: RunRecord) -> Option<Self> {
        Self::with(core, record, |_| ())
    }

    /// The same, with a look at the context that the workflow gets.
    pub(super) fn with(
        core: &Arc<Core>,
        record: RunRecord,
        look: impl FnOnce(&WorkflowCtx),
    ) -> Option<Self> {
        let entry = core.registry.workflow(&record.run.workflow)?;
        let make = Arc::clone(&entry.body);
        let input = record.run.input.clone();
        let host = Arc::new(RunHost::new(Arc::clone(core), record));
        host.watch_deadline();
        let ctx = WorkflowCtx::new(Arc::clone(&host) as _);
        look(&ctx);
        Some(Self {
            waker: Waker::from(Arc::clone(&host.waker)),
            host,
            body: Some(unconstrained(make(ctx, input))),
            has_begun: false,
        })
    }

    fn next(&mut self) -> Next {
        let host = &self.host;
        let mut state = host.state();
        let state = &mut *state;
        if state.phase == Phase::Over {
            return Next::Over;
        }
        if state.ending.is_none() {
            if let Some(ending) = forced_ending(state, self.has_begun) {
                state.ending = Some(Box::new(ending));
                return Next::Drop;
            }
            if !std::mem::replace(&mut self.has_begun, true) {
                state.cursor.begin();
                state.turn.begin(None);
                return Next::Poll;
            }
            if host.begin_cut(state) {
                return Next::Poll;
            }
            if let Some(released) = host.release(state) {
                released.waker.into_iter().for_each(Waker::wake);
                return Next::Poll;
            }
            if state.cursor.has_fault() {
                return Next::Again;
            }
            host.waker.pass_on();
            if host.waker.take_body() {
                return Next::Poll;
            }
            let held = host.start_held(state);
            if !held.is_empty() {
                held.into_iter().for_each(Waker::wake);
                return Next::Again;
            }
            if state.cursor.has_ready() {
                return Next::Again;
            }
        }
        host.unpark_or_park(state);
        host.flush(state);
        if !state.is_leaving() && state.arrivals.begin_reading() {
            host.read_inbox();
        }
        Next::Rest
    }

    /// Polls the workflow until it is pending, has not woken itself, and its sets of futures are
    /// in order: that is its turn.
    fn poll_body(&mut self) {
        let host = &self.host;
        let Some(body) = &mut self.body else {
            return;
        };
        let mut cx = Context::from_waker(&self.waker);
        let mut self_wakes = 0;
        loop {
            host.waker.take_body();
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *body).poll(&mut cx)));
            match polled {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(result)) => return self.finished(result),
                Err(panic) => return self.failed(panicked(&*panic)),
            }
            if host.state().cursor.has_fault() {
                break;
            }
            if host.waker.wants_body() && self_wakes < SELF_WAKES {
                self_wakes += 1;
            } else if host.sweep() || host.show_next() {
                self_wakes = 0;
            } else {
                break;
            }
        }
        let mut state = host.state();
        if state.pending.next().is_some() {
            drop(state);
            return self.continued();
        }
        state.cursor.end_turn();
    }

    /// The workflow has ended this run as the beginning of the next one.
    fn continued(&mut self) {
        let mut state = self.host.state();
        state.cursor.finish();
        if !state.cursor.has_fault() {
            let mut settlement = Settlement::new(RunStatus::Completed, None, None);
            settlement.next = state.pending.next().cloned();
            state.ending = Some(Box::new(Ending::Settled(settlement)));
        }
        drop(state);
        self.drop_body();
    }

    fn finished(&mut self, result: Result<Payload>) {
        let mut state = self.host.state();
        state.cursor.finish();
        if !state.cursor.has_fault() {
            let undos_failed = matches!(result, Err(WorkflowError::Compensation { .. }));
            let result = result.map_err(WorkflowError::into_failure);
            let result = result.and_then(|output| self.host.check(&output).map(|()| output));
            if result.is_err() && !undos_failed && !state.is_cut {
                state.mark_fatal();
            }
            let mut settlement = State::settlement(result);
            if state.is_cut {
                settlement.status = RunStatus::Cancelled;
            }
            if undos_failed {
                settlement.status = RunStatus::CompensationFailed;
            }
            state.ending = Some(Box::new(Ending::Settled(settlement)));
        }
        drop(state);
        self.drop_body();
    }

    fn failed(&mut self, failure: Failure) {
        let mut state = self.host.state();
        let ending = self.host.after_panic(&mut state, failure);
        state.ending.get_or_insert_with(|| Box::new(ending));
        drop(state);
        self.drop_body();
    }

    /// Drops the workflow's future; what its operations do as they go means nothing.
    pub(super) fn drop_body(&mut self) {
        let Some(body) = self.body.take() else {
            return;
        };
        let mut state = self.host.state();
        let is_over = state.phase == Phase::Over;
        state.phase = state.phase.max(Phase::Closing);
        drop(state);
        // A panic in a destructor of the user's must not take the task down.
        drop(catch_unwind(AssertUnwindSafe(move || drop(body))));
        // One that is over has forgotten them; by now the run may be back in memory, with timers
        // of its own.
        if !is_over {
            self.host.forget_timers(&self.host.state());
        }
    }

    fn leave(&self) {
        let host = &self.host;
        let mut state = host.state();
        if let Some(since) = state.parked_since.take() {
            host.core.residents.unpark(since, &host.identity.run);
        }
        drop(state);
        let resident: Arc<dyn Resident> = Arc::clone(host) as _;
        host.core.residents.remove(&host.identity.run, &resident);
        host.core.made_room();
    }
}

/// Why a run ends before its workflow has returned.
fn forced_ending(state: &mut State, has_begun: bool) -> Option<Ending> {
    if let Some(cancel) = state.cancel.filter(|_| !state.unwinds) {
        // A run that has done nothing has nothing to undo.
        let ends = match cancel {
            Cancel::Request | Cancel::Deadline => true,
            Cancel::Compensate { .. } => !has_begun && state.cursor.is_live(),
        };
        if ends {
            return Some(Ending::cancelled(cancel));
        }
    }
    let fault = state.cursor.take_fault()?;
    if fault.is_divergence() {
        // Nothing new has happened; what collected belongs to code that must not go on.
        state.pending = super::pending::Pending::default();
    }
    let failure = fault.into_failure();
    let settlement = Settlement::new(RunStatus::Blocked, None, Some(failure));
    Some(Ending::Settled(settlement))
}

impl RunHost {
    /// Wakes every operation inside a set of futures, if the workflow may have turned away from
    /// one; see [`Turn`](super::turn::Turn). Returns whether there was any.
    fn sweep(&self) -> bool {
        let mut state = self.state();
        if !state.cursor.is_in_turn() || !state.turn.take_sweep() {
            return false;
        }
        let wakers = state
            .cursor
            .slots()
            .filter_map(|(_, slot)| slot.waker.as_ref());
        let wakers: Vec<Waker> = wakers
            .filter(|waker| self.is_in_set(waker))
            .cloned()
            .collect();
        drop(state);
        let has_sets = !wakers.is_empty();
        wakers.into_iter().for_each(Waker::wake);
        has_sets
    }

    /// Lets the next operation see an outcome that was released to it before. Returns whether
    /// there was one.
    fn show_next(&self) -> bool {
        let mut state = self.state();
        if !state.cursor.is_in_turn() {
            return false;
        }
        let Some(seq) = state.turn.next_asked() else {
            return false;
        };
        let waker = state.cursor.slot(seq).and_then(|slot| slot.waker.clone());
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        true
    }

    /// Notes since when the run only waits, for eviction.
    fn unpark_or_park(&self, state: &mut State) {
        let waits = state.only_waits() && state.ending.is_none();
        match (waits, state.parked_since) {
            (true, None) => {
                let now = self.core.now();
                state.parked_since = Some(now);
                self.core.residents.park(now, &self.identity.run);
                self.core.made_room();
            }
            (false, Some(since)) => {
                state.parked_since = None;
                self.core.residents.unpark(since, &self.identity.run);
            }
            _ => {}
        }
    }

    pub(super) fn forget_timers(&self, state: &State) {
        let run = &self.identity.run;
        for (seq, slot) in state.cursor.slots() {
            if let Some(at) = slot.wake_at {
                self.core.timers.clear(at, run, seq);
            }
        }
        if let Some(at) = self.deadline() {
            self.core.timers.clear(at, run, DEADLINE);
        }
    }

    /// Reads the inbox, because not everything in it was handed over.
    fn read_inbox(self: &Arc<Self>) {
        let host = Arc::clone(self);
        self.core.spawn(async move {
            let run = &host.identity.run;
            // The semaphore is never closed.
            let _turn = host.core.inboxes.acquire().await;
            match host.core.store.load(run).await {
                Ok(Some(record)) if record.run.token == host.identity.token => {
                    host.was_read(record.inbox, record.run.wakes);
                }
                // An operator has taken the run away, or it was deleted.
                Ok(_) => host.lose(),
                // The loop that looks for woken runs finds it again.
                Err(error) => {
                    tracing::warn!(run_id = %run, error = &error as &dyn std::error::Error, "inbox not read");
                    host.state().arrivals.end_reading();
                    host.waker.tell();
                }
            }
        });
    }
}
