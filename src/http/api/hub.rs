//! The list as it changes, read once for all streams of a process.
//!
//! The hub listens to what this process does and looks at the newest page of the list once a
//! second, which shows what other processes do. It reads only while somebody follows, and keeps
//! the last events for those who come back. Its events are numbered; the numbers begin anew with
//! each process and each rest, which the epoch before the number says.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use tokio::{
    sync::broadcast::{self, Receiver, error::RecvError},
    time::Instant,
};

use super::{
    dto::RunSummary,
    value::Allowance,
    watch::{Stand, stand},
};
use crate::control::{Control, Row};
use crate::event::EngineEvent;
use crate::id::RunId;
use crate::model::RunQuery;
use crate::store::StoreError;

/// Events kept for those who come back: a busy engine's last seconds, under a megabyte.
const KEPT: usize = 1_024;

/// How long changes are collected before they are read: still at once for people, and a busy
/// engine's runs are not read after each commit.
const COLLECT: Duration = Duration::from_millis(60);

/// How often the newest page is read, for what other processes do.
const POLL: Duration = Duration::from_secs(1);

/// Runs read one by one after `COLLECT`. If more changed, lists are better read again as a whole.
const MOST_AT_ONCE: usize = 64;

/// How long the hub goes on without followers: a page that is loaded again finds its place.
const LINGER: Duration = Duration::from_secs(60);

/// What happened to the list.
#[derive(Debug)]
pub(super) struct HubEvent {
    pub(super) number: u64,
    pub(super) news: ListNews,
}

/// News about the list.
#[derive(Debug)]
pub(super) enum ListNews {
    /// A run is new or stands differently.
    Run(Arc<RunSummary>),
    /// More changed than is told one by one.
    Many,
}

/// The list as it changes. Clones share it.
#[derive(Clone)]
pub(super) struct Hub {
    state: Arc<Mutex<HubState>>,
}

struct HubState {
    epoch: String,
    number: u64,
    kept: VecDeque<Arc<HubEvent>>,
    tx: broadcast::Sender<Arc<HubEvent>>,
    is_running: bool,
    asked_at: Instant,
}

/// A follower's place.
pub(super) struct Follow {
    /// What it has missed.
    pub(super) missed: VecDeque<Arc<HubEvent>>,
    /// What comes.
    pub(super) next: Receiver<Arc<HubEvent>>,
    /// Whether it missed more than is kept, and shall read the list again.
    pub(super) has_gap: bool,
    /// The numbers' epoch.
    pub(super) epoch: String,
    /// The position at which it begins.
    pub(super) from: u64,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub")
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            state: Arc::new(Mutex::new(HubState {
                epoch: new_epoch(),
                number: 0,
                kept: VecDeque::new(),
                tx: broadcast::channel(KEPT).0,
                is_running: false,
                asked_at: Instant::now(),
            })),
        }
    }
}

fn new_epoch() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

impl Hub {
    /// Where the list stands: what changes from now on comes after it.
    pub(super) fn position(&self, control: &Control) -> String {
        self.wake(control);
        let state = self.state.lock();
        format!("{}-{}", state.epoch, state.number)
    }

    /// Follows the list after a position; without one, from now on.
    pub(super) fn follow(&self, control: &Control, after: Option<&str>) -> Follow {
        self.wake(control);
        let state = self.state.lock();
        let seen = after.and_then(|after| {
            let (epoch, number) = after.rsplit_once('-')?;
            let number = number.parse::<u64>().ok()?;
            let first = state.kept.front().map_or(state.number + 1, |it| it.number);
            let is_kept = number + 1 >= first && number <= state.number;
            (epoch == state.epoch && is_kept).then_some(number)
        });
        let from = seen.unwrap_or(state.number);
        let missed = state.kept.iter().filter(|event| event.number > from);
        Follow {
            missed: missed.cloned().collect(),
            next: state.tx.subscribe(),
            has_gap: after.is_some() && seen.is_none(),
            epoch: state.epoch.clone(),
            from,
        }
    }

    /// Makes sure that somebody reads.
    fn wake(&self, control: &Control) {
        let mut state = self.state.lock();
        state.asked_at = Instant::now();
        if state.is_running || control.engine().stopping().is_cancelled() {
            return;
        }
        state.is_running = true;
        // Listening begins here, so that nothing that happens after this call is missed.
        let reader = Reader {
            control: control.clone(),
            hub: self.clone(),
            news: control.engine().subscribe(),
            changed: HashSet::new(),
            told: HashMap::new(),
            began_at: control.engine().clock().now(),
        };
        control.engine().tasks().spawn(reader.run());
    }

    fn publish(&self, news: ListNews) {
        let mut state = self.state.lock();
        state.number += 1;
        let event = Arc::new(HubEvent {
            number: state.number,
            news,
        });
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(Arc::clone(&event));
        // Nobody following any more is fine.
        drop(state.tx.send(event));
    }

    /// Whether the reader may stop, because nobody has followed or asked for a while.
    fn is_idle(&self) -> bool {
        let mut state = self.state.lock();
        let is_idle = state.tx.receiver_count() == 0 && state.asked_at.elapsed() > LINGER;
        if is_idle {
            state.is_running = false;
            // What happens while nobody reads has no number.
            state.epoch = new_epoch();
            state.number = 0;
            state.kept.clear();
        }
        is_idle
    }
}

/// Reads what changed, for the hub.
struct Reader {
    control: Control,
    hub: Hub,
    news: Receiver<EngineEvent>,
    /// Runs that changed and were not read yet.
    changed: HashSet<RunId>,
    /// How the runs of the newest page stood when they were last told.
    told: HashMap<RunId, Stand>,
    began_at: crate::time::Timestamp,
}

impl Reader {
    async fn run(mut self) {
        let stopping = self.control.engine().stopping().clone();
        let mut poll_at = Instant::now();
        while !self.hub.is_idle() {
            let flush_at = if self.changed.is_empty() {
                poll_at
            } else {
                poll_at.min(Instant::now() + COLLECT)
            };
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                () = self.collect(flush_at) => {}
            }
            let mut looked = self.tell_changed().await;
            if looked.is_ok() && Instant::now() >= poll_at {
                looked = self.tell_newest().await;
                poll_at = Instant::now() + POLL;
            }
            if let Err(error) = looked {
                self.give_up(&error);
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }

    /// Whatever was missed is read again by those who follow.
    fn give_up(&mut self, error: &StoreError) {
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, "the list of runs could not be read for streams");
        self.changed.clear();
        self.hub.publish(ListNews::Many);
    }

    /// Collects what happens until the given time, or until some time after the first news.
    async fn collect(&mut self, mut until: Instant) {
        loop {
            tokio::select! {
                news = self.news.recv() => match news {
                    Ok(event) => {
                        if self.changed.is_empty() {
                            until = until.min(Instant::now() + COLLECT);
                        }
                        self.changed.insert(event.run().clone());
                    }
                    Err(RecvError::Lagged(_)) => self.hub.publish(ListNews::Many),
                    Err(RecvError::Closed) => {
                        tokio::time::sleep_until(until).await;
                        return;
                    }
                },
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }

    async fn tell_changed(&mut self) -> Result<(), StoreError> {
        if self.changed.len() > MOST_AT_ONCE {
            self.changed.clear();
            self.hub.publish(ListNews::Many);
            return Ok(());
        }
        let control = &self.control;
        let mut runs = Vec::with_capacity(self.changed.len());
        for id in &self.changed {
            runs.extend(control.run(id).await?);
        }
        let rows = control.as_rows(runs).await?;
        self.changed.clear();
        self.tell(rows);
        Ok(())
    }

    async fn tell_newest(&mut self) -> Result<(), StoreError> {
        let page = self.control.list(&RunQuery::default()).await?;
        let is_first = self.told.is_empty();
        let on_page: HashSet<_> = page.runs.iter().map(|run| run.id.clone()).collect();
        // At first only what is newer than this reader can have been missed by anyone.
        let began_at = self.began_at;
        let (new, old): (Vec<_>, Vec<_>) = page.runs.into_iter().partition(|run| {
            self.told.get(&run.id) != Some(&stand(run)) && !(is_first && run.updated_at < began_at)
        });
        self.told
            .extend(old.iter().map(|run| (run.id.clone(), stand(run))));
        let rows = self.control.as_rows(new).await?;
        self.tell(rows);
        self.told.retain(|id, _| on_page.contains(id));
        Ok(())
    }

    fn tell(&mut self, rows: Vec<Row>) {
        for row in rows {
            let now = stand(&row.run);
            if self.told.insert(row.run.id.clone(), now) == Some(now) {
                continue;
            }
            // A row is for everyone who may look: it holds no payload.
            let view = RunSummary::new(&row, &mut Allowance::none());
            self.hub.publish(ListNews::Run(Arc::new(view)));
        }
    }
}
