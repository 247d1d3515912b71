//! The host of a run's context: positions, polls and outcomes.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};

use super::{
    relation::Kin,
    spawned::spawned,
    state::{Identity, Phase, State},
    wake::{BodyWaker, RunWaker},
};
use crate::engine::{
    actions::{EventRequest, publication},
    core::Core,
    dead,
    replay::{Fault, Opened, SlotState},
};
use crate::id::{RunId, Seq};
use crate::model::{
    AttributePatch, Checkpoint, CheckpointStatus, Failure, InboxBody, InvalidAttributes, SignalId,
    WorkflowKey, mix,
};
use crate::payload::Payload;
use crate::store::{Delivery, RunRecord};
use crate::time::{Clock, Timestamp};
use crate::workflow::{
    Ask, AttemptReport, BoxFuture, Call, Captured, Dropped, EntitySend, Host, Interceptors, Make,
    Outcome, PatchState, States, StepPolicy, StepPoll,
};

/// A run in memory. Its context, its driver and the rest of the engine share it.
pub(crate) struct RunHost {
    pub(crate) identity: Identity,
    pub(crate) core: Arc<Core>,
    pub(crate) waker: Arc<RunWaker>,
    state: Mutex<State>,
    in_body: AtomicBool,
    /// The next poll is to leave the workflow's body; see `cut`.
    pub(super) cuts: AtomicBool,
}

impl RunHost {
    pub(crate) fn new(core: Arc<Core>, record: RunRecord) -> Self {
        let run = &record.run;
        let identity = Identity {
            run: run.id.clone(),
            workflow: run.workflow.clone(),
            token: run.token,
            attempt: run.recoveries.saturating_add(1),
            namespace: Arc::clone(&run.namespace),
            priority: run.priority,
            kin: Kin::of(run),
            last_life: dead::last_life(&core, run),
        };
        let waker = Arc::<RunWaker>::default();
        Self {
            identity,
            core,
            waker,
            state: Mutex::new(State::new(record)),
            in_body: AtomicBool::new(false),
            cuts: AtomicBool::new(false),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether an operation with this waker stands in a set of futures that wakes for itself.
    pub(crate) fn is_in_set(&self, waker: &Waker) -> bool {
        !std::ptr::eq(waker.data(), Arc::as_ptr(&self.waker).cast())
    }

    /// Refuses an operation that is made inside a step body.
    fn check_place(&self, state: &mut State, call: &Call) {
        if self.in_body.load(Ordering::Relaxed) {
            let name = if call.name.is_empty() {
                call.kind.as_str().into()
            } else {
                Arc::clone(&call.name)
            };
            let site = call.site;
            state.cursor.fail(Fault::Nested { name, site });
        }
    }
}

#[async_trait]
impl Host for RunHost {
    fn run_id(&self) -> &RunId {
        &self.identity.run
    }

    fn workflow(&self) -> &WorkflowKey {
        &self.identity.workflow
    }

    fn attempt(&self) -> u32 {
        self.identity.attempt
    }

    fn is_replaying(&self) -> bool {
        !self.state().cursor.is_live()
    }

    fn states(&self) -> &States {
        &self.core.states
    }

    fn interceptors(&self) -> &Interceptors {
        &self.core.interceptors
    }

    fn public_url(&self) -> Option<&str> {
        self.core.config.public_url.as_deref()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.core.clock)
    }

    fn now(&self) -> Timestamp {
        self.core.now()
    }

    fn seed(&self, seq: Seq) -> u64 {
        mix(Core::seed(&self.identity.run) ^ u64::from(seq.0).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn in_body(&self) -> &AtomicBool {
        &self.in_body
    }

    fn open(&self, call: Call) -> Seq {
        let site = self.core.site(call.site);
        let now = self.core.now();
        let mut state = self.state();
        state.turn.progressed();
        self.check_place(&mut state, &call);
        match state.cursor.open(call, site, now) {
            Opened::At(seq) | Opened::Recorded(seq, _) => seq,
        }
    }

    fn capture(&self, call: Call, make: &mut Make<'_>) -> Captured {
        let site = self.core.site(call.site);
        let now = self.core.now();
        let (kind, name) = (call.kind, Arc::clone(&call.name));
        let mut state = self.state();
        self.check_place(&mut state, &call);
        let seq = match state.cursor.open(call, Arc::clone(&site), now) {
            Opened::Recorded(_, value) => return value,
            Opened::At(seq) => seq,
        };
        // `make` is the author's code: it must not run under the lock.
        drop(state);
        let value = make(seq);
        let mut checkpoint = Checkpoint::new(seq, kind, name, now);
        match &value {
            Ok(value) => {
                checkpoint.status = CheckpointStatus::Completed;
                checkpoint.result = Some(value.clone());
            }
            Err(failure) => {
                checkpoint.status = CheckpointStatus::Failed;
                checkpoint.failure = Some(failure.clone());
            }
        }
        checkpoint.site = Some(site);
        checkpoint.finished_at = Some(now);
        let mut state = self.state();
        // Once something went wrong, what follows belongs to code that must not go on.
        if !state.cursor.has_fault() {
            if checkpoint.failure.is_some() {
                state.cursor.note_failure(checkpoint.clone());
            }
            state.pending.put(checkpoint, false);
            state.pending.gating += u32::from(kind.is_gate());
            state.pending.is_urgent |= kind.is_urgent();
        }
        value
    }

    fn check(&self, value: &Payload) -> Result<(), Failure> {
        let fits = value.fits(self.core.config.max_payload);
        fits.map_err(|error| Failure::of_payload(&error))
    }

    fn patch_state(&self, id: &str) -> PatchState {
        self.state().cursor.patch_state(id)
    }

    fn publish(&self, key: Arc<str>, value: Payload) {
        let mut state = self.state();
        if !state.cursor.has_fault() {
            state.pending.rare().published.push((key, value));
        }
    }

    fn emit(&self, name: Arc<str>, payload: Payload) {
        let mut state = self.state();
        if !state.cursor.has_fault() {
            let mut publication = publication(&self.core, EventRequest::new(name, payload));
            publication.is_from(&self.identity.namespace, self.identity.priority);
            let batch = publication.into_batch();
            let beyond = state.pending.beyond();
            beyond.starts.extend(batch.starts);
            beyond.sends.extend(batch.deliveries);
        }
    }

    fn send(&self, id: SignalId, token: Arc<str>, payload: Payload) {
        let at = self.core.now();
        let mut state = self.state();
        if !state.cursor.has_fault() {
            let signal = Delivery::Signal {
                id,
                token,
                payload,
                at,
            };
            state.pending.beyond().sends.push(signal);
        }
    }

    fn send_to_entity(&self, send: EntitySend) -> Result<(), Failure> {
        self.send_operation(&mut self.state(), &send)
    }

    fn cancel_run(&self, run: RunId) {
        let at = self.core.now();
        let mut state = self.state();
        if !state.cursor.has_fault() {
            let body = InboxBody::Cancel;
            let cancel = Delivery::Item { run, body, at };
            state.pending.beyond().sends.push(cancel);
            state.pending.is_urgent = true;
        }
    }

    fn continue_as(&self, input: Payload) {
        let mut state = self.state();
        if !state.cursor.has_fault() {
            self.continue_run(&mut state, input);
        }
    }

    fn tag(&self, tag: Arc<str>) {
        let mut state = self.state();
        if !state.cursor.has_fault() {
            let tags = &mut state.marks_mut().tags;
            if let Err(at) = tags.binary_search(&tag) {
                tags.insert(at, Arc::clone(&tag));
            }
            state.pending.rare().tags.push(tag);
        }
    }

    fn check_attributes(&self, patch: &AttributePatch) -> Result<(), InvalidAttributes> {
        let all = self.state().marks().attributes.with(patch)?;
        let entry = self.core.registry.workflow(&self.identity.workflow);
        // The type's code must not run under the lock.
        entry.map_or(Ok(()), |entry| entry.check_attributes(&all))
    }

    fn put_attributes(&self, patch: AttributePatch) {
        let mut state = self.state();
        if !state.cursor.has_fault() {
            state.marks_mut().attributes.apply(&patch);
            state.pending.rare().attributes.extend(patch);
        }
    }

    fn poll(&self, seq: Seq, ask: &Ask, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.state();
        state.turn.polled(seq);
        let Some(slot) = state.cursor.slot(seq) else {
            return Poll::Pending;
        };
        match &slot.state {
            SlotState::Released { .. } => {
                let outcome = hand_out(&mut state, seq, cx);
                return outcome.map_or(Poll::Pending, Poll::Ready);
            }
            SlotState::Opened => {
                slot.ask = Some(ask.clone());
                slot.state = SlotState::Held;
                slot.waker = Some(cx.waker().clone());
                state.held.push(seq);
            }
            _ => slot.keep_waker(cx),
        }
        Poll::Pending
    }

    fn poll_step(&self, seq: Seq, policy: &StepPolicy, cx: &mut Context<'_>) -> StepPoll {
        let mut state = self.state();
        state.turn.polled(seq);
        let may_start = state.may_start(&self.core);
        let Some(slot) = state.cursor.slot(seq) else {
            return StepPoll::Wait;
        };
        slot.keep_waker(cx);
        match &slot.state {
            SlotState::Released { .. } => {
                let outcome = hand_out(&mut state, seq, cx);
                outcome.map_or(StepPoll::Wait, StepPoll::Done)
            }
            SlotState::Opened | SlotState::Due => {
                slot.set_policy(*policy);
                if may_start && slot.record.is_none() {
                    let since = self.core.now();
                    slot.state = SlotState::Running { since };
                    slot.attempt += 1;
                    return StepPoll::Start(slot.attempt);
                }
                slot.state = SlotState::Held;
                state.held.push(seq);
                StepPoll::Wait
            }
            SlotState::Held
            | SlotState::Waiting
            | SlotState::Running { .. }
            | SlotState::Backoff
            | SlotState::Ready(_) => StepPoll::Wait,
        }
    }

    fn body_waker(&self, operation: &Waker) -> Option<Waker> {
        let waker = BodyWaker {
            operation: operation.clone(),
            run: Arc::clone(&self.waker),
        };
        self.is_in_set(operation)
            .then(|| Waker::from(Arc::new(waker)))
    }

    #[cfg(feature = "_sql")]
    fn database(&self) -> Option<sea_orm::DatabaseConnection> {
        self.core.store.host_connection().cloned()
    }

    #[cfg(feature = "_sql")]
    async fn finish_transaction(
        &self,
        seq: Seq,
        transaction: sea_orm::DatabaseTransaction,
        result: Payload,
    ) -> Result<Payload, Failure> {
        self.commit_step(seq, transaction, result).await
    }

    fn finish_attempt(&self, seq: Seq, report: AttemptReport) {
        let AttemptReport { result, events } = report;
        let result = result.and_then(|value| self.check(&value).map(|()| value));
        let mut state = self.state();
        self.attempt_ended(&mut state, seq, result, events);
    }

    fn close(&self, seq: Seq) -> Dropped {
        let mut state = self.state();
        if state.phase != Phase::Alive || state.cursor.has_fault() {
            return Dropped::Ignored;
        }
        state.turn.progressed();
        self.operation_dropped(&mut state, seq)
    }

    fn has_unseen(&self, name: &str) -> bool {
        self.state().cursor.has_unseen(name)
    }

    fn cut_off(&self) -> bool {
        self.cuts.swap(false, Ordering::Relaxed) && self.cut()
    }

    fn set_unwinding(&self, unwinds: bool) {
        self.state().unwinds = unwinds;
    }

    fn unwinds_again(&self) -> bool {
        self.state().cursor.is_replay_so_far()
    }

    fn spawn(
        &self,
        body: BoxFuture<'static, Result<Payload, Failure>>,
    ) -> BoxFuture<'static, Result<Payload, Failure>> {
        spawned(self.core.spawn(body))
    }

    async fn wait(&self, length: Duration) {
        let until = self.core.now() + length;
        self.core.clock.wait_until(until).await;
    }
}

/// The released outcome of an operation, if it is its turn to be seen.
fn hand_out(state: &mut State, seq: Seq, cx: &Context<'_>) -> Option<Outcome> {
    let slot = state.cursor.slot(seq)?;
    slot.keep_waker(cx);
    let SlotState::Released { ord, outcome } = &slot.state else {
        return None;
    };
    let (ord, outcome) = (*ord, outcome.clone());
    if !state.turn.may_see(ord, seq) {
        return None;
    }
    state.cursor.consume(seq);
    Some(outcome)
}

impl fmt::Debug for RunHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHost")
            .field("run", &self.identity.run)
            .field("workflow", &self.identity.workflow)
            .finish_non_exhaustive()
    }
}

/// The checkpoint of an operation as it stands now.
pub(crate) fn checkpoint_of(
    seq: Seq,
    slot: &crate::engine::replay::Slot,
    status: CheckpointStatus,
) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(seq, slot.kind, Arc::clone(&slot.name), slot.started_at);
    checkpoint.status = status;
    checkpoint.attempt = slot.attempt;
    checkpoint.failure = slot.failure.as_deref().cloned();
    checkpoint.wake_at = slot.wake_at;
    checkpoint.site = Some(Arc::clone(&slot.site));
    checkpoint.events = slot.events().to_vec();
    if let Some(Ask::Remote(ask)) = &slot.ask {
        checkpoint.result = Some(ask.input.clone());
    }
    checkpoint
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::replay::Slot;

    /// Thousands of runs wait in memory: what few of them need is boxed. `durable-bench W4`
    /// measures the whole of it.
    #[test]
    fn what_waits_is_small() {
        assert!(size_of::<RunHost>() <= 576, "{}", size_of::<RunHost>());
        assert!(size_of::<Slot>() <= 232, "{}", size_of::<Slot>());
    }
}
