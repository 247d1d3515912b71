//! What all parts of an engine share.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::EngineConfig, journal::Journal, replay::site_text, residents::Residents,
    settled::Settled, timers::Timers,
};
use crate::event::EventBus;
use crate::id::{InstanceId, RunId};
use crate::model::WorkflowKey;
use crate::protocol::StepTask;
use crate::registry::Registry;
use crate::store::Store;
use crate::time::{Clock, Timestamp};
use crate::workflow::States;

/// What all parts of an engine share. One per engine, behind an `Arc`.
pub(crate) struct Core {
    pub(crate) config: EngineConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    /// The workflows of the registry, as the claim asks for them.
    pub(crate) workflows: Vec<WorkflowKey>,
    pub(crate) states: States,
    pub(crate) journal: Journal,
    pub(crate) residents: Residents,
    pub(crate) timers: Timers,
    pub(crate) settled: Settled,
    pub(crate) events: EventBus,
    pub(crate) lease: Lease,
    pub(crate) tasks: TaskTracker,
    /// No new runs are taken from here on.
    pub(crate) draining: CancellationToken,
    /// Everything ends.
    pub(crate) stop: CancellationToken,
    /// Told when a run may be due.
    pub(crate) claim_now: Notify,
    /// Steps on their way to workers.
    pub(crate) dispatch: mpsc::UnboundedSender<StepTask>,
    instance: RwLock<InstanceId>,
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
    pub(crate) dispatch: mpsc::UnboundedSender<StepTask>,
}

impl Core {
    pub(crate) fn new(parts: CoreParts) -> Self {
        let clock = parts.store.clock();
        let workflows = parts.registry.workflows();
        Self {
            workflows: workflows.map(|entry| entry.key.clone()).collect(),
            config: parts.config,
            clock,
            store: parts.store,
            registry: parts.registry,
            states: parts.states,
            journal: Journal::default(),
            residents: Residents::default(),
            timers: Timers::default(),
            settled: Settled::default(),
            events: EventBus::default(),
            lease: Lease::default(),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
            claim_now: Notify::new(),
            dispatch: parts.dispatch,
            instance: RwLock::new(InstanceId::generate()),
            build: build_id(),
            sites: RwLock::default(),
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

    /// How many more runs fit into memory.
    pub(crate) fn room(&self) -> usize {
        let waiting = self.residents.parked_len();
        let busy = self.residents.len().saturating_sub(waiting);
        self.config.max_resident_runs.saturating_sub(busy)
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
        // FNV-1a, whose values are the same on every platform and in every release:
        // http://www.isthe.com/chongo/tech/comp/fnv/
        let start = 0xcbf2_9ce4_8422_2325_u64;
        let bytes = run.as_str().bytes();
        bytes.fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
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
