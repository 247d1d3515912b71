//! Waiting until nothing moves by itself, and moving the time on then.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::clock::ManualClock;
use crate::durable::Durable;
use crate::id::RunId;
use crate::model::{Run, RunQuery, RunStatus};
use crate::store::{MemoryStore, ReadStore};
use crate::time::{Clock, Timestamp};

/// How long a test waits, in real time, for runs that are busy and do not get on. Only a test that
/// has a mistake waits that long, so it is long enough for a machine that stalls.
const PATIENCE: Duration = Duration::from_secs(20);

/// Without news the store is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A store and the clock by which it goes.
#[derive(Debug, Clone)]
pub(super) struct Pilot {
    pub(super) store: MemoryStore,
    pub(super) clock: ManualClock,
}

/// Where the runs stand.
#[derive(Debug, Default)]
struct View {
    /// The first run that will change without the clock moving.
    busy: Option<Run>,
    /// When time moves on the next run.
    next: Option<Timestamp>,
    /// Grows whenever a run gets on.
    revs: u64,
}

/// Runs that stay busy although nothing is left to wait for.
#[derive(Debug)]
pub(super) struct Stuck(pub(super) RunId);

impl Pilot {
    pub(super) fn new() -> Self {
        let clock = ManualClock::default();
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        Self { store, clock }
    }

    /// Waits until no run changes unless the clock is moved or something comes from outside.
    /// Answers when time moves on the next run.
    pub(super) async fn settle(&self, durable: &Durable) -> Result<Option<Timestamp>, Stuck> {
        let mut events = durable.subscribe();
        let (mut revs, mut since) = (0, Instant::now());
        loop {
            let view = self.look().await;
            let Some(busy) = view.busy else {
                return Ok(view.next);
            };
            if view.revs != revs {
                (revs, since) = (view.revs, Instant::now());
            } else if since.elapsed() > PATIENCE {
                return Err(Stuck(busy.id));
            }
            drop(tokio::time::timeout(LOOK_AGAIN, events.recv()).await);
        }
    }

    /// Moves the time to the next thing that waits for it, if that is not later than `until`.
    /// The store must have settled.
    pub(super) fn hop(&self, next: Option<Timestamp>, until: Timestamp) -> bool {
        let Some(at) = next.filter(|at| *at <= until) else {
            return false;
        };
        if at > self.clock.now() {
            self.clock.set(at);
        }
        true
    }

    /// Whether something lies in the inbox of a run that waits, or has lain there a moment ago. A
    /// signal from the buffer gets there with the commit that opens the wait, without a wake.
    async fn has_news(&self, run: &Run) -> bool {
        if run.status != RunStatus::Suspended {
            return false;
        }
        let Ok(Some(record)) = self.store.load(&run.id).await else {
            return true;
        };
        let has_moved = (record.run.rev, record.run.wakes) != (run.rev, run.wakes);
        has_moved || !record.inbox.is_empty()
    }

    async fn look(&self) -> View {
        let now = self.clock.now();
        let mut view = View::default();
        let statuses = RunStatus::ALL.into_iter();
        let mut query = RunQuery {
            limit: RunQuery::MAX_LIMIT,
            statuses: statuses.filter(|status| !status.is_terminal()).collect(),
            ..RunQuery::default()
        };
        loop {
            // A store in memory always answers.
            let Ok(page) = self.store.list(&query).await else {
                return view;
            };
            for run in page.runs {
                view.revs += run.rev;
                if is_busy(&run, now) || self.has_news(&run).await {
                    view.busy.get_or_insert(run);
                } else if run.status != RunStatus::Blocked && run.wake_at < Timestamp::MAX {
                    let next = view.next.map_or(run.wake_at, |at| at.min(run.wake_at));
                    view.next = Some(next);
                }
            }
            match page.next {
                Some(after) => query.after = Some(after),
                None => return view,
            }
        }
    }
}

/// Whether a run will change without the clock moving.
fn is_busy(run: &Run, now: Timestamp) -> bool {
    match run.status {
        RunStatus::Suspended => run.wake_at <= now || run.wakes != run.seen_wakes,
        RunStatus::Pending => run.wake_at <= now || run.owner.is_some(),
        RunStatus::Running | RunStatus::Cancelling => true,
        RunStatus::Blocked
        | RunStatus::Paused
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Cancelled
        | RunStatus::Dead
        | RunStatus::CompensationFailed => false,
    }
}
