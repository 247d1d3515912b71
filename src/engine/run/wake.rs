//! Waking the task of a run, and only when it sleeps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

/// The waker that a workflow is polled with.
///
/// Most wake-ups happen while the run's own task is busy with the run: a release wakes the
/// operation that it is for. Those only set a flag; the task looks at it before it sleeps.
#[derive(Debug, Default)]
pub(crate) struct RunWaker {
    task: AtomicWaker,
    /// The workflow wants to be polled.
    body: AtomicBool,
    /// Something for the driver has happened.
    news: AtomicBool,
    /// The task is busy and will look at both before it sleeps.
    is_busy: AtomicBool,
    /// Wake-ups by step bodies inside a set of futures, kept back until the driver passes them on.
    ///
    /// A set such as `FuturesUnordered` polls its futures in the order in which they were woken.
    /// That order must follow from the releases alone, because on replay no body wakes anything. So
    /// bodies wake their operation only between turns, when every set that the workflow awaits has
    /// an empty queue and every other set has all its futures in it; see `Driver::poll_body`.
    kept_back: Mutex<Vec<Waker>>,
}

impl RunWaker {
    /// Tells the driver to look.
    pub(crate) fn tell(&self) {
        self.news.store(true, SeqCst);
        self.wake_task();
    }

    fn wake_task(&self) {
        // Sequentially consistent, like `rest`: either this sees that the task is not busy, or
        // the task sees the flag that was set before.
        if !self.is_busy.load(SeqCst) {
            self.task.wake();
        }
    }

    /// The task begins to work.
    pub(crate) fn rise(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
        self.is_busy.store(true, SeqCst);
        self.news.store(false, SeqCst);
    }

    /// The task wants to sleep; `false` if there is something to do after all.
    pub(crate) fn rest(&self) -> bool {
        self.is_busy.store(false, SeqCst);
        if self.news.load(SeqCst) || self.body.load(SeqCst) {
            self.is_busy.store(true, SeqCst);
            self.news.store(false, SeqCst);
            return false;
        }
        true
    }

    /// Whether the workflow wants to be polled.
    pub(crate) fn wants_body(&self) -> bool {
        self.body.load(SeqCst)
    }

    /// Whether the workflow wants to be polled; asking takes the wish.
    pub(crate) fn take_body(&self) -> bool {
        self.body.swap(false, SeqCst)
    }

    /// Passes on what bodies have woken since the last time.
    pub(crate) fn pass_on(&self) {
        let kept_back = std::mem::take(&mut *self.kept_back.lock());
        kept_back.into_iter().for_each(Waker::wake);
    }
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.body.store(true, SeqCst);
        self.wake_task();
    }
}

/// The waker of a step body inside a set of futures.
#[derive(Debug)]
pub(crate) struct BodyWaker {
    pub(crate) operation: Waker,
    pub(crate) run: Arc<RunWaker>,
}

impl Wake for BodyWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.run.kept_back.lock().push(self.operation.clone());
        self.run.tell();
    }
}
