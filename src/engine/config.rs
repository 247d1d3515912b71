//! How an engine is set up. Each default has a unit and a reason.

use std::{fmt, sync::Arc, time::Duration};

use super::retention::Retention;
use crate::model::Run;

/// Called with each run that this process has given up, after that was stored.
#[derive(Clone)]
pub struct OnDead(pub(super) Arc<dyn Fn(&Run) + Send + Sync>);

impl OnDead {
    /// A hook.
    pub fn new(hook: impl Fn(&Run) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }
}

impl fmt::Debug for OnDead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDead(..)")
    }
}

/// How an engine is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Whether this instance executes runs. An instance that does not still starts, signals,
    /// reads and cancels them. Default: yes.
    pub drive: bool,
    /// How long the others wait for a sign of life before they take this instance's runs, where
    /// its liveness lock cannot tell them. Default 15 s: longer than a garbage-collected or
    /// overcommitted machine stalls, short enough to wait for.
    pub lease_ttl: Duration,
    /// The longest wait between two looks for due runs. Default 1 s: what another instance
    /// started is noticed after this at the latest, and an idle engine costs one query a second.
    pub poll_interval: Duration,
    /// How often dead instances are looked for. Default 900 ms, so that a crash is healed within
    /// a second.
    pub recovery_interval: Duration,
    /// Runs held in memory at the most, waiting ones included. Default 20,000: at 1 to 2 KiB
    /// beside the users' own futures some tens of megabytes.
    pub max_resident_runs: usize,
    /// How long a waiting run stays in memory. Default 10 minutes: most answers come sooner, and
    /// a run that is called back later only pays one replay.
    pub evict_after: Duration,
    /// Whether a run leaves memory at each wait, so that every wake-up replays its history. For
    /// tests of replay. Default: no.
    pub evict_at_every_wait: bool,
    /// Recoveries without progress after which a run is given up as `dead`. Default 10: enough
    /// for a bad deploy, few enough that a run which kills its process does not do so for ever.
    pub max_recovery_attempts: u32,
    /// Changes in one commit of the journal at the most. Default 256: beyond it commits take
    /// longer without writing more per second.
    pub journal_batch: usize,
    /// Bytes of one stored value at the most, before a codec changes it: an input, a signal, a
    /// result, a published value. Default 8 MiB: far more than a history should carry, and half
    /// of what MariaDB takes in one message by default.
    pub max_payload: usize,
    /// How long an event is kept for waits that are opened after it. Default an hour: what a run is
    /// busy with before it comes to its wait, or waits in a queue to begin, is over by then, and
    /// a wait for any event is not surprised by one of yesterday.
    pub event_ttl: Duration,
    /// The namespace of the runs that are started here, unless they name another, and the only one
    /// whose runs are executed here. Default: `None`, runs start in `default`, and those of all
    /// namespaces are executed.
    pub namespace: Option<Arc<str>>,
    /// The workflow that is started for each run that is given up, unless that one's workflow
    /// names another. Default: none.
    pub dead_letter: Option<Arc<str>>,
    /// Who is told of runs that this process has given up. Default: nobody.
    pub on_dead: Option<OnDead>,
    /// Where the routes for the outside are reached, such as `https://shop.example/durable`: what
    /// the addresses of webhooks begin with. Default: not known.
    pub public_url: Option<Arc<str>>,
    /// How long ended runs are kept. Default: for ever.
    pub retention: Option<Retention>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            drive: true,
            lease_ttl: Duration::from_secs(15),
            poll_interval: Duration::from_secs(1),
            recovery_interval: Duration::from_millis(900),
            max_resident_runs: 20_000,
            evict_after: Duration::from_secs(600),
            evict_at_every_wait: false,
            max_recovery_attempts: 10,
            journal_batch: 256,
            max_payload: 8 * 1024 * 1024,
            event_ttl: Duration::from_secs(3_600),
            namespace: None,
            dead_letter: None,
            on_dead: None,
            public_url: None,
            retention: None,
        }
    }
}

impl EngineConfig {
    /// Three renewals fit into a lease, so that one lost renewal does no harm.
    pub(crate) fn renew_every(&self) -> Duration {
        self.lease_ttl / 3
    }
}
