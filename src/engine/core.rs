//! What all parts of an engine share.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::EngineConfig, herald::Herald, journal::Journal, neighbours::Neighbours,
    replay::site_text, residents::Residents, settled::Settled, timers::Timers,
    triggers::Accumulators,
};
use crate::control_plane::ControlPlane;
use crate::event::EventBus;
use crate::id::{InstanceId, RunId, stable_hash};
use crate::model::{InstanceReport, WorkflowKey};
use crate::protocol::StepTask;
use crate::registry::Registry;
use crate::store::Store;
use crate::time::{Clock, Timestamp};
use crate::workflow::{Interceptors, States};

/// Inboxes that are read at once. Many runs may be woken from elsewhere together, and each reading
/// takes a connection of those that claims need too.
const INBOXES_AT_ONCE: usize = 4;

/// What all parts of an engine share. One per engine, behind an `Arc`.
pub(crate) struct Core {
    pub(crate) config: EngineConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    /// The workflows of the registry, as the claim asks for them.
    pub(crate) workflows: Vec<WorkflowKey>,
    pub(crate) states: States,
    pub(crate) interceptors: Interceptors,
    pub(crate) journal: Journal,
    pub(crate) residents: Residents,
    pub(crate) timers: Timers,
    pub(crate) settled: Settled,
    pub(crate) herald: Arc<Herald>,
    pub(crate) events: EventBus,
    /// What takes events for workflows that want fewer runs than events.
    pub(crate) accumulators: Accumulators,
    pub(crate) lease: Lease,
    pub(crate) tasks: TaskTracker,
    /// No new runs are taken from here on.
    pub(crate) draining: CancellationToken,
    /// Held while a run comes into memory, and while the drain begins.
    pub(crate) door: Mutex<()>,
    /// Everything ends.
    pub(crate) stop: CancellationToken,
    /// Told when a run may be due.
    pub(crate) claim_now: Notify,
    /// Runs may be due for which there was no room.
    is_full: AtomicBool,
    pub(crate) neighbours: Neighbours,
    /// Whose turn it is to read the inbox of a run in memory.
    pub(crate) inboxes: Semaphore,
    /// Steps on their way to workers.
    pub(crate) dispatch: mpsc::UnboundedSender<StepTask>,
    /// A claim or a start failed, and may have been written all the same.
    has_lost_answers: AtomicBool,
    /// Where the engine was started. A run that is begun by a call from elsewhere belongs here too.
    runtime: Option<Handle>,
    instance: RwLock<InstanceId>,
    started_at: Timestamp,
    /// Tells call sites of this build from those of others.
    build: String,
    sites: RwLock<Sites>,
}

/// Call sites by file, line and column, as they are stored.
type Sites = BTreeMap<(&'static str, u32, u32), Arc<str>>;

/// What a [`Core`] is made of.
pub(crate) struct CoreParts {
    pub(crate) config: EngineConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Registry,
    pub(crate) states: States,
    pub(crate) control_plane: Option<Arc<dyn ControlPlane>>,
    pub(crate) interceptors: Interceptors,
    pub(crate) dispatch: mpsc::UnboundedSender<StepTask>,
}

impl Core {
    pub(crate) fn new(parts: CoreParts) -> Self {
        let clock = parts.store.clock();
        let started_at = clock.now();
        let workflows = parts.registry.workflows();
        let herald = Arc::new(Herald::new(parts.control_plane));
        Self {
            workflows: workflows.map(|entry| entry.key.clone()).collect(),
            accumulators: Accumulators::new(&parts.registry),
            config: parts.config,
            clock,
            store: parts.store,
            registry: parts.registry,
            states: parts.states,
            interceptors: parts.interceptors,
            runtime: Handle::try_current().ok(),
            journal: Journal::default(),
            residents: Residents::default(),
            timers: Timers::default(),
            settled: Settled::new(Arc::clone(&herald)),
            herald,
            events: EventBus::default(),
            lease: Lease::default(),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            door: Mutex::default(),
            stop: CancellationToken::new(),
            claim_now: Notify::new(),
            is_full: AtomicBool::new(false),
            neighbours: Neighbours::default(),
            inboxes: Semaphore::new(INBOXES_AT_ONCE),
            dispatch: parts.dispatch,
            has_lost_answers: AtomicBool::new(false),
            instance: RwLock::new(InstanceId::generate()),
            started_at,
            build: build_id(),
            sites: RwLock::default(),
        }
    }

    /// What this instance says of itself, for people.
    pub(crate) fn report(&self) -> InstanceReport {
        InstanceReport {
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: self.build.clone(),
            started_at: self.started_at,
            workflows: self.workflows.iter().map(ToString::to_string).collect(),
            steps: self
                .registry
                .steps()
                .map(|it| it.name.to_string())
                .collect(),
            runs: self.residents.len(),
            parked: self.residents.parked_len(),
            most_runs: self.config.max_resident_runs,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn instance(&self) -> InstanceId {
        self.instance.read().clone()
    }

    /// Goes on under a new id, after the old one was declared dead.
    pub(crate) fn rename(&self, instance: InstanceId) {
        *self.instance.write() = instance;
    }

    /// The store may have given this instance runs of which it does not know.
    pub(crate) fn note_lost_answer(&self) {
        self.has_lost_answers.store(true, Ordering::Release);
    }

    /// Whether an answer was lost since this was asked last.
    pub(crate) fn take_lost_answers(&self) -> bool {
        self.has_lost_answers.swap(false, Ordering::AcqRel)
    }

    /// Runs a task of the engine on the engine's own runtime.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.runtime {
            Some(runtime) => self.tasks.spawn_on(task, runtime),
            None => self.tasks.spawn(task),
        }
    }

    /// How many more runs fit into memory.
    pub(crate) fn room(&self) -> usize {
        let waiting = self.residents.parked_len();
        let busy = self.residents.len().saturating_sub(waiting);
        self.config.max_resident_runs.saturating_sub(busy)
    }

    /// The same for a claim: where nothing fits, what is due is looked for again as soon as there is
    /// room.
    pub(crate) fn room_for_claim(&self) -> usize {
        let room = self.room();
        if room > 0 {
            return room;
        }
        self.is_full.store(true, Ordering::Release);
        // Somebody may have made room just before he could see that.
        self.room()
    }

    /// A run has left memory, or only waits from now on.
    pub(crate) fn made_room(&self) {
        if self.is_full.load(Ordering::Acquire) && self.is_full.swap(false, Ordering::AcqRel) {
            self.claim_now.notify_one();
        }
    }

    /// A run may be due: looks for it here, and lets the others look if it is not taken here.
    pub(crate) fn look_for_due(&self) {
        self.claim_now.notify_one();
        if !self.claims_runs() {
            self.herald.due();
        }
    }

    /// Whether a run that falls due is taken here, if its workflow is known.
    fn claims_runs(&self) -> bool {
        self.config.drive
            && !self.draining.is_cancelled()
            && self.lease.is_good()
            && self.room() > 0
            // Whose run it is, is not asked: one of a single namespace always tells the others.
            && self.config.namespace.is_none()
    }

    /// The only namespace whose runs are executed here, if there is one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.config.namespace.as_deref()
    }

    /// Whether runs of this namespace are executed here.
    pub(crate) fn serves(&self, namespace: &str) -> bool {
        self.namespace().is_none_or(|own| own == namespace)
    }

    /// Whether a run started here may begin here.
    pub(crate) fn takes_runs(&self) -> bool {
        self.config.drive
            && !self.draining.is_cancelled()
            && self.lease.is_good()
            && self.residents.len() < self.config.max_resident_runs
    }

    /// How a call site is stored. Each is written once per process.
    pub(crate) fn site(&self, site: &'static Location<'static>) -> Arc<str> {
        let key = (site.file(), site.line(), site.column());
        if let Some(text) = self.sites.read().get(&key) {
            return Arc::clone(text);
        }
        let text = site_text(&self.build, site);
        self.sites.write().insert(key, Arc::clone(&text));
        text
    }

    /// A number for a run that never changes.
    pub(crate) fn seed(run: &RunId) -> u64 {
        stable_hash(run.as_str())
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("instance", &self.instance())
            .field("store", &self.store.name())
            .field("residents", &self.residents.len())
            .finish_non_exhaustive()
    }
}

/// Eight hex digits that differ between builds: from the size and time of the executable.
fn build_id() -> String {
    let mut hasher = DefaultHasher::new();
    let file = std::env::current_exe().and_then(std::fs::metadata);
    if let Ok(file) = file {
        file.len().hash(&mut hasher);
        file.modified().ok().hash(&mut hasher);
    }
    format!("{:08x}", hasher.finish() & 0xffff_ffff)
}

/// How long this instance may count on its runs, by its own monotonic clock.
///
/// The store judges the lease by its clock; this one only ever ends earlier, because the time is
/// taken before the renewal is sent.
#[derive(Debug)]
pub(crate) struct Lease {
    base: Instant,
    /// Milliseconds after `base`; negative while there is no lease.
    until: AtomicI64,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            until: AtomicI64::new(-1),
        }
    }
}

impl Lease {
    /// The renewal that was sent at `sent` was granted. Returns whether the lease had run out.
    pub(crate) fn renewed(&self, sent: Instant, ttl: Duration) -> bool {
        let had_lapsed = !self.is_good();
        let until = sent.duration_since(self.base) + ttl;
        let until = i64::try_from(until.as_millis()).unwrap_or(i64::MAX);
        self.until.store(until, Ordering::Release);
        had_lapsed
    }

    pub(crate) fn end(&self) {
        self.until.store(-1, Ordering::Release);
    }

    pub(crate) fn is_good(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        i64::try_from(self.base.elapsed().as_millis()).is_ok_and(|now| now < until)
    }
}
