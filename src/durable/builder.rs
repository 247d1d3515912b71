//! Putting an engine together.

use std::{sync::Arc, time::Duration};

use super::handle::Durable;
use crate::control_plane::ControlPlane;
use crate::engine::{Engine, EngineConfig, EngineParts, InvalidRetention, OnDead, Retention};
use crate::id::check_name;
use crate::model::{DeadLetter, Run};
use crate::payload::Codec;
#[cfg(feature = "testing")]
use crate::registry::WorkflowEntry;
use crate::registry::{Registration, RegistryBuilder, RegistryError};
use crate::store::{CodecStore, Store, StoreError};
use crate::transport::{InProcess, Transport};
use crate::worker::Worker;
use crate::workflow::{Interceptor, Interceptors, IntoWorkflow, States};

/// Why a [`Durable`] cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The definitions do not fit together.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// No store was given.
    #[error("no store was given; add `.store(SqlStore::connect(\"sqlite://app.db\").await?)`")]
    NoStore,
    /// The policies of the retention make no sense.
    #[error(transparent)]
    Retention(#[from] InvalidRetention),
    /// Two settings contradict each other.
    #[error("{reason}")]
    Config {
        /// What contradicts what, and what to change.
        reason: &'static str,
    },
}

/// Puts a [`Durable`] together; made by [`Durable::builder`].
#[derive(Debug, Default)]
#[must_use = "nothing runs until `build` is awaited"]
pub struct DurableBuilder {
    store: Option<Arc<dyn Store>>,
    codec: Option<Arc<dyn Codec>>,
    transport: Option<Arc<dyn Transport>>,
    control_plane: PlaneChoice,
    states: States,
    interceptors: Interceptors,
    registry: RegistryBuilder,
    config: EngineConfig,
    drain_within: Option<Duration>,
}

/// How instances tell each other news.
#[derive(Debug, Default)]
enum PlaneChoice {
    #[default]
    OfStore,
    Given(Arc<dyn ControlPlane>),
    Off,
}

impl DurableBuilder {
    /// How long ended runs are kept; old ones are removed by instances that execute runs. Default:
    /// everything is kept.
    ///
    /// A run is removed with all that belongs to it, once its policy says so, its parent is gone,
    /// none of its children lives, and whatever it has continued as is gone too; between the first
    /// and the last of such a chain, runs go by their policy.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum_durable::{Durable, RunStatus, durable::{Keep, Retention}};
    ///
    /// let month = Duration::from_secs(30 * 86_400);
    /// let ended_well = Keep::of([RunStatus::Completed, RunStatus::Cancelled]).max_age(month);
    /// let builder = Durable::builder().retention(Retention::new().policy(ended_well));
    /// # drop(builder);
    /// ```
    pub fn retention(mut self, retention: Retention) -> Self {
        self.config.retention = Some(retention);
        self
    }

    /// Where runs are kept. Required.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Changes payloads on their way to and from the store. Default: none, plain JSON.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codec = Some(Arc::new(codec));
        self
    }

    /// How steps reach workers. Default: [`InProcess`], this process is its own worker.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// How instances tell each other that there is something to do or to see. Default: what the
    /// store has.
    ///
    /// It makes them faster and is not needed: every instance also
    /// [polls](EngineConfig::poll_interval), and what a plane loses is found by that. All
    /// instances of an app should have the same.
    pub fn control_plane(mut self, plane: impl ControlPlane) -> Self {
        self.control_plane = PlaneChoice::Given(Arc::new(plane));
        self
    }

    /// Leaves all news between instances to their polls, also if the store has a control plane.
    pub fn without_control_plane(mut self) -> Self {
        self.control_plane = PlaneChoice::Off;
        self
    }

    /// A value that `State<T>` in steps and workflows receives; one per type.
    pub fn provide<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states = self.states.with(value);
        self
    }

    /// Sees each attempt of a step that this process executes; may be called several times.
    pub fn interceptor(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors = self.interceptors.with(interceptor);
        self
    }

    /// Adds a workflow or step by hand, in place of a linked one of the same name and version.
    ///
    /// Not needed for what `#[workflow]` and `#[step]` collect, unless the linker drops a crate
    /// that nothing refers to.
    pub fn register(mut self, definition: impl Into<Registration>) -> Self {
        self.registry.register(definition.into());
        self
    }

    /// Adds a workflow unless there is another one of the same name and version.
    #[cfg(feature = "testing")]
    pub(crate) fn offer(mut self, workflow: WorkflowEntry) -> Self {
        self.registry.offer(workflow);
        self
    }

    /// Uses only what was registered by hand. Default: also what was collected at link time.
    pub fn only_registered(mut self) -> Self {
        self.registry.only_explicit();
        self
    }

    /// Whether this instance executes runs. Default: yes.
    ///
    /// One that does not still starts, signals, reads and cancels runs; another one executes
    /// them.
    pub const fn drive(mut self, drive: bool) -> Self {
        self.config.drive = drive;
        self
    }

    /// How long the others wait for a sign of life of this instance where its liveness lock cannot
    /// tell them. Default 15 s; see [`EngineConfig::lease_ttl`].
    pub const fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.config.lease_ttl = ttl;
        self
    }

    /// Recoveries without progress before a run is given up as `dead`. Default 10; see
    /// [`EngineConfig::max_recovery_attempts`].
    pub const fn max_recovery_attempts(mut self, attempts: u32) -> Self {
        self.config.max_recovery_attempts = attempts;
        self
    }

    /// The namespace of the runs that this instance starts, unless they name another, and the only
    /// one whose runs it executes. Default: runs start in `default`, and those of all namespaces
    /// are executed.
    ///
    /// It is a label by which apps, teams or tenants share a store, and no wall: ids, signals and
    /// events are those of the whole store, and whoever may list runs sees all of them. Runs of a
    /// namespace that no instance executes wait for one that does.
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.config.namespace = Some(namespace.into());
        self
    }

    /// The workflow that is started for each run that is given up as `dead`, in the same
    /// transaction, unless the run's own workflow
    /// [names another](crate::Workflow::with_dead_letter). Default: none.
    ///
    /// It must be registered. Whoever takes over from a dead instance starts it, so all instances
    /// of an app should name the same.
    pub fn dead_letter<O>(mut self, workflow: impl IntoWorkflow<DeadLetter, O>) -> Self {
        self.config.dead_letter = Some(workflow.into_workflow().name().into());
        self
    }

    /// Calls `hook` with each run that this process gives up as `dead`, after that was stored. A
    /// crash in between loses the call; a [dead-letter workflow](Self::dead_letter) is not lost.
    /// It is called from the engine's tasks and must not block.
    pub fn on_dead(mut self, hook: impl Fn(&Run) + Send + Sync + 'static) -> Self {
        self.config.on_dead = Some(OnDead::new(hook));
        self
    }

    /// Runs held in memory at the most. Default 20,000; see [`EngineConfig::max_resident_runs`].
    pub const fn max_resident_runs(mut self, runs: usize) -> Self {
        self.config.max_resident_runs = runs;
        self
    }

    /// How long a waiting run stays in memory. Default 10 minutes; see
    /// [`EngineConfig::evict_after`].
    pub const fn evict_after(mut self, idle: Duration) -> Self {
        self.config.evict_after = idle;
        self
    }

    /// Lets runs leave memory at each wait, so that tests exercise replay. Default: no.
    pub const fn evict_at_every_wait(mut self, evict: bool) -> Self {
        self.config.evict_at_every_wait = evict;
        self
    }

    /// Bytes of one stored value at the most: an input, a signal, the result of a step or run, a
    /// published value. Default 8 MiB; see [`EngineConfig::max_payload`].
    ///
    /// A start or signal with a larger one is refused before anything is written. An operation in
    /// a workflow fails with the code `payload_too_large`, and so does a run whose output is too
    /// large. What is stored already is never looked at again. A database has a limit of its own,
    /// such as `max_allowed_packet`, which must be larger.
    pub const fn max_payload(mut self, bytes: usize) -> Self {
        self.config.max_payload = bytes;
        self
    }

    /// How long an event is kept for waits that are opened after it, unless its publisher says
    /// otherwise. Default an hour; see [`EngineConfig::event_ttl`].
    pub const fn event_ttl(mut self, length: Duration) -> Self {
        self.config.event_ttl = length;
        self
    }

    /// Where the [`DurableRouter`](crate::DurableRouter) is reached from outside, its base path
    /// included, such as `https://shop.example/durable`: what the addresses of webhooks begin with.
    /// Default: not known, and `webhook.url()` fails.
    pub fn public_url(mut self, url: &str) -> Self {
        self.config.public_url = Some(url.trim_end_matches('/').into());
        self
    }

    /// How long `shutdown` waits for steps under way. Default 10 s, the time that container
    /// platforms commonly give before they kill.
    pub const fn drain_within(mut self, within: Duration) -> Self {
        self.drain_within = Some(within);
        self
    }

    /// Every setting of the engine at once.
    pub fn config(mut self, config: EngineConfig) -> Self {
        self.config = config;
        self
    }

    /// Checks everything and starts the engine.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: a name is taken twice, a `State<T>` was not provided, two settings
    /// contradict each other, or the store cannot be reached.
    pub async fn build(self) -> Result<Durable, BuildError> {
        check(&self.config)?;
        if let Some(retention) = &self.config.retention {
            retention.check()?;
        }
        let store = self.store.ok_or(BuildError::NoStore)?;
        let store = match self.codec {
            Some(codec) => Arc::new(CodecStore::new(store, codec)),
            None => store,
        };
        let registry = self.registry.build(&self.states)?;
        if let Some(name) = &self.config.dead_letter {
            registry.check_dead_letter(name)?;
        }
        let transport = self
            .transport
            .unwrap_or_else(|| Arc::new(InProcess::default()));
        let clock = store.clock();
        let worker = Worker::new(
            &registry,
            self.states.clone(),
            clock,
            Arc::clone(&transport),
        );
        let worker = worker.intercepted_by(self.interceptors.clone());
        let mut parts = EngineParts::new(store, registry, transport);
        parts.config = self.config;
        parts.states = self.states;
        match self.control_plane {
            PlaneChoice::OfStore => {}
            PlaneChoice::Given(plane) => parts.control_plane = Some(plane),
            PlaneChoice::Off => parts.control_plane = None,
        }
        parts.interceptors = self.interceptors;
        let drives = parts.config.drive;
        let engine = Engine::start(parts).await?;
        if drives {
            let tasks = engine.tasks().clone();
            let run = worker.run(tasks.clone(), engine.stopping().clone());
            tasks.spawn(async move {
                if let Err(error) = run.await {
                    tracing::error!(error = &error as &dyn std::error::Error, "worker stopped");
                }
            });
        }
        // What container platforms commonly give before they kill.
        const DRAIN_WITHIN: Duration = Duration::from_secs(10);
        Ok(Durable::new(
            engine,
            self.drain_within.unwrap_or(DRAIN_WITHIN),
        ))
    }
}

/// What `max_payload` may be at the least, in bytes: the engine's own values fit in it.
const MIN_PAYLOAD: usize = 1024;

fn check(config: &EngineConfig) -> Result<(), BuildError> {
    let reason = if config.lease_ttl < Duration::from_secs(1) {
        "`lease_ttl` is shorter than a second, too short to be renewed three times; raise it"
    } else if config.max_resident_runs == 0 {
        "`max_resident_runs` is 0, so nothing could run; use `drive(false)` for that"
    } else if config.journal_batch == 0 {
        "`journal_batch` is 0, so nothing could be written; raise it"
    } else if config.max_payload < MIN_PAYLOAD {
        "`max_payload` is smaller than 1 KiB, too small for keys and small records; raise it"
    } else if let Some(namespace) = &config.namespace
        && check_name("namespace", namespace).is_err()
    {
        "the namespace is empty, longer than 191 bytes, or has control characters or a blank at its end"
    } else {
        return Ok(());
    };
    Err(BuildError::Config { reason })
}
