//! What an entry of the table is, and how it is performed.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::IntoFuture as _,
    sync::Arc,
    time::Duration,
};

use axum_durable::{
    RunStatus,
    durable::DurableBuilder,
    id::RunId,
    model::{CheckpointKind, Run, RunQuery, SignalId},
    prelude::*,
    store::Store,
    workflow::ops::LocalStep,
};
use futures_util::future::LocalBoxFuture;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::support::{
    ledger::Ledger,
    probes::{Death, Fuse, Quiet},
    world::{App, World, code, flow},
};

/// Makes tests of each entry on each store: live, with replay at every wait, and with a crash at
/// every commit.
macro_rules! on_every_store {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::{
                support::{services::Server, world::World},
                surface::stage::{ALL, perform},
            };

            #[tokio::test]
            async fn on_memory() {
                perform(Some(World::memory()), super::$name(), &ALL).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                perform(Some(World::sqlite()), super::$name(), &ALL).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                let world = World::server(Server::Postgres).await;
                perform(world, super::$name(), &ALL[..1]).await;
            }

            #[tokio::test]
            async fn on_mysql() {
                let world = World::server(Server::MySql).await;
                perform(world, super::$name(), &ALL[1..]).await;
            }
        }
    )+};
}

pub(super) use on_every_store;

/// How long a trial may take in real time. Only a failing one waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How processes die, and whether runs leave memory at every wait meanwhile. A server takes a half
/// of it, since opening a store there is what costs.
pub(super) const ALL: [(bool, Death); 2] = [(false, Death::After), (true, Death::Before)];

type Setup = Arc<dyn Fn(DurableBuilder, &Ledger) -> DurableBuilder + Send + Sync>;
type Play = Arc<dyn for<'a> Fn(&'a Stage<'a>) -> LocalBoxFuture<'a, ()> + Send + Sync>;

/// One way of using an operation, and how it must end.
#[derive(Clone)]
pub(super) struct Entry {
    workflow: &'static str,
    version: Option<u32>,
    input: Value,
    setup: Setup,
    play: Play,
    /// What must hold at the end beside the rest.
    then: Play,
    status: RunStatus,
    output: Option<Value>,
    code: Option<&'static str>,
    /// How many different executions of an effect there are, and attempts of each.
    effects: BTreeMap<&'static str, (usize, u32)>,
    may_run_again: bool,
    needs_sql: bool,
}

impl Entry {
    /// A run of `workflow`, which `setup` registers. The ledger is the outside world of the trial.
    pub(super) fn new(
        workflow: &'static str,
        setup: impl Fn(DurableBuilder, &Ledger) -> DurableBuilder + Send + Sync + 'static,
    ) -> Self {
        Self {
            workflow,
            version: None,
            input: Value::Null,
            setup: Arc::new(setup),
            play: Arc::new(|_| Box::pin(async {})),
            then: Arc::new(|_| Box::pin(async {})),
            status: RunStatus::Completed,
            output: None,
            code: None,
            effects: BTreeMap::new(),
            may_run_again: false,
            needs_sql: false,
        }
    }

    pub(super) fn input(mut self, input: impl Into<Value>) -> Self {
        self.input = input.into();
        self
    }

    pub(super) const fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// What happens from outside. It is repeated after a crash, as a client repeats what it has
    /// got no answer to, so it takes the run as it finds it.
    pub(super) fn play(
        mut self,
        play: impl for<'a> Fn(&'a Stage<'a>) -> LocalBoxFuture<'a, ()> + Send + Sync + 'static,
    ) -> Self {
        self.play = Arc::new(play);
        self
    }

    /// Checks more than the rest of the entry says.
    pub(super) fn then(
        mut self,
        then: impl for<'a> Fn(&'a Stage<'a>) -> LocalBoxFuture<'a, ()> + Send + Sync + 'static,
    ) -> Self {
        self.then = Arc::new(then);
        self
    }

    /// The run completes with `output`.
    pub(super) fn gives(mut self, output: impl Into<Value>) -> Self {
        self.output = Some(output.into());
        self
    }

    /// The run ends otherwise.
    pub(super) const fn ends(mut self, status: RunStatus) -> Self {
        self.status = status;
        self
    }

    /// The run fails.
    pub(super) const fn fails(mut self, code: &'static str) -> Self {
        self.status = RunStatus::Failed;
        self.code = Some(code);
        self
    }

    /// The effect `name` happens once.
    pub(super) fn does(self, name: &'static str) -> Self {
        self.does_times(name, 1, 1)
    }

    /// The effect `name` happens under `keys` different keys, with `attempts` for each.
    pub(super) fn does_times(mut self, name: &'static str, keys: usize, attempts: u32) -> Self {
        self.effects.insert(name, (keys, attempts));
        self
    }

    /// An operator lets the run forget what it has done, so completed steps may run again.
    pub(super) const fn forgets(mut self) -> Self {
        self.may_run_again = true;
        self
    }

    /// Takes place on stores with transactions of the host only.
    pub(super) const fn on_sql(mut self) -> Self {
        self.needs_sql = true;
        self
    }
}

/// A workflow whose body gets the ledger.
pub(super) fn noting<I, O, F, Fut>(name: &'static str, ledger: &Ledger, body: F) -> Workflow<I, O>
where
    I: DeserializeOwned + schemars::JsonSchema + Send + 'static,
    O: Serialize + schemars::JsonSchema + Send + 'static,
    F: Fn(WorkflowCtx, Ledger, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O>> + Send + 'static,
{
    let ledger = ledger.clone();
    flow(name, move |ctx, input| body(ctx, ledger.clone(), input))
}

/// A step that notes itself and answers `value`.
pub(super) fn effect<T>(
    ctx: &WorkflowCtx,
    ledger: &Ledger,
    name: &'static str,
    value: T,
) -> LocalStep<'static, T>
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let ledger = ledger.clone();
    ctx.step(name, move |step: StepCtx| {
        ledger.note_keyed(name, &step);
        let value = value.clone();
        async move { Ok::<_, StepError>(value) }
    })
}

/// The life of a process, as a client of it sees it.
pub(super) struct Stage<'a> {
    pub(super) app: &'a App,
    pub(super) run: &'a str,
    pub(super) ledger: &'a Ledger,
    world: &'a World,
    entry: &'a Entry,
    /// The signals that were sent, by label: repeated under the same id.
    sent: &'a Mutex<BTreeMap<String, SignalId>>,
}

impl Stage<'_> {
    /// Sends a signal to `<token>:<run>`.
    pub(super) async fn signal(&self, token: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap();
        let token = format!("{token}:{}", self.run);
        let label = format!("{token} {value}");
        let id = *self
            .sent
            .lock()
            .entry(label)
            .or_insert_with(SignalId::generate);
        self.app.signal_once(id, token, value).await.unwrap();
    }

    /// Publishes an event with this run in its field `run`, once.
    pub(super) async fn publish(&self, name: &str, value: impl Serialize) {
        let payload = serde_json::json!({ "run": self.run, "value": value });
        let id = format!("{} {payload}", self.run);
        self.app.publish_event(name, &payload).id(id).await.unwrap();
    }

    /// Waits until the run has one of these statuses or has ended.
    pub(super) async fn until(&self, statuses: &[RunStatus]) -> RunStatus {
        let is_so = |status: RunStatus| statuses.contains(&status) || status.is_terminal();
        self.drive(async || self.status().await.filter(|it| is_so(*it)))
            .await
    }

    /// Waits until the run stands still or has ended.
    pub(super) async fn rests(&self) -> RunStatus {
        let rest = [RunStatus::Suspended, RunStatus::Paused, RunStatus::Blocked];
        self.until(&rest).await
    }

    /// Does this once it is possible, or leaves it if the run has ended. A run that is replayed
    /// refuses much that it accepts once it waits again.
    pub(super) async fn insist<T>(&self, act: impl AsyncFn() -> Result<T, DurableError>) {
        let done = async || match self.status().await {
            Some(status) if status.is_terminal() => Some(()),
            _ => act().await.ok().map(drop),
        };
        self.drive(done).await;
    }

    /// Waits until something was handed out; lets time pass for it.
    pub(super) async fn handed_out(&self, name: &str) -> String {
        self.drive(async || self.ledger.kept(name)).await
    }

    pub(super) async fn status(&self) -> Option<RunStatus> {
        let run = self.app.get_run(self.run).await.unwrap();
        run.map(|run| run.status)
    }

    /// The whole piece: start, what comes from outside, and the end of all runs.
    async fn perform(&self) {
        let entry = self.entry;
        let start = self.app.start_named(entry.workflow, &entry.input);
        let start = match entry.version {
            Some(version) => start.version(version),
            None => start,
        };
        let start = start.id(self.run).into_future();
        self.app.run(start).await.unwrap();
        (entry.play)(self).await;
        self.drive(async || self.open_runs().await.is_empty().then_some(()))
            .await;
    }

    /// Waits for `done`. Whenever nothing moves by itself, time passes up to what waits for it.
    async fn drive<T>(&self, done: impl AsyncFn() -> Option<T>) -> T {
        let mut events = self.app.subscribe();
        let driven = async {
            loop {
                if let Some(answer) = done().await {
                    return answer;
                }
                if let Some(at) = self.next_time().await {
                    // What was done before everything came to rest is seen by now.
                    if let Some(answer) = done().await {
                        return answer;
                    }
                    self.world.clock.set(at);
                }
                const LOOK_AGAIN: Duration = Duration::from_millis(3);
                drop(tokio::time::timeout(LOOK_AGAIN, events.recv()).await);
            }
        };
        match tokio::time::timeout(PATIENCE, driven).await {
            Ok(answer) => answer,
            Err(_) => panic!("{} hangs: {:?}", self.run, self.open_runs().await),
        }
    }

    /// When time moves on the next run, if nothing else does.
    async fn next_time(&self) -> Option<Timestamp> {
        let store = self.app.engine().store();
        let now = store.clock().now();
        let mut next = None;
        for run in self.open_runs().await {
            let rests = match run.status {
                RunStatus::Suspended => run.wake_at > now && run.wakes == run.seen_wakes,
                RunStatus::Pending => run.wake_at > now && run.owner.is_none(),
                RunStatus::Paused => true,
                _ => false,
            };
            // What a wait finds in the buffer comes with its commit, without a wake.
            let record = store.load(&run.id).await.unwrap()?;
            if !rests || (run.status == RunStatus::Suspended && !record.inbox.is_empty()) {
                return None;
            }
            let at = (run.status != RunStatus::Paused).then_some(run.wake_at);
            let at = at.filter(|at| *at < Timestamp::MAX);
            next = next.into_iter().chain(at).min();
        }
        next
    }

    async fn open_runs(&self) -> Vec<Run> {
        let mut query = family(self.run);
        let statuses = RunStatus::ALL.into_iter();
        query.statuses = statuses.filter(|it| !it.is_terminal()).collect();
        self.app.list_runs(&query).await.unwrap().runs
    }

    /// Checks how everything ended.
    async fn check(&self, lives: u32, why: &str) {
        let entry = self.entry;
        let mut run = self.app.get_run(self.run).await.unwrap().unwrap();
        while let Some(next) = &run.next {
            run = self.app.get_run(next.as_str()).await.unwrap().unwrap();
        }
        assert_eq!(run.status, entry.status, "{:?}; {why}", run.failure);
        if entry.code.is_some() {
            assert_eq!(code(&run), entry.code, "{:?}; {why}", run.failure);
        }
        if let Some(output) = &entry.output {
            let given: Value = run.output.as_ref().unwrap().decode().unwrap();
            assert_eq!(given, *output, "{why}");
        }
        let mut done: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        let all = self.ledger.all();
        for (effect, executions) in &all {
            let (name, _) = effect.rsplit_once(' ').unwrap();
            done.entry(name).or_default().push(*executions);
        }
        let expected: BTreeSet<_> = entry.effects.keys().copied().collect();
        let happened: BTreeSet<_> = done.keys().copied().collect();
        assert_eq!(happened, expected, "{all:?}; {why}");
        for (name, (keys, attempts)) in &entry.effects {
            assert_eq!(done[name].len(), *keys, "{all:?}; {why}");
            for executions in &done[name] {
                let is_fine = match lives {
                    1 => executions == attempts,
                    _ => executions >= attempts && *executions < attempts + lives,
                };
                assert!(is_fine, "`{name}` happened {executions} times; {why}");
            }
        }
    }
}

/// All runs of a trial.
fn family(run: &str) -> RunQuery {
    let mut query = RunQuery::default();
    query.id_prefix = Some(run.into());
    query
}

/// The keys of the steps whose outcome is stored.
async fn completed(store: &impl Store, run: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for run in store.list(&family(run)).await.unwrap().runs {
        let record = store.load(&RunId::from_trusted(run.id.as_str())).await;
        let history = record.unwrap().unwrap().history.into_iter();
        let steps = history.filter(|it| it.kind == CheckpointKind::Step);
        let done = steps.filter(|it| it.status.is_released() && it.failure.is_none());
        keys.extend(done.map(|it| format!("{}:{}", run.id, it.seq)));
    }
    keys
}

/// One performance of an entry.
struct Trial<'a> {
    world: &'a World,
    entry: &'a Entry,
    run: String,
    ledger: Ledger,
    sent: Mutex<BTreeMap<String, SignalId>>,
}

impl<'a> Trial<'a> {
    /// The number keeps it apart from others in the same world.
    fn new(world: &'a World, entry: &'a Entry, number: u32) -> Self {
        Self {
            world,
            entry,
            run: format!("t{number:04}"),
            ledger: Ledger::default(),
            sent: Mutex::default(),
        }
    }

    fn setup(&self) -> impl FnOnce(DurableBuilder) -> DurableBuilder + Send + 'static {
        let (setup, ledger) = (Arc::clone(&self.entry.setup), self.ledger.clone());
        move |builder| setup(builder, &ledger)
    }

    fn stage<'b>(&'b self, app: &'b App) -> Stage<'b> {
        Stage {
            app,
            run: &self.run,
            ledger: &self.ledger,
            world: self.world,
            entry: self.entry,
            sent: &self.sent,
        }
    }

    /// A process that dies at this commit; answers whether it came to that.
    async fn first_life(&self, at: u64, death: Death) -> bool {
        let fuse = Fuse::new(at, death);
        let app = self.world.open_probed(fuse.clone(), self.setup()).await;
        let died = {
            let stage = self.stage(&app);
            tokio::select! {
                () = fuse.died() => true,
                () = stage.perform() => false,
            }
        };
        app.crash().await;
        died
    }

    /// A process that brings everything to its end, from wherever it is.
    async fn last_life(&self, lives: u32, why: &str) {
        let store = self.world.store(Quiet).await;
        let done = completed(&store, &self.run).await;
        let before = self.ledger.all();
        let app = self.world.open_on(store, self.setup()).await;
        {
            let stage = self.stage(&app);
            stage.perform().await;
            stage.check(lives, why).await;
            (self.entry.then)(&stage).await;
        }
        if !self.entry.may_run_again {
            let again = self
                .ledger
                .all()
                .into_iter()
                .filter(|(effect, executions)| {
                    let (_, key) = effect.rsplit_once(' ').unwrap();
                    done.contains(key) && before.get(effect) != Some(executions)
                });
            let again: Vec<_> = again.collect();
            assert!(again.is_empty(), "done and ran again: {again:?}; {why}");
        }
        app.stop().await;
    }
}

/// Performs an entry in a world, if that is at hand: live, with replay at every wait, and with each
/// kind of `deaths` at each commit.
pub(super) async fn perform(world: Option<World>, entry: Entry, deaths: &[(bool, Death)]) {
    let Some(mut world) = world else {
        return;
    };
    if entry.needs_sql && world.is_memory() {
        return;
    }
    let mut number = 0;
    for evicts in [false, true] {
        world.evicts = evicts;
        let why = format!("trial {number}, evicts: {evicts}");
        Trial::new(&world, &entry, number).last_life(1, &why).await;
        number += 1;
    }
    for (evicts, death) in deaths {
        world.evicts = *evicts;
        for at in 0.. {
            let why = format!("trial {number}, evicts: {evicts}, death {death:?} commit {at}");
            let trial = Trial::new(&world, &entry, number);
            let died = trial.first_life(at, *death).await;
            trial.last_life(1 + u32::from(died), &why).await;
            number += 1;
            if !died {
                break;
            }
        }
    }
    // Of none of the trials anything stays behind.
    let left = world.residue().await;
    assert!(left.is_empty(), "{left:?} stays behind");
}
