//! What an event starts: runs of the workflows that want to hear of it, and accumulators.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::core::Core;
use crate::id::RunId;
use crate::model::{EventId, Happened, NewRun, WorkflowKey, accumulated, started_by};
use crate::payload::Payload;
use crate::registry::Registry;
use crate::store::Delivery;
use crate::time::Timestamp;

/// What is stored together with an event.
#[derive(Debug, Default)]
pub(crate) struct Started {
    /// The runs that it starts, which come first, and accumulators that are missing.
    pub(crate) starts: Vec<NewRun>,
    /// How many of these the event starts.
    pub(crate) direct: usize,
    /// What accumulators get.
    pub(crate) signals: Vec<Delivery>,
}

impl Started {
    /// Whether the event concerns nobody here but those who wait for it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.signals.is_empty()
    }
}

/// What an event starts, besides reaching those who wait.
///
/// All of it is stored in one transaction with the event: after a crash there is nothing of it, or
/// everything. The runs have no owner and are claimed.
pub(crate) fn started(core: &Core, event: &Delivery) -> Started {
    let mut started = Started::default();
    let Delivery::Event {
        id,
        name,
        facts,
        payload,
        at,
        ..
    } = event
    else {
        return started;
    };
    let mut accumulators = Vec::new();
    for one in core.registry.subscribers(name, facts) {
        match &one.accumulator {
            None => {
                let run = started_by(*id, &one.target.name);
                let new = new_run(core, run, &one.target, payload.clone());
                started.starts.push(new);
            }
            Some(accumulator) => {
                accumulators.extend(core.accumulators.missing(core, accumulator));
                started
                    .signals
                    .extend(signal(accumulator, *id, *at, payload));
            }
        }
    }
    started.direct = started.starts.len();
    started.starts.append(&mut accumulators);
    started
}

fn signal(
    accumulator: &WorkflowKey,
    event: EventId,
    at: Timestamp,
    payload: &Payload,
) -> Option<Delivery> {
    let payload = payload.clone();
    // It was JSON when it came in.
    let payload = Payload::encode(&Happened { event, at, payload }).ok()?;
    Some(Delivery::Signal {
        id: accumulated(&accumulator.name, event),
        token: Arc::clone(&accumulator.name),
        payload,
        at,
    })
}

fn new_run(core: &Core, id: RunId, workflow: &WorkflowKey, input: Payload) -> NewRun {
    let entry = core.registry.workflow(workflow);
    let mut new = match entry {
        Some(entry) => entry.new_run(id, input, core.now()),
        None => NewRun::new(id, workflow.clone(), input, core.now()),
    };
    let tags = entry.into_iter().flat_map(|entry| entry.tags);
    new.tags = tags.map(|tag| Arc::from(*tag)).collect();
    new.tags.sort_unstable();
    new.tags.dedup();
    if let Some(namespace) = &core.config.namespace {
        new.namespace.clone_from(namespace);
    }
    new
}

/// What this process knows of the runs that accumulate events.
///
/// Usually each of these workflows has one run that has not ended: it waits, and continues as
/// another one when its history has become long. What is known here is as old as the last look
/// (`loops/accumulators.rs`), so it decides nothing but how soon an accumulator is there: events are
/// kept in the buffer of a token until one takes them.
#[derive(Debug)]
pub(crate) struct Accumulators {
    places: BTreeMap<WorkflowKey, Place>,
    /// Told when it should be looked sooner.
    pub(crate) look_now: Notify,
}

/// One workflow that accumulates.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) workflow: WorkflowKey,
    /// The run that an event has to start, because none was there at the last look.
    missing: Mutex<Option<RunId>>,
    /// Whether one was there at some look.
    was_there: AtomicBool,
}

impl Accumulators {
    pub(crate) fn new(registry: &Registry) -> Self {
        let places = registry.accumulators().map(|workflow| {
            let place = Place {
                workflow: workflow.clone(),
                missing: Mutex::new(Some(first_id(workflow))),
                was_there: AtomicBool::new(false),
            };
            (workflow.clone(), place)
        });
        Self {
            places: places.collect(),
            look_now: Notify::new(),
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.values()
    }

    /// The run to be started together with an event, if none was there at the last look.
    fn missing(&self, core: &Core, workflow: &WorkflowKey) -> Option<NewRun> {
        let id = self.places.get(workflow)?.missing.lock().clone()?;
        self.look_now.notify_one();
        Some(new_run(core, id, workflow, Payload::null()))
    }
}

impl Place {
    /// One is there.
    pub(crate) fn found(&self) {
        *self.missing.lock() = None;
        self.was_there.store(true, Ordering::Relaxed);
    }

    /// None is there. Answers with the run to be started, unless there has never been any.
    pub(crate) fn lost(&self, last: Option<&RunId>) -> Option<RunId> {
        let next = last.map_or_else(|| first_id(&self.workflow), RunId::successor);
        *self.missing.lock() = Some(next.clone());
        let had_any = last.is_some() || self.was_there.load(Ordering::Relaxed);
        had_any.then_some(next)
    }
}

fn first_id(workflow: &WorkflowKey) -> RunId {
    RunId::from_trusted(Arc::clone(&workflow.name))
}
