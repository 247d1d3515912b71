//! Two stores, the same random operations, the same answers.
//!
//! Whatever the cases of the clauses forget, such as the order in which commits of one batch
//! touch each other's signals, must at least be the same everywhere.

#![expect(clippy::unwrap_used, reason = "a call that fails fails its case")]

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use super::actor::{Actor, checkout, instance, run};
use super::random::Dice;
use crate::id::Seq;
use crate::model::{Checkpoint, InboxItem, Run, RunQuery, RunStatus, SignalId};
use crate::store::{
    Batch, BatchAck, Claim, Claimed, Delivery, LivenessLock, NewWaiter, RunCommit, RunRecord,
};

const LEASE: Duration = Duration::from_secs(30);

/// Drives two stores on one clock with `operations` random operations and compares every answer
/// and, in the end, everything that can be seen. A difference names the seed and the operation.
pub async fn two_stores_answer_alike(seed: u64, operations: u32, left: Actor, right: Actor) {
    let mut pair = Pair {
        dice: Dice::new(seed),
        left,
        right,
        locks: BTreeMap::new(),
        place: format!("seed {seed}, start"),
    };
    for number in 0..operations {
        pair.place = format!("seed {seed}, operation {number}");
        pair.operate().await;
        if number % 16 == 0 {
            pair.compare_state().await;
        }
    }
    pair.place = format!("seed {seed}, end");
    pair.compare_state().await;
    pair.drain().await;
    pair.compare_state().await;
}

struct Pair {
    dice: Dice,
    left: Actor,
    right: Actor,
    locks: BTreeMap<String, [LivenessLock; 2]>,
    place: String,
}

impl Pair {
    async fn operate(&mut self) {
        match self.dice.below(20) {
            0..=9 => {
                let batch = self.random_batch().await;
                self.commit(&batch).await;
            }
            10..=13 => self.claim().await,
            14 | 15 => self.enroll().await,
            16 => self.recover().await,
            17 => self.resign().await,
            18 => {
                let id = self.dice.instance();
                self.locks.remove(&id);
            }
            _ => {
                let time = Duration::from_millis(self.dice.below(12_000).into());
                self.left.clock.advance(time);
            }
        }
    }

    /// A batch whose commits mostly name the newest token.
    async fn random_batch(&mut self) -> Batch {
        let now = self.left.now();
        let mut batch = Batch::default();
        for _ in 0..self.dice.below(3) {
            batch.starts.push(self.dice.start(now));
        }
        for _ in 0..self.dice.below(4) {
            batch.deliveries.push(self.dice.delivery(now));
        }
        for number in 0..Dice::RUNS {
            if self.dice.below(3) != 0 {
                continue;
            }
            let id = Dice::run(number);
            let found = self.left.store.run(&run(&id)).await.unwrap();
            let token = found.map_or(1, |run| run.token.0);
            let stale = u64::from(self.dice.below(6) == 0);
            batch
                .commits
                .push(self.dice.commit(&id, token.saturating_sub(stale), now));
        }
        batch
    }

    async fn commit(&self, batch: &Batch) {
        let one = self.left.store.commit(batch).await.unwrap();
        let other = self.right.store.commit(batch).await.unwrap();
        let answers = |ack: BatchAck| {
            let commits = ack
                .commits
                .into_iter()
                .map(|one| one.map_err(|error| error.to_string()));
            let deliveries = ack.deliveries.into_iter();
            let deliveries = deliveries.map(|one| one.map_err(|error| error.to_string()));
            (
                ack.starts,
                deliveries.collect::<Vec<_>>(),
                commits.collect::<Vec<_>>(),
            )
        };
        self.same(&answers(one), &answers(other));
    }

    async fn claim(&mut self) {
        let (by, limit) = (self.dice.instance(), self.dice.below(4));
        let mut answers = Vec::new();
        for actor in [&self.left, &self.right] {
            let claim = Claim {
                instance: &instance(&by),
                workflows: &[checkout()],
                limit,
            };
            let Claimed {
                runs,
                unreadable,
                next_due,
            } = actor.store.claim(claim).await.unwrap();
            assert!(unreadable.is_empty(), "{}: {unreadable:?}", self.place);
            answers.push((runs.iter().map(seen).collect::<Vec<_>>(), next_due));
        }
        self.same_pair(&answers);
    }

    async fn enroll(&mut self) {
        let id = self.dice.instance();
        self.locks.remove(&id);
        let mut locks = Vec::new();
        for actor in [&self.left, &self.right] {
            locks.push(actor.store.enroll(&instance(&id), LEASE).await.unwrap());
        }
        self.locks.insert(id, locks.try_into().unwrap());
    }

    async fn recover(&mut self) {
        let (by, most) = (instance(&self.dice.instance()), self.dice.below(3));
        let mut answers = Vec::new();
        for actor in [&self.left, &self.right] {
            answers.push(actor.store.recover(&by, most).await.unwrap());
        }
        self.same_pair(&answers);
    }

    async fn resign(&mut self) {
        let id = self.dice.instance();
        let is_heartbeat = self.dice.below(2) == 0;
        let mut answers = Vec::new();
        for actor in [&self.left, &self.right] {
            let answer = if is_heartbeat {
                actor.store.heartbeat(&instance(&id), LEASE).await
            } else {
                actor.store.resign(&instance(&id)).await
            };
            answers.push(answer.map_err(|error| error.to_string()));
        }
        if !is_heartbeat {
            self.locks.remove(&id);
        }
        self.same_pair(&answers);
    }

    /// Compares everything that can be read.
    async fn compare_state(&self) {
        let mut answers = Vec::new();
        for actor in [&self.left, &self.right] {
            answers.push(everything(actor).await);
        }
        self.same_pair(&answers);
    }

    /// Makes waiters and buffered signals visible: signals for every waiter, then a run that waits
    /// for every token until nothing is left.
    async fn drain(&mut self) {
        let now = self.left.now();
        for round in 0..30 {
            let deliveries = Dice::TOKENS.iter().map(|token| Delivery::Signal {
                id: SignalId(self.dice.uuid()),
                token: (*token).into(),
                payload: self.dice.payload(),
                at: now,
            });
            let batch = Batch {
                deliveries: deliveries.collect(),
                ..Batch::default()
            };
            self.commit(&batch).await;
            let id = format!("drain {round}");
            let mut new = self.left.new_run(&id);
            new.owner = Some(instance("drain"));
            let mut commit: RunCommit = self.left.change(&id, 1, RunStatus::Suspended);
            for (seq, token) in (0..).zip(Dice::TOKENS.repeat(3)) {
                commit.waiters.push(NewWaiter::new(Seq(seq), token.into()));
            }
            let batch = Batch {
                starts: vec![new],
                commits: vec![commit],
                ..Batch::default()
            };
            self.commit(&batch).await;
        }
    }

    fn same_pair<T: PartialEq + Debug>(&self, answers: &[T]) {
        if let [one, other] = answers {
            self.same(one, other);
        }
    }

    fn same<T: PartialEq + Debug>(&self, one: &T, other: &T) {
        assert_eq!(one, other, "{}", self.place);
    }
}

/// A run as far as it can be seen; payloads as their bytes, which `Debug` hides.
fn shown(run: &Run) -> String {
    format!(
        "{run:?} {:?} {:?}",
        run.input.as_bytes(),
        run.output.as_ref().map(|one| one.as_bytes())
    )
}

type Seen = (String, Vec<Checkpoint>, Vec<InboxItem>);

fn seen(record: &RunRecord) -> Seen {
    (
        shown(&record.run),
        record.history.clone(),
        record.inbox.clone(),
    )
}

async fn everything(actor: &Actor) -> (Vec<Option<Seen>>, Vec<String>) {
    let mut records = Vec::new();
    let mut rest = Vec::new();
    for number in 0..Dice::RUNS {
        let id = run(&Dice::run(number));
        records.push(actor.store.load(&id).await.unwrap().as_ref().map(seen));
        let changed = actor.store.changed_since(&id, 3).await.unwrap();
        let published = actor.store.published(&id, "key 1").await.unwrap();
        let published = published.map(|value| value.as_bytes().to_vec());
        rest.push(format!("{changed:?} {published:?}"));
    }
    for number in 0..Dice::INSTANCES {
        let id = instance(&Dice::instance_of(number));
        let held = actor.store.held(&id).await.unwrap();
        let woken = actor.store.woken(&id).await.unwrap();
        rest.push(format!("{held:?} {woken:?}"));
    }
    for tag in [None, Some("tag 1")] {
        let mut query = RunQuery {
            tag: tag.map(Into::into),
            limit: 3,
            ..RunQuery::default()
        };
        loop {
            let page = actor.store.list(&query).await.unwrap();
            rest.extend(page.runs.iter().map(shown));
            rest.push(format!("{:?}", page.next));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
    }
    (records, rest)
}
