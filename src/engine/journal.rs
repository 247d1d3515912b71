//! Group commit: everything that changes runs goes through one writer.
//!
//! There is no timer. While a commit is under way the next batch collects, so a busy engine
//! writes large batches and an idle one writes at once.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, oneshot};
use tracing::{error, warn};

use super::{core::Core, resident::Resident};
use crate::model::{Failure, NewRun, RunStatus};
use crate::store::{
    Batch, BatchAck, CommitAck, Delivery, DeliveryAck, RunCommit, StartAck, StoreError,
};

/// How many starts and deliveries may wait for the writer. More would only wait in memory; their
/// callers wait instead, which slows down whoever sends too much. Commits need no bound of their
/// own: a run has one at a time.
const MAX_WAITING: usize = 4_096;

/// After so many failures of a batch its items are written one by one, to find a bad one.
const SUSPECT_AFTER: u32 = 3;

/// The wait after the first failure of the store, doubling up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// The longest wait between two attempts to write: what the store's return costs at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Journal {
    queue: Mutex<Queue>,
    filled: Notify,
    room: Semaphore,
}

#[derive(Debug, Default)]
struct Queue {
    starts: Vec<(NewRun, Answer<StartAck>)>,
    deliveries: Vec<(Delivery, Answer<DeliveryAck>)>,
    commits: Vec<(RunCommit, Arc<dyn Resident>)>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            queue: Mutex::default(),
            filled: Notify::new(),
            room: Semaphore::new(MAX_WAITING),
        }
    }
}

impl Journal {
    /// Stores a run, unless its id exists.
    pub(crate) async fn start(&self, run: NewRun) -> Result<StartAck, StoreError> {
        let (tx, rx) = oneshot::channel();
        let _room = self.room.acquire().await;
        self.queue.lock().starts.push((run, tx));
        self.filled.notify_one();
        rx.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Delivers something from outside.
    pub(crate) async fn deliver(&self, delivery: Delivery) -> Result<DeliveryAck, StoreError> {
        let (tx, rx) = oneshot::channel();
        let _room = self.room.acquire().await;
        self.queue.lock().deliveries.push((delivery, tx));
        self.filled.notify_one();
        rx.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Writes what a run sends; the run is told when it is durable.
    pub(crate) fn commit(&self, commit: RunCommit, from: Arc<dyn Resident>) {
        self.queue.lock().commits.push((commit, from));
        self.filled.notify_one();
    }

    fn take(&self, most: usize) -> Queue {
        let mut queue = self.queue.lock();
        let mut taken = Queue::default();
        take_some(&mut queue.commits, &mut taken.commits, most);
        take_some(&mut queue.starts, &mut taken.starts, most);
        take_some(&mut queue.deliveries, &mut taken.deliveries, most);
        taken
    }
}

/// Moves the oldest `most` items, or all at the price of a pointer swap.
fn take_some<T>(from: &mut Vec<T>, into: &mut Vec<T>, most: usize) {
    if from.len() <= most {
        std::mem::swap(from, into);
    } else {
        into.extend(from.drain(..most));
    }
}

fn stopped() -> StoreError {
    StoreError::Backend {
        backend: "journal",
        operation: "write",
        source: "the engine has stopped".into(),
    }
}

/// The writer: one per engine. It ends once the engine stops and nothing waits.
pub(crate) async fn write_all(core: Arc<Core>) {
    loop {
        let taken = core.journal.take(core.config.journal_batch);
        if taken.commits.is_empty() && taken.starts.is_empty() && taken.deliveries.is_empty() {
            if core.stop.is_cancelled() {
                return;
            }
            tokio::select! {
                biased;
                () = core.journal.filled.notified() => {}
                () = core.stop.cancelled() => {}
            }
            continue;
        }
        write(&core, taken).await;
    }
}

/// Whoever waits for the items of a batch.
#[derive(Default)]
struct Waiting {
    starts: Vec<Answer<StartAck>>,
    deliveries: Vec<Answer<DeliveryAck>>,
    commits: Vec<Arc<dyn Resident>>,
}

impl Waiting {
    fn answer(self, ack: BatchAck) {
        // A caller that has gone does not want to know.
        for (tx, ack) in self.starts.into_iter().zip(ack.starts) {
            drop(tx.send(Ok(ack)));
        }
        for (tx, ack) in self.deliveries.into_iter().zip(ack.deliveries) {
            drop(tx.send(ack));
        }
        for (run, ack) in self.commits.into_iter().zip(ack.commits) {
            run.acked(ack);
        }
    }
}

fn unzip(queue: Queue) -> (Batch, Waiting) {
    let mut batch = Batch::default();
    let mut waiting = Waiting::default();
    (batch.starts, waiting.starts) = queue.starts.into_iter().unzip();
    (batch.deliveries, waiting.deliveries) = queue.deliveries.into_iter().unzip();
    (batch.commits, waiting.commits) = queue.commits.into_iter().unzip();
    (batch, waiting)
}

/// Writes a batch, however long the store is away. Nothing of it is lost meanwhile: the callers
/// and runs wait. A crash leaves it written or not, and whoever recovers reads which.
async fn write(core: &Core, queue: Queue) {
    let (batch, waiting) = unzip(queue);
    let mut failures = 0;
    let mut wait = FIRST_WAIT;
    loop {
        match core.store.commit(&batch).await {
            Ok(ack) => return waiting.answer(ack),
            Err(error) => {
                failures += 1;
                warn!(
                    error = &error as &dyn std::error::Error,
                    failures, "commit failed, trying again"
                );
            }
        }
        if failures >= SUSPECT_AFTER && batch.len() > 1 {
            return write_singly(core, batch, waiting).await;
        }
        if failures >= 2 * SUSPECT_AFTER && refuses_one(core).await {
            set_aside(core, &batch).await;
            return waiting.answer(refuse_all(&batch));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether the store takes another write, so that it is the item and not the store that fails. A
/// full disk or a lock held elsewhere fails that one too, and then everything waits.
async fn refuses_one(core: &Core) -> bool {
    let lease = core.config.lease_ttl;
    let writes = core.store.heartbeat(&core.instance(), lease).await.is_ok();
    if writes {
        error!("the store refuses a change again and again; it is given up");
    }
    writes
}

/// Blocks the runs whose commits are given up, so that each has its reason stored and waits for a
/// requeue. Should that be refused too, the run stays with this instance until it ends.
async fn set_aside(core: &Core, batch: &Batch) {
    let commits = batch.commits.iter().map(|refused| {
        let (run, token) = (refused.run.clone(), refused.token);
        let mut commit = RunCommit::new(run, token, RunStatus::Blocked, refused.at);
        let message = "the store refuses what the run writes; its log says why";
        commit.failure = Some(Failure::fatal("refused", message));
        commit.rev = refused.rev;
        commit
    });
    let blocked = Batch {
        commits: commits.collect(),
        ..Batch::default()
    };
    if let Err(error) = core.store.commit(&blocked).await {
        error!(
            error = &error as &dyn std::error::Error,
            "runs not set aside"
        );
    }
}

fn refuse_all(batch: &Batch) -> BatchAck {
    let refused = || StoreError::Backend {
        backend: "journal",
        operation: "write",
        source: "the store refuses this change".into(),
    };
    BatchAck {
        // A start has no refusal of its own: its caller is told by the closed channel.
        starts: Vec::new(),
        deliveries: batch.deliveries.iter().map(|_| Err(refused())).collect(),
        commits: batch.commits.iter().map(|_| Err(refused())).collect(),
    }
}

/// Writes the items of a batch on their own, so that a bad one harms nobody else.
async fn write_singly(core: &Core, batch: Batch, waiting: Waiting) {
    for (start, tx) in batch.starts.into_iter().zip(waiting.starts) {
        let one = Queue {
            starts: vec![(start, tx)],
            ..Queue::default()
        };
        Box::pin(write(core, one)).await;
    }
    for (delivery, tx) in batch.deliveries.into_iter().zip(waiting.deliveries) {
        let one = Queue {
            deliveries: vec![(delivery, tx)],
            ..Queue::default()
        };
        Box::pin(write(core, one)).await;
    }
    for (commit, run) in batch.commits.into_iter().zip(waiting.commits) {
        let one = Queue {
            commits: vec![(commit, run)],
            ..Queue::default()
        };
        Box::pin(write(core, one)).await;
    }
}

/// Whether what was sent is known to be durable.
pub(crate) type Ack = Result<CommitAck, StoreError>;
