//! Group commit: everything that changes runs goes through one writer.
//!
//! There is no timer. While a commit is under way the next batch collects, so a busy engine
//! writes large batches and an idle one writes at once.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
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

/// The bytes of payloads in one batch at the most, unless a single item has more. A commit takes
/// so long per MiB that larger ones would only keep others waiting, and it stays far below the 16
/// MiB that MariaDB takes in one message by default.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// After so many failures of a batch its items are written one by one, to find a bad one.
const SUSPECT_AFTER: u32 = 3;

/// The wait after the first failure of the store, doubling up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// The longest wait between two attempts to write: what the store's return costs at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// How many items make another writer worth while: more than one batch takes.
const CROWD: usize = 256;

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Journal {
    queue: Mutex<Queue>,
    filled: Notify,
    /// Told when a whole batch waits behind the one that is being written.
    crowded: Notify,
    room: Arc<Semaphore>,
}

/// A place among those who wait for the writer.
#[derive(Debug)]
pub(crate) struct Room(Option<OwnedSemaphorePermit>);

#[derive(Debug, Default)]
struct Queue {
    starts: Vec<(NewRun, Answer<StartAck>)>,
    deliveries: Vec<(Delivery, Answer<DeliveryAck>)>,
    commits: Vec<(RunCommit, Arc<dyn Resident>)>,
    /// Which kind is the first one of the next batch.
    first: usize,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            queue: Mutex::default(),
            filled: Notify::new(),
            crowded: Notify::new(),
            room: Arc::new(Semaphore::new(MAX_WAITING)),
        }
    }
}

impl Journal {
    /// Waits until one more may wait for the writer.
    pub(crate) async fn room(&self) -> Room {
        // The semaphore is never closed.
        Room(Arc::clone(&self.room).acquire_owned().await.ok())
    }

    /// Stores a run, unless its id exists.
    pub(crate) async fn start(&self, run: NewRun, room: Room) -> Result<StartAck, StoreError> {
        let Room(_permit) = room;
        let (tx, rx) = oneshot::channel();
        self.push(|queue| queue.starts.push((run, tx)));
        rx.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Delivers something from outside.
    pub(crate) async fn deliver(&self, delivery: Delivery) -> Result<DeliveryAck, StoreError> {
        let (tx, rx) = oneshot::channel();
        let Room(_permit) = self.room().await;
        self.push(|queue| queue.deliveries.push((delivery, tx)));
        rx.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Writes what a run sends; the run is told when it is durable.
    pub(crate) fn commit(&self, commit: RunCommit, from: Arc<dyn Resident>) {
        self.push(|queue| queue.commits.push((commit, from)));
    }

    fn push(&self, add: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.lock();
        add(&mut queue);
        let is_crowded = queue.len() >= CROWD;
        drop(queue);
        self.filled.notify_one();
        if is_crowded {
            self.crowded.notify_one();
        }
    }

    /// Takes the oldest items, if there are at least `least`.
    fn take(&self, most: usize, least: usize) -> Queue {
        let mut queue = self.queue.lock();
        let mut taken = Queue::default();
        if queue.len() < least {
            return taken;
        }
        let [commits, starts, deliveries] = queue.shares(most);
        take_some(&mut queue.commits, &mut taken.commits, commits);
        take_some(&mut queue.starts, &mut taken.starts, starts);
        take_some(&mut queue.deliveries, &mut taken.deliveries, deliveries);
        taken
    }
}

impl Queue {
    const fn len(&self) -> usize {
        self.starts.len() + self.deliveries.len() + self.commits.len()
    }

    /// How many commits, starts and deliveries go into the next batch: `most` of each at the most,
    /// and no more than [`MOST_BYTES`] of payloads unless the first item has more. Each kind is
    /// the first one in turn, so that large ones of one kind do not keep the others out for ever.
    fn shares(&mut self, most: usize) -> [usize; 3] {
        let mut space = Space::default();
        let mut shares = [0; 3];
        for step in 0..3 {
            let kind = (self.first + step) % 3;
            shares[kind] = match kind {
                0 => space.count(most, &self.commits, |(it, _)| it.payload_bytes()),
                1 => space.count(most, &self.starts, |(it, _)| it.input.as_bytes().len()),
                _ => space.count(most, &self.deliveries, |(it, _)| it.payload_bytes()),
            };
        }
        self.first = (self.first + 1) % 3;
        shares
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

/// What a batch that is being put together holds.
#[derive(Debug, Default)]
struct Space {
    has_any: bool,
    bytes: usize,
}

impl Space {
    /// How many of the oldest `most` items still go in. The first of a batch always does.
    fn count<T>(&mut self, most: usize, items: &[T], bytes_of: impl Fn(&T) -> usize) -> usize {
        for (at, item) in items.iter().take(most).enumerate() {
            let bytes = self.bytes.saturating_add(bytes_of(item));
            if self.has_any && bytes > MOST_BYTES {
                return at;
            }
            (self.has_any, self.bytes) = (true, bytes);
        }
        items.len().min(most)
    }
}

/// The engine has ended before it could write.
pub(crate) fn stopped() -> StoreError {
    StoreError::Backend {
        backend: "journal",
        operation: "write",
        source: "the engine has stopped".into(),
    }
}

/// The first writer of an engine. It ends once the engine stops and nothing waits.
pub(crate) async fn write_all(core: Arc<Core>) {
    let _rest = ForgetRest(Arc::clone(&core));
    loop {
        // Those whom the last batch has woken, or who were woken together with the one that has
        // woken us, come first: a batch of one in between would keep all of them waiting.
        tokio::task::yield_now().await;
        let taken = core.journal.take(core.config.journal_batch, 1);
        if taken.len() > 0 {
            write(&core, taken).await;
            continue;
        }
        if core.stop.is_cancelled() {
            return;
        }
        tokio::select! {
            biased;
            () = core.journal.filled.notified() => {}
            () = core.stop.cancelled() => {}
        }
    }
}

/// Forgets what nobody will write any more, when the runtime ends under the writer. It holds runs,
/// and they hold the engine; and who waits for an answer is told that there is none.
struct ForgetRest(Arc<Core>);

impl Drop for ForgetRest {
    fn drop(&mut self) {
        // Dropped when the lock is free again.
        let _rest = std::mem::take(&mut *self.0.journal.queue.lock());
    }
}

/// Another writer, for stores that write several batches at once: it helps while a whole batch
/// waits. Below that it would only make the batches smaller.
///
/// A run has one commit at a time on its way, so its commits stay in order whoever writes them.
pub(crate) async fn help_out(core: Arc<Core>) {
    while !core.stop.is_cancelled() {
        let taken = core.journal.take(core.config.journal_batch, CROWD);
        if taken.len() > 0 {
            write(&core, taken).await;
            continue;
        }
        tokio::select! {
            biased;
            () = core.stop.cancelled() => {}
            () = core.journal.crowded.notified() => {}
        }
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
    let mut suspicions = 0;
    let mut is_well = false;
    let mut wait = FIRST_WAIT;
    loop {
        let is_suspect = match core.store.commit(&batch).await {
            Ok(ack) => return waiting.answer(ack),
            Err(error) => {
                failures += 1;
                // It may have been written all the same. Then the next try finds the runs stored,
                // owned by this instance, and does not begin them.
                let mut commits = batch.commits.iter();
                if !batch.starts.is_empty() || commits.any(|it| it.beyond.is_some()) {
                    core.note_lost_answer();
                }
                warn!(
                    error = &error as &dyn std::error::Error,
                    failures, "commit failed, trying again"
                );
                error.may_blame_the_write()
            }
        };
        suspicions += u32::from(is_suspect);
        if is_suspect && suspicions >= SUSPECT_AFTER && batch.len() > 1 {
            return write_singly(core, batch, waiting).await;
        }
        if suspicions >= 2 * SUSPECT_AFTER {
            let was_well = is_well;
            is_well = is_suspect && takes_writes(core).await;
            // A store that has just come back is well after the failure, but was not before it.
            if was_well && is_well && set_aside(core, &batch).await {
                error!("the store refuses a change again and again; it is given up");
                return waiting.answer(refuse_all(&batch));
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether the store takes another write, so that it is the item and not the store that fails. A
/// full disk or a lock held elsewhere fails that one too, and then everything waits.
async fn takes_writes(core: &Core) -> bool {
    let lease = core.config.lease_ttl;
    core.store.heartbeat(&core.instance(), lease).await.is_ok()
}

/// Blocks the runs whose commits are given up, so that each has its reason stored and waits for a
/// requeue. Should that be refused too, nothing is given up: a run that nobody executes would stay
/// with this instance for as long as it lives.
async fn set_aside(core: &Core, batch: &Batch) -> bool {
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
    match core.store.commit(&blocked).await {
        Ok(_) => true,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            error!(error, "runs not set aside");
            false
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_what_fits_and_at_least_one() {
        const MIB: usize = 1024 * 1024;
        let taken = |held: &[usize]| Space::default().count(3, held, |bytes| *bytes);
        assert_eq!(taken(&[]), 0);
        assert_eq!(taken(&[1, 1, 1, 1]), 3);
        assert_eq!(taken(&[3 * MIB, MIB, 1]), 2);
        assert_eq!(taken(&[9 * MIB, 1, 1]), 1);
        let mut space = Space::default();
        assert_eq!(space.count(3, &[9 * MIB], |bytes| *bytes), 1);
        assert_eq!(space.count(3, &[0, 1], |bytes| *bytes), 0);
    }
}
