//! Where a test takes place: a store, a clock, and processes that come and go.

use std::{future::Future, ops::Deref, sync::Arc, time::Duration};

use axum_durable::{
    Durable, MemoryStore, RunStatus, SqlStore,
    control::Explanation,
    durable::DurableBuilder,
    engine::EngineConfig,
    model::{Checkpoint, Run},
    prelude::*,
    store::RunRecord,
    testing::{ManualClock, Probe, ProbedStore},
    time::Clock,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::runtime::Runtime;

use super::probes::Quiet;

/// How long anything in a test may take in real time. Only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a test of each function, in every world.
macro_rules! in_every_world {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::world::World;

            #[tokio::test]
            async fn on_memory() {
                super::$name(World::memory()).await;
            }

            #[tokio::test]
            async fn on_memory_with_replay_at_every_wait() {
                super::$name(World::memory().evicting()).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(World::sqlite()).await;
            }

            #[tokio::test]
            async fn on_sqlite_with_replay_at_every_wait() {
                super::$name(World::sqlite().evicting()).await;
            }
        }
    )+};
}

pub(crate) use in_every_world;

/// A workflow from a closure that returns a future.
pub(crate) fn flow<I, O, F, Fut>(name: &'static str, body: F) -> Workflow<I, O>
where
    I: DeserializeOwned + schemars::JsonSchema + Send + 'static,
    O: Serialize + schemars::JsonSchema + Send + 'static,
    F: Fn(WorkflowCtx, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O>> + Send + 'static,
{
    Workflow::from_body(name, 1, move |ctx, input| Box::pin(body(ctx, input)))
}

/// The outcome of a future that must come soon.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// Where the runs are kept.
#[derive(Debug)]
enum Place {
    Memory(MemoryStore),
    Sqlite(tempfile::TempDir),
}

/// A store and a clock. Each process opened in it has connections of its own.
#[derive(Debug)]
pub(crate) struct World {
    place: Place,
    /// Stands still until a test moves it; not used by a world with a clock of its own.
    pub(crate) clock: ManualClock,
    used: Arc<dyn Clock>,
    pub(crate) evicts: bool,
}

impl World {
    pub(crate) fn memory() -> Self {
        let clock = ManualClock::default();
        Self::memory_with(Arc::new(clock.clone()), clock)
    }

    pub(crate) fn sqlite() -> Self {
        let clock = ManualClock::default();
        Self::sqlite_with(Arc::new(clock.clone()), clock)
    }

    /// A world whose time passes by `clock`.
    pub(crate) fn memory_by(clock: impl Clock) -> Self {
        Self::memory_with(Arc::new(clock), ManualClock::default())
    }

    /// A world whose time passes by `clock`.
    pub(crate) fn sqlite_by(clock: impl Clock) -> Self {
        Self::sqlite_with(Arc::new(clock), ManualClock::default())
    }

    fn memory_with(used: Arc<dyn Clock>, clock: ManualClock) -> Self {
        let place = Place::Memory(MemoryStore::with_clock(Arc::clone(&used)));
        let evicts = false;
        Self {
            place,
            clock,
            used,
            evicts,
        }
    }

    fn sqlite_with(used: Arc<dyn Clock>, clock: ManualClock) -> Self {
        let place = Place::Sqlite(tempfile::tempdir().unwrap());
        let evicts = false;
        Self {
            place,
            clock,
            used,
            evicts,
        }
    }

    /// The same world with runs that leave memory at every wait.
    pub(crate) fn evicting(mut self) -> Self {
        self.evicts = true;
        self
    }

    /// Opens the store as a new process would.
    pub(crate) async fn store<P: Probe>(&self, probe: P) -> ProbedStore<P> {
        match &self.place {
            Place::Memory(store) => ProbedStore::new(store.clone(), probe),
            Place::Sqlite(_) => ProbedStore::new(self.sql().await, probe),
        }
    }

    /// Opens the SQLite store.
    pub(crate) async fn sql(&self) -> SqlStore {
        let Place::Sqlite(folder) = &self.place else {
            panic!("this world has no database");
        };
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let options = SqlStore::options().clock(Arc::clone(&self.used));
        options.connect(&url).await.unwrap()
    }

    /// Starts a process. `add` registers its workflows and changes its settings.
    pub(crate) async fn open(
        &self,
        add: impl FnOnce(DurableBuilder) -> DurableBuilder + Send + 'static,
    ) -> App {
        self.open_probed(Quiet, add).await
    }

    /// Starts a process with a probe around its store.
    pub(crate) async fn open_probed<P: Probe>(
        &self,
        probe: P,
        add: impl FnOnce(DurableBuilder) -> DurableBuilder + Send + 'static,
    ) -> App {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let store = self.store(probe).await;
        let mut config = EngineConfig::default();
        config.evict_at_every_wait = self.evicts;
        config.recovery_interval = Duration::from_millis(20);
        let builder = Durable::builder().config(config).store(store);
        let builder = add(builder.only_registered());
        let durable = runtime.spawn(async move { builder.build().await });
        App {
            durable: soon("the engine", durable).await.unwrap().unwrap(),
            runtime: Some(runtime),
        }
    }

    /// A process that executes nothing: it starts, signals and reads.
    pub(crate) async fn api(&self) -> App {
        self.open(|builder| builder.drive(false)).await
    }
}

/// A process: an engine on a runtime of its own, so that it can die.
#[derive(Debug)]
pub(crate) struct App {
    durable: Durable,
    runtime: Option<Runtime>,
}

impl Deref for App {
    type Target = Durable;

    fn deref(&self) -> &Durable {
        &self.durable
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl App {
    /// Dies as by kill -9: every task is dropped where it stands and nothing is given back.
    /// Nothing of it lives when this returns.
    pub(crate) async fn crash(mut self) {
        let runtime = self.runtime.take().unwrap();
        let end = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
        end.await.unwrap();
    }

    /// Runs something inside the process.
    pub(crate) async fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let runtime = self.runtime.as_ref().unwrap();
        runtime.spawn(future).await.unwrap()
    }

    /// Starts a run inside the process.
    pub(crate) async fn begin<I, O>(
        &self,
        workflow: &Workflow<I, O>,
        input: I,
        id: &str,
    ) -> RunHandle<O>
    where
        I: Serialize + 'static,
        O: 'static,
    {
        let start = self.durable.start(workflow, input).id(id);
        let start = start.into_future();
        soon("the start", self.run(start)).await.unwrap()
    }

    /// Shuts down in an orderly way.
    pub(crate) async fn stop(self) {
        let durable = self.durable.clone();
        soon(
            "the shutdown",
            self.run(async move { durable.shutdown().await }),
        )
        .await;
    }

    /// Sends a signal and says what became of it.
    pub(crate) async fn send(
        &self,
        token: &str,
        value: impl Serialize,
    ) -> axum_durable::engine::SignalOutcome {
        let sent = self.durable.signal(token, value);
        soon("the signal", sent).await.unwrap()
    }

    /// Waits until what is stored of a run fulfils `is_so`.
    pub(crate) async fn until(
        &self,
        run: &str,
        is_so: impl Fn(&Explanation) -> bool,
    ) -> Explanation {
        let mut events = self.subscribe();
        let look = async {
            loop {
                if let Ok(now) = self.explain(run).await
                    && is_so(&now)
                {
                    return now;
                }
                // What another process or a take-over changed has no event here.
                const LOOK_AGAIN: Duration = Duration::from_millis(50);
                drop(tokio::time::timeout(LOOK_AGAIN, events.recv()).await);
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(now) => now,
            Err(_) => panic!("it does not come to that: {:?}", self.explain(run).await),
        }
    }

    /// Waits until a run waits for the operation called `name`.
    pub(crate) async fn waits_for(&self, run: &str, name: &str) -> Explanation {
        self.until(run, |now| now.waiting_for.iter().any(|it| it.name == name))
            .await
    }

    /// Waits until a run has ended or is blocked.
    pub(crate) async fn ended(&self, run: &str) -> Run {
        let wait = self.wait_for_run(run).unwrap();
        match tokio::time::timeout(PATIENCE, wait.into_future()).await {
            Ok(run) => run.unwrap(),
            Err(_) => panic!("the run does not end: {:?}", self.explain(run).await),
        }
    }

    /// Waits for the result of a run.
    pub(crate) async fn output<O: DeserializeOwned>(&self, run: &str) -> O {
        let ended = self.ended(run).await;
        assert_eq!(ended.status, RunStatus::Completed, "{:?}", ended.failure);
        ended.output.unwrap().decode().unwrap()
    }

    /// What is stored of a run.
    pub(crate) async fn record(&self, run: &str) -> RunRecord {
        let run = axum_durable::id::RunId::from_trusted(run);
        let store = self.durable.engine().store();
        store.load(&run).await.unwrap().unwrap()
    }

    /// The checkpoint of the operation called `name`.
    pub(crate) async fn checkpoint(&self, run: &str, name: &str) -> Checkpoint {
        let history = self.record(run).await.history;
        let found = history.into_iter().find(|it| &*it.name == name);
        found.unwrap_or_else(|| panic!("no checkpoint `{name}`"))
    }
}

/// Why a run ended without a result.
pub(crate) fn code(run: &Run) -> Option<&str> {
    run.failure.as_ref()?.code.as_deref()
}

/// What a run says about its end.
pub(crate) fn message(run: &Run) -> &str {
    run.failure.as_ref().map_or("", |failure| &failure.message)
}
