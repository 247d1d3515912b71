//! What a run does to other runs: starts them, waits for them, continues as one.

use std::sync::Arc;

use super::{host::RunHost, state::State};
use crate::engine::{actions::check_attributes, core::Core, tell::tell_all};
use crate::id::{FencingToken, RunId, Seq};
use crate::model::{Attributes, Failure, NewRun, Parent, Run, StepEvent, StepEventKind};
use crate::payload::Payload;
use crate::store::{CommitAck, Delivery, DeliveryAck, NewJoin, RunRecord, StartAck};
use crate::time::Timestamp;
use crate::workflow::{ChildAsk, ChildStart, EntitySend};

/// What is kept of a run for those that it continues as, and for its end.
#[derive(Debug)]
pub(crate) struct Kin {
    pub(crate) parent: Option<Parent>,
    pub(crate) is_joined: bool,
    pub(crate) deadline: Option<Timestamp>,
}

impl Kin {
    /// `None` for the usual run, which has nothing of it.
    pub(crate) fn of(run: &Run) -> Option<Box<Self>> {
        let has_any = run.parent.is_some() || run.is_joined || run.deadline.is_some();
        has_any.then(|| {
            Box::new(Self {
                parent: run.parent.clone(),
                is_joined: run.is_joined,
                deadline: run.deadline,
            })
        })
    }
}

impl RunHost {
    /// Writes down that another run is started, waited for, or both.
    ///
    /// All of it is in one commit with the record that says so: after a crash there is nothing of
    /// it, or everything.
    pub(super) fn ask_for_run(
        &self,
        state: &mut State,
        seq: Seq,
        ask: &ChildAsk,
    ) -> Result<(), Failure> {
        if ask.run == self.identity.run {
            let message = "a run cannot wait for its own end";
            return Err(Failure::fatal("own_end", message));
        }
        if let Some(start) = &ask.start {
            let new = self.new_child(&ask.run, start)?;
            state.pending.beyond().starts.push(new);
        }
        if ask.waits {
            let join = NewJoin::new(seq, ask.run.clone());
            state.pending.beyond().joins.push(join);
        }
        if let Some(slot) = state.cursor.slot(seq) {
            let kind = StepEventKind::Run {
                run: ask.run.clone(),
            };
            slot.add_events([StepEvent::new(self.core.now(), slot.attempt, kind)]);
        }
        Ok(())
    }

    fn new_child(&self, id: &RunId, start: &ChildStart) -> Result<NewRun, Failure> {
        self.check_input(&start.input)?;
        let Some(entry) = self.core.registry.workflow(&start.workflow) else {
            let message = format!(
                "this process does not register workflow `{}`",
                start.workflow
            );
            return Err(Failure::fatal("unknown_workflow", message));
        };
        let new = entry.new_run(id.clone(), start.input.clone(), self.core.now());
        let mut new = self.begun_here(new);
        new.tags.clone_from(&start.tags);
        new.tags
            .extend(entry.tags.iter().map(|tag| Arc::from(*tag)));
        let attributes = Attributes::default().with(&start.attributes);
        let attributes = attributes.and_then(|all| check_attributes(entry, &all).map(|()| all));
        new.attributes =
            attributes.map_err(|error| Failure::of_attributes(&entry.key.name, &error))?;
        new.priority = start.priority.unwrap_or(self.identity.priority);
        new.parent = Some(Parent::new(self.identity.run.clone(), start.on_cancel));
        new.deadline = start.execution_timeout.map(|length| new.due_at + length);
        Ok(new)
    }

    /// Sends an operation to an entity on behalf of the one at `seq`, which waits for the answer.
    pub(super) fn ask_entity(
        &self,
        state: &mut State,
        seq: Seq,
        send: &EntitySend,
    ) -> Result<(), Failure> {
        self.send_operation(state, send)?;
        if let Some(slot) = state.cursor.slot(seq) {
            let kind = StepEventKind::Run {
                run: send.run.clone(),
            };
            slot.add_events([StepEvent::new(self.core.now(), slot.attempt, kind)]);
        }
        Ok(())
    }

    /// Writes down that an entity is started, unless it is there, and gets an operation.
    ///
    /// Both are in one commit with the record that says so: after a crash there is nothing of it,
    /// or everything. The entity has no parent and no priority, since it lives longer than who
    /// happens to be first.
    pub(super) fn send_operation(
        &self,
        state: &mut State,
        send: &EntitySend,
    ) -> Result<(), Failure> {
        self.check_input(&send.request)?;
        let Some(entry) = self.core.registry.newest(&send.workflow) else {
            let message = format!("this process does not register `{}`", send.workflow);
            return Err(Failure::fatal("unknown_entity", message));
        };
        if state.cursor.has_fault() {
            return Ok(());
        }
        let new = entry.new_run(send.run.clone(), Payload::null(), self.core.now());
        let mut new = self.begun_here(new);
        new.tags = entry.tags.iter().map(|tag| Arc::from(*tag)).collect();
        let beyond = state.pending.beyond();
        if beyond.starts.iter().all(|it| it.id != new.id) {
            beyond.starts.push(new);
        }
        beyond.sends.push(Delivery::Signal {
            id: send.id,
            token: send.run.as_str().into(),
            payload: send.request.clone(),
            at: self.core.now(),
        });
        Ok(())
    }

    fn check_input(&self, input: &Payload) -> Result<(), Failure> {
        let fits = input.fits(self.core.config.max_payload);
        fits.map_err(|error| Failure::of_payload(&error))
    }

    fn begun_here(&self, mut new: NewRun) -> NewRun {
        // Begun here with the answer to the commit, like a start from outside. What this run may
        // do here its relatives may too: they are in its namespace.
        new.owner = self.core.takes_runs().then(|| self.core.instance());
        new.namespace.clone_from(&self.identity.namespace);
        new
    }

    /// The workflow ends this run as the beginning of the next one.
    pub(super) fn continue_run(&self, state: &mut State, input: Payload) {
        let name = &self.identity.workflow.name;
        let newest = self.core.registry.newest(name);
        let (id, now) = (self.identity.run.successor(), self.core.now());
        let mut new = self.begun_here(match newest {
            Some(entry) => entry.new_run(id.clone(), input, now),
            None => NewRun::new(id.clone(), self.identity.workflow.clone(), input, now),
        });
        if let Some(kin) = &self.identity.kin {
            new.parent.clone_from(&kin.parent);
            new.deadline = kin.deadline;
        }
        new.priority = self.identity.priority;
        let marks = state.marks();
        (new.tags, new.attributes) = (marks.tags, marks.attributes);
        let beyond = state.pending.beyond();
        beyond.starts.push(new);
        beyond.next = Some(id);
    }

    /// Runs were stored by the commit that was on its way.
    pub(super) fn begin_created(&self, starts: &[NewRun], ack: &CommitAck) {
        for (new, ack) in starts.iter().zip(&ack.starts) {
            if *ack == StartAck::Created {
                begin(&self.core, new);
            }
        }
    }

    /// Others were told by the commit that was on its way.
    pub(super) fn spread(&self, ack: &CommitAck) {
        if ack.told.contains(&DeliveryAck::Buffered) {
            // It may be an event for an accumulator that is not there.
            self.core.accumulators.look_now.notify_one();
        }
        tell_all(&self.core, &ack.told);
    }
}

/// Begins a run that was stored, if it was stored for this instance.
fn begin(core: &Arc<Core>, new: &NewRun) {
    if new.owner.is_none() {
        return core.look_for_due();
    }
    let mut run = Run::begun(new, FencingToken(1));
    // As a rule someone waits for it; the store looks in any case.
    run.is_joined = true;
    super::begin(core, RunRecord::new(run, Vec::new(), Vec::new()));
}
