//! The verbs of an engine.

use std::{sync::Arc, time::Duration};

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    actions::{
        self, EventOutcome, EventRequest, SignalOutcome, StartError, StartOutcome, StartRequest,
    },
    config::EngineConfig,
    core::{Core, CoreParts},
    loops,
    retention::Swept,
    run::Rehearsal,
    settled::Settlement,
    under_way::StepUnderWay,
};
use crate::control_plane::ControlPlane;
use crate::event::{Counts, EngineEvent};
use crate::id::{InstanceId, RunId, Seq};
use crate::model::{InstanceReport, NewRun, RunHistory, SignalId};
use crate::payload::Payload;
use crate::registry::Registry;
use crate::store::{Batch, Delivery, Store, StoreError};
use crate::time::Clock;
use crate::transport::Transport;
use crate::workflow::{Interceptors, States};

/// What an engine is made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct EngineParts {
    /// How it is set up.
    pub config: EngineConfig,
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What can be run here.
    pub registry: Registry,
    /// What `State<T>` receives.
    pub states: States,
    /// Who sees the attempts of steps.
    pub interceptors: Interceptors,
    /// How steps reach workers.
    pub transport: Arc<dyn Transport>,
    /// How instances tell each other news; `None` leaves it to their polls.
    pub control_plane: Option<Arc<dyn ControlPlane>>,
}

impl EngineParts {
    /// An engine over a store, with the store's control plane and everything else at its default.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, registry: Registry, transport: Arc<dyn Transport>) -> Self {
        Self {
            control_plane: store.control_plane(),
            config: EngineConfig::default(),
            store,
            registry,
            states: States::default(),
            interceptors: Interceptors::default(),
            transport,
        }
    }
}

/// Drives runs. Clones share the engine.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) core: Arc<Core>,
}

impl Engine {
    /// Removes what is kept no longer, now and not at the next sweep; nothing without a retention.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. What was removed by then stays removed.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        match &self.core.config.retention {
            Some(retention) => loops::sweep(&self.core, retention).await,
            None => Ok(Swept::default()),
        }
    }

    /// Replays a history with the code and the values of this engine, in this thread and without
    /// doing anything; `None` if it does not have that code.
    #[must_use]
    pub fn rehearse(&self, history: &RunHistory) -> Option<Rehearsal> {
        let entry = self.core.registry.workflow(&history.workflow())?.clone();
        // Its values were checked when this engine was built.
        super::rehearse::rehearse(entry, self.core.states.clone(), history).ok()
    }

    /// The steps that a run with this history would undo if it were cancelled now, each with the
    /// name of its undo, in that order: by a [rehearsal](Self::rehearse). `None` if this engine
    /// does not have the code, or the code does not fit the history.
    #[must_use]
    pub fn undos(&self, history: &RunHistory) -> Option<Vec<(Seq, Arc<str>)>> {
        let entry = self.core.registry.workflow(&history.workflow())?.clone();
        super::rehearse::undos(entry, self.core.states.clone(), history)
    }

    /// Starts an engine: takes over from dead instances, then claims what is due.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be reached.
    pub async fn start(parts: EngineParts) -> Result<Self, StoreError> {
        let (dispatch, queue) = mpsc::unbounded_channel();
        let core = Arc::new(Core::new(CoreParts {
            config: parts.config,
            store: parts.store,
            registry: parts.registry,
            states: parts.states,
            control_plane: parts.control_plane,
            interceptors: parts.interceptors,
            dispatch,
        }));
        let lock = if core.config.drive {
            loops::enroll(&core).await?
        } else {
            crate::store::LivenessLock::none()
        };
        loops::spawn_all(&core, queue, parts.transport, lock);
        // Else the first event would not know whether somebody takes it.
        loops::look_at_accumulators(&core).await;
        info!(instance = %core.instance(), store = core.store.name(), drive = core.config.drive, "engine started");
        Ok(Self { core })
    }

    /// Whether instances tell each other news; without it they find it in the store, at their
    /// polls.
    #[must_use]
    pub fn has_control_plane(&self) -> bool {
        self.core.herald.plane().is_some()
    }

    /// Starts a run.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the run may be stored or not; starting it again by the same id
    /// finds out.
    pub async fn start_run(&self, request: StartRequest) -> Result<StartOutcome, StartError> {
        actions::start(&self.core, request).await
    }

    /// Starts a run and delivers signals in one transaction.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, all of it may be stored or nothing; repeating it by the same ids
    /// finds out.
    pub async fn start_with_signals(
        &self,
        request: StartRequest,
        signals: Vec<Delivery>,
    ) -> Result<StartOutcome, StartError> {
        actions::start_with_signals(&self.core, request, signals).await
    }

    /// Turns a request into a run that a caller stores in a transaction of its own.
    ///
    /// # Errors
    ///
    /// [`StartError::UnknownWorkflow`], [`StartError::Input`].
    pub fn prepare_run(&self, request: StartRequest) -> Result<NewRun, StartError> {
        actions::prepare(&self.core, request)
    }

    /// Looks for due runs several times in the next second, because one was stored in someone's
    /// transaction, and when that is committed is not known.
    pub fn expect_start(&self) {
        const LOOKS_MS: [u64; 7] = [1, 4, 15, 50, 130, 300, 500];
        let core = Arc::clone(&self.core);
        self.core.tasks.spawn(async move {
            for pause in LOOKS_MS {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                core.look_for_due();
            }
        });
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`StoreError::Payload`] if the value is larger than
    /// [`max_payload`](EngineConfig::max_payload).
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the signal may be stored or not; sending it again under the same
    /// id delivers it once.
    pub async fn signal(
        &self,
        id: SignalId,
        token: Arc<str>,
        payload: Payload,
    ) -> Result<SignalOutcome, StoreError> {
        actions::signal(&self.core, id, token, payload).await
    }

    /// Publishes an event.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`StoreError::Payload`] if the value is larger than
    /// [`max_payload`](EngineConfig::max_payload).
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the event may be published or not; publishing it again under the
    /// same id does no harm.
    pub async fn publish_event(&self, request: EventRequest) -> Result<EventOutcome, StoreError> {
        actions::publish_event(&self.core, request).await
    }

    /// Turns a request into an event, and what it starts, which a caller publishes in a
    /// transaction of its own.
    #[must_use]
    pub fn publication(&self, request: EventRequest) -> Batch {
        actions::publication(&self.core, request).into_batch()
    }

    /// Waits for news of a run's end in this process. Whoever looks at the store afterwards
    /// misses nothing. The channel closes when the run may have ended elsewhere: look again.
    #[must_use]
    pub fn watch(&self, run: &RunId) -> oneshot::Receiver<Settlement> {
        self.core.settled.watch(run)
    }

    /// Asks the instance that executes a run to tell this one how it gets on, for the next half
    /// minute: [`subscribe`](Self::subscribe) and [`watch`](Self::watch) hear of it then. To be
    /// repeated for as long as someone wants to know, once a second is fine.
    ///
    /// Does nothing for a run in memory here, and nothing without a control plane.
    pub fn follow(&self, run: &RunId) {
        if self.core.residents.get(run).is_none() {
            self.core.herald.follow(run);
        }
    }

    /// The steps of a run whose bodies execute in this process now; none if it is not in memory
    /// here. By the next moment one may have ended.
    #[must_use]
    pub fn under_way(&self, run: &RunId) -> Vec<StepUnderWay> {
        let resident = self.core.residents.get(run);
        resident.map_or_else(Vec::new, |resident| resident.under_way())
    }

    /// Listens to what happens from now on: here, and to runs elsewhere that someone here
    /// [follows](Self::follow).
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.core.events.subscribe()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.core.store
    }

    /// The clock of the store.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.core.clock
    }

    /// What can be run here.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.core.registry
    }

    /// What `State<T>` receives.
    #[must_use]
    pub fn states(&self) -> &States {
        &self.core.states
    }

    /// How it is set up.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.core.config
    }

    /// The id of this process.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.core.instance()
    }

    /// The runs in memory, and how many of them only wait.
    #[must_use]
    pub fn residents(&self) -> (usize, usize) {
        (self.core.residents.len(), self.core.residents.parked_len())
    }

    /// What this instance says of itself, for people.
    #[must_use]
    pub fn report(&self) -> InstanceReport {
        self.core.report()
    }

    /// What has happened here since this engine began.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.core.events.counts()
    }

    /// The background tasks, for parts around the engine that add their own.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.core.tasks
    }

    /// Cancelled when the engine stops.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.core.stop
    }

    /// Gives every run back: waiting ones at once, others as soon as the step that they are in
    /// has ended, or at the latest after `within`. No new ones are taken.
    ///
    /// Returns whether all were given back in time. A step that was cut off executes again under
    /// the same key, wherever its run goes on.
    pub async fn drain(&self, within: Duration) -> bool {
        {
            let _door = self.core.door.lock();
            self.core.draining.cancel();
        }
        let drained = tokio::time::timeout(within, async {
            loop {
                let left = self.core.residents.all();
                if left.is_empty() {
                    return;
                }
                left.iter().for_each(|run| run.hand_over());
                // A run that was being claimed joins the others within this time.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        drained.await.is_ok()
    }

    /// Drains within `within`, then ends every background task.
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the engine is left draining; call it again.
    pub async fn shutdown(&self, within: Duration) {
        let core = &self.core;
        if !self.drain(within).await {
            warn!(
                runs = core.residents.len(),
                "runs cut off by the end of the drain"
            );
        }
        core.residents.all().iter().for_each(|run| run.lose());
        core.stop.cancel();
        core.tasks.close();
        // The journal writes what is left; a store that is away must not hold the exit.
        let ended = tokio::time::timeout(Duration::from_secs(2), core.tasks.wait()).await;
        if ended.is_err() {
            warn!("background tasks still busy, left behind");
        }
        if core.config.drive {
            match core.store.resign(&core.instance()).await {
                Ok(()) => loops::farewell(core).await,
                // The liveness lock is free with this process; the others take over.
                Err(error) => warn!(
                    error = &error as &dyn std::error::Error,
                    "instance not signed off"
                ),
            }
        }
        info!(instance = %core.instance(), "engine stopped");
    }
}
