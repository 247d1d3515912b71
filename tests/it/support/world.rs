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
    testing::{ManualClock, Probe, ProbedStore, Process},
    time::Clock,
};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement};
use serde::{Serialize, de::DeserializeOwned};

use super::probes::Quiet;

/// How long anything in a test may take in real time. Only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// Makes a test of each function, on each server that is at hand.
macro_rules! on_every_server {
    ($($name:ident),+ $(,)?) => {
        mod on_servers {
            use crate::support::{services::Server, world::World};
            $(mod $name {
                use super::*;

                #[tokio::test]
                async fn on_postgres() {
                    if let Some(world) = World::server(Server::Postgres).await {
                        super::super::$name(world).await;
                    }
                }

                #[tokio::test]
                async fn on_mysql() {
                    if let Some(world) = World::server(Server::MySql).await {
                        super::super::$name(world.evicting()).await;
                    }
                }
            })+
        }
    };
}

pub(crate) use on_every_server;

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
pub(crate) async fn soon<F: IntoFuture>(what: &str, future: F) -> F::Output {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} did not come"))
}

/// Where the runs are kept.
#[derive(Debug)]
enum Place {
    Memory(MemoryStore),
    Sqlite(tempfile::TempDir),
    Server(super::services::Place),
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

    /// A world in a place of its own on a server, if that is at hand.
    pub(crate) async fn server(server: super::services::Server) -> Option<Self> {
        let place = Place::Server(server.place().await?);
        let clock = ManualClock::default();
        Some(Self {
            place,
            used: Arc::new(clock.clone()),
            clock,
            evicts: false,
        })
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
            Place::Sqlite(_) | Place::Server(_) => ProbedStore::new(self.sql().await, probe),
        }
    }

    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    /// Where the database lies.
    pub(crate) fn folder(&self) -> &std::path::Path {
        let Place::Sqlite(folder) = &self.place else {
            panic!("this world has no database");
        };
        folder.path()
    }

    /// Opens the database.
    pub(crate) async fn sql(&self) -> SqlStore {
        if let Place::Server(place) = &self.place {
            let mut options = SqlStore::options().clock(Arc::clone(&self.used));
            if let Some(schema) = place.schema() {
                options = options.schema(schema);
            }
            return options.connect(&place.url()).await.unwrap();
        }
        let url = format!("sqlite://{}", self.folder().join("t.db").display());
        let options = SqlStore::options().clock(Arc::clone(&self.used));
        options.connect(&url).await.unwrap()
    }

    /// A connection to the database as it is, which no store has made ready.
    pub(crate) async fn connection(&self) -> DatabaseConnection {
        let (url, schema) = match &self.place {
            Place::Server(place) => (place.url(), place.schema()),
            Place::Memory(_) | Place::Sqlite(_) => {
                let file = self.folder().join("t.db");
                (format!("sqlite://{}?mode=rwc", file.display()), None)
            }
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.unwrap();
        if let Some(schema) = schema {
            let text = format!("SET search_path = {schema}");
            db.execute_unprepared(&text).await.unwrap();
        }
        db
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
        let store = self.store(probe).await;
        self.open_on(store, add).await
    }

    /// Starts a process on a store that was opened before.
    pub(crate) async fn open_on<P: Probe>(
        &self,
        store: ProbedStore<P>,
        add: impl FnOnce(DurableBuilder) -> DurableBuilder + Send + 'static,
    ) -> App {
        let mut config = EngineConfig::default();
        config.evict_at_every_wait = self.evicts;
        config.recovery_interval = Duration::from_millis(20);
        let builder = Durable::builder().config(config).store(store);
        let builder = add(builder.only_registered());
        let process = soon("the engine", Process::start(builder)).await;
        App(process.unwrap())
    }

    /// What ended runs have left behind: open waits of all kinds, items in their inboxes, and
    /// signals that nobody has taken.
    pub(crate) async fn residue(&self) -> Vec<String> {
        let schema = match &self.place {
            Place::Memory(store) => return store.residue(),
            Place::Sqlite(_) => None,
            Place::Server(place) => place.schema().map(str::to_owned),
        };
        let store = self.sql().await;
        let db = store.connection();
        let schema = schema.map_or_else(String::new, |name| format!("{name}."));
        let waits = [
            ("waiters", "run_no"),
            ("listens", "run_no"),
            ("joins", "run_no"),
            ("joins", "target_no"),
            ("inbox", "run_no"),
        ];
        let waits = waits.map(|(table, of)| {
            let sql = format!(
                "SELECT r.id FROM {schema}durable_{table} w JOIN {schema}durable_runs r \
                 ON r.no = w.{of} WHERE r.finished_at IS NOT NULL"
            );
            (format!("{table} by {of}"), sql)
        });
        let signals = format!("SELECT token AS id FROM {schema}durable_signals WHERE buffered");
        let mut left = Vec::new();
        for (what, sql) in waits.into_iter().chain([("buffered".to_owned(), signals)]) {
            let statement = Statement::from_string(db.get_database_backend(), sql);
            for row in db.query_all_raw(statement).await.unwrap() {
                let of: String = row.try_get("", "id").unwrap();
                left.push(format!("{what}: {of}"));
            }
        }
        left
    }

    /// A process that executes nothing: it starts, signals and reads.
    pub(crate) async fn api(&self) -> App {
        self.open(|builder| builder.drive(false)).await
    }
}

/// A process.
#[derive(Debug)]
pub(crate) struct App(Process);

impl Deref for App {
    type Target = Durable;

    fn deref(&self) -> &Durable {
        self.0.durable()
    }
}

impl App {
    /// Dies as by kill -9; see [`Process::crash`].
    pub(crate) async fn crash(self) {
        self.0.crash().await;
    }

    /// Runs something inside the process.
    pub(crate) async fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.run(future).await.unwrap()
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
        let start = self.start(workflow, input).id(id);
        let start = start.into_future();
        soon("the start", self.run(start)).await.unwrap()
    }

    /// Shuts down in an orderly way.
    pub(crate) async fn stop(self) {
        soon("the shutdown", self.0.stop()).await;
    }

    /// Sends a signal and says what became of it.
    pub(crate) async fn send(
        &self,
        token: &str,
        value: impl Serialize,
    ) -> axum_durable::engine::SignalOutcome {
        let sent = self.signal(token, value);
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

    /// Waits for the end of a run that somebody else is about to start.
    pub(crate) async fn ended_soon(&self, run: &str) -> Run {
        self.until(run, |_| true).await;
        self.ended(run).await
    }

    /// Waits for the result of a run that somebody else is about to start.
    pub(crate) async fn output_soon<O: DeserializeOwned>(&self, run: &str) -> O {
        self.until(run, |_| true).await;
        self.output(run).await
    }

    /// What is stored of a run.
    pub(crate) async fn record(&self, run: &str) -> RunRecord {
        let run = axum_durable::id::RunId::from_trusted(run);
        let store = self.engine().store();
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
