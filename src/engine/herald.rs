//! What the other instances shall be told, until it is sent.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::interest::Interest;
use crate::control_plane::{ControlPlane, Hint};
use crate::id::{InstanceId, RunId};
use crate::model::RunStatus;

/// Hints of one kind that may wait to be sent. What goes beyond is left to the others' poll: it
/// comes only when sending takes longer than that.
const MAX_WAITING: usize = 4_096;

/// How long hints that nobody waits for collect: a run that commits a thousand times a second is
/// announced forty times, as often as a stream reads it.
const COLLECT: Duration = Duration::from_millis(25);

/// How long a watch lasts. Waiters and streams look at least once a second and renew it after
/// half of it; longer, and runs are announced for nobody.
const WATCH_SECS: u16 = 30;

/// Runs that ended here and are remembered, for those whose watch comes a moment too late.
const MAX_ENDED: usize = 512;

/// What the other instances shall be told, until it is sent. Everything in it is a hint: they find
/// it in the store too, only later.
///
/// Without a control plane it keeps nothing.
#[derive(Default)]
pub(crate) struct Herald {
    plane: Option<Arc<dyn ControlPlane>>,
    queue: Mutex<Queue>,
    /// Something waits that someone else waits for.
    urgent: Notify,
    /// Something waits that may collect.
    filled: Notify,
    /// What other instances want to hear of.
    watched: Interest,
    /// What this instance wants to hear of.
    followed: Interest,
    ended: Mutex<VecDeque<(RunId, RunStatus)>>,
}

#[derive(Debug, Default)]
struct Queue {
    due: bool,
    woken: BTreeMap<RunId, InstanceId>,
    advanced: BTreeMap<RunId, (u64, RunStatus)>,
    settled: BTreeMap<RunId, RunStatus>,
    watches: BTreeSet<RunId>,
}

impl Herald {
    pub(crate) fn new(plane: Option<Arc<dyn ControlPlane>>) -> Self {
        Self {
            plane,
            ..Self::default()
        }
    }

    pub(crate) const fn plane(&self) -> Option<&Arc<dyn ControlPlane>> {
        self.plane.as_ref()
    }

    /// A run is due that this instance will not execute.
    pub(crate) fn due(&self) {
        if self.plane.is_some() {
            self.queue.lock().due = true;
            self.urgent.notify_one();
        }
    }

    /// A run is due that this instance looks for too, and may not have the workflow of.
    pub(crate) fn maybe_due(&self) {
        if self.plane.is_some() {
            self.queue.lock().due = true;
            self.filled.notify_one();
        }
    }

    /// A run that another instance holds got something into its inbox.
    pub(crate) fn woken(&self, run: &RunId, owner: &InstanceId) {
        if self.plane.is_none() {
            return;
        }
        put(&mut self.queue.lock().woken, run, owner.clone());
        self.urgent.notify_one();
    }

    /// A commit of a run of this instance is durable.
    pub(crate) fn advanced(&self, run: &RunId, rev: u64, status: RunStatus) {
        if !self.watched.has(run) {
            return;
        }
        put(&mut self.queue.lock().advanced, run, (rev, status));
        if is_settled(status) {
            self.urgent.notify_one();
        } else {
            self.filled.notify_one();
        }
    }

    /// A run has ended or was set aside here.
    pub(crate) fn settled(&self, run: &RunId, status: RunStatus) {
        if self.plane.is_none() {
            return;
        }
        let mut ended = self.ended.lock();
        if ended.len() >= MAX_ENDED {
            ended.pop_front();
        }
        ended.push_back((run.clone(), status));
        drop(ended);
        if self.watched.has(run) {
            put(&mut self.queue.lock().settled, run, status);
            self.urgent.notify_one();
        }
    }

    /// Someone here wants to hear of a run that is elsewhere. Asked again and again it is told
    /// now and then.
    pub(crate) fn follow(&self, run: &RunId) {
        if self.plane.is_some() && self.followed.renew(run, ttl(WATCH_SECS)) {
            self.tell_watch(run.clone());
        }
    }

    /// Whether someone here wants to hear of a run that is elsewhere.
    pub(crate) fn follows(&self, run: &RunId) -> bool {
        self.followed.has(run)
    }

    /// Everything that someone here wants to hear of; the others are told again.
    pub(crate) fn follow_anew(&self) -> Vec<RunId> {
        let followed = self.followed.all();
        followed
            .iter()
            .cloned()
            .for_each(|run| self.tell_watch(run));
        followed
    }

    fn tell_watch(&self, run: RunId) {
        let watches = &mut self.queue.lock().watches;
        if watches.len() < MAX_WAITING {
            watches.insert(run);
        }
        self.urgent.notify_one();
    }

    /// Another instance wants to hear of a run. If the run has ended here meanwhile, it is told.
    pub(crate) fn watch(&self, run: &RunId, secs: u16) {
        // Whatever was asked for, at most as long as this build would ask.
        self.watched.renew(run, ttl(secs.min(WATCH_SECS)));
        let ended = self.ended.lock();
        let status = ended.iter().rev().find(|(one, _)| one == run);
        let status = status.map(|(_, status)| *status);
        drop(ended);
        if let Some(status) = status {
            put(&mut self.queue.lock().settled, run, status);
            self.urgent.notify_one();
        }
    }

    /// Forgets what nobody wants to hear of any more.
    pub(crate) fn sweep(&self) {
        self.watched.sweep();
        self.followed.sweep();
    }

    /// Completes when there is something to be sent.
    pub(crate) async fn filled(&self) {
        tokio::select! {
            biased;
            () = self.urgent.notified() => return,
            () = self.filled.notified() => {}
        }
        tokio::select! {
            biased;
            () = self.urgent.notified() => {}
            () = tokio::time::sleep(COLLECT) => {}
        }
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Vec<Hint> {
        std::mem::take(&mut *self.queue.lock()).into_hints()
    }
}

fn ttl(secs: u16) -> Duration {
    Duration::from_secs(secs.into())
}

fn put<T>(map: &mut BTreeMap<RunId, T>, run: &RunId, value: T) {
    if map.len() < MAX_WAITING || map.contains_key(run) {
        map.insert(run.clone(), value);
    }
}

/// Whether whoever waits for the end of a run has something to look at.
pub(crate) fn is_settled(status: RunStatus) -> bool {
    status.is_terminal() || status == RunStatus::Blocked
}

impl Queue {
    /// What should be acted on first comes first.
    fn into_hints(self) -> Vec<Hint> {
        let Self {
            due,
            woken,
            advanced,
            mut settled,
            watches,
        } = self;
        for (run, (_, status)) in &advanced {
            if is_settled(*status) {
                // The same news.
                settled.remove(run);
            }
        }
        let due = due.then_some(Hint::Due);
        let woken = woken.into_iter();
        let woken = woken.map(|(run, owner)| Hint::Woken { run, owner });
        let settled = settled.into_iter();
        let settled = settled.map(|(run, status)| Hint::Settled { run, status });
        let advanced = advanced.into_iter();
        let advanced = advanced.map(|(run, (rev, status))| Hint::Advanced { run, rev, status });
        let watches = watches.into_iter();
        let watches = watches.map(|run| {
            let secs = WATCH_SECS;
            Hint::Watch { run, secs }
        });
        let hints = due.into_iter().chain(woken).chain(settled);
        hints.chain(advanced).chain(watches).collect()
    }
}

impl fmt::Debug for Herald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herald")
            .field("plane", &self.plane)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::InProcessPlane;

    fn run(name: &str) -> RunId {
        RunId::parse(name).unwrap()
    }

    fn herald() -> Herald {
        Herald::new(Some(Arc::new(InProcessPlane::default())))
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_sent_together_and_the_newest_of_each_run_only() {
        let herald = herald();
        let owner = InstanceId::parse("b").unwrap();
        herald.watch(&run("a"), 30);
        for rev in 1..=9 {
            herald.advanced(&run("a"), rev, RunStatus::Running);
            herald.advanced(&run("unwatched"), rev, RunStatus::Running);
            herald.due();
            herald.woken(&run("w"), &owner);
        }
        herald.filled().await;
        let woken = Hint::Woken {
            run: run("w"),
            owner,
        };
        let advanced = Hint::Advanced {
            run: run("a"),
            rev: 9,
            status: RunStatus::Running,
        };
        assert_eq!(herald.take(), [Hint::Due, woken, advanced]);
        assert_eq!(herald.take(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_comes_after_the_end_is_answered() {
        let herald = herald();
        herald.settled(&run("a"), RunStatus::Failed);
        assert_eq!(herald.take(), [], "nobody had asked");
        herald.watch(&run("a"), 30);
        let settled = Hint::Settled {
            run: run("a"),
            status: RunStatus::Failed,
        };
        assert_eq!(herald.take(), [settled]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_is_told_again_while_the_interest_lasts() {
        let herald = herald();
        let mut told = 0;
        for _ in 0..120 {
            herald.follow(&run("a"));
            told += herald.take().len();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!((4..=9).contains(&told), "{told} times in two minutes");
        assert!(herald.follows(&run("a")));
        assert_eq!(herald.follow_anew(), [run("a")]);
        assert_eq!(herald.take().len(), 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(herald.follow_anew(), []);
    }

    #[test]
    fn without_a_plane_nothing_is_kept() {
        let herald = Herald::default();
        herald.due();
        herald.follow(&run("a"));
        herald.settled(&run("a"), RunStatus::Completed);
        assert_eq!(herald.take(), []);
        assert!(herald.ended.lock().is_empty());
    }
}
