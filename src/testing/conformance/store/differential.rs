//! Any number of stores, the same random operations, the same answers.
//!
//! Whatever the cases of the clauses forget, such as the order in which commits of one batch
//! touch each other's signals, must at least be the same everywhere.

#![expect(clippy::unwrap_used, reason = "a call that fails fails its case")]

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use futures_util::future::join_all;

use super::actor::{Actor, checkout, instance, run};
use super::answers::{Ids, answer, everything, look, pages, seen, shown};
use super::random::Dice;
use super::tally::Tally;
use crate::id::Seq;
use crate::model::{RunStatus, SignalId, WorkflowKey};
use crate::store::{
    Amended, Batch, BatchAck, Claim, Claimed, Custody, Delivery, LivenessLock, NewWaiter, RunCommit,
};

const LEASE: Duration = Duration::from_secs(30);

/// Operations between two comparisons of everything that can be read.
const LOOK_EVERY: u32 = 100;

/// Drives stores on one clock with `operations` random operations and compares every answer, and
/// now and then everything that can be seen. A difference names the seed and the operation.
pub async fn stores_answer_alike(seed: u64, operations: u32, stores: Vec<Actor>) -> Tally {
    let mut field = Field {
        dice: Dice::new(seed),
        stores: stores.into_iter().map(Store::new).collect(),
        place: format!("seed {seed}, start"),
    };
    let mut next_look = 0;
    while field.dice.tally.total() < operations {
        let done = field.dice.tally.total();
        field.place = format!("seed {seed}, operation {done}");
        field.operate().await;
        if done >= next_look {
            next_look = done + LOOK_EVERY;
            field.compare_state().await;
        }
    }
    field.place = format!("seed {seed}, end");
    field.compare_state().await;
    field.drain().await;
    field.compare_state().await;
    field.dice.tally
}

/// A store with what belongs to it alone.
pub(super) struct Store {
    pub(super) actor: Actor,
    locks: BTreeMap<String, LivenessLock>,
    ids: Ids,
}

impl Store {
    fn new(actor: Actor) -> Self {
        Self {
            actor,
            locks: BTreeMap::new(),
            ids: Ids::default(),
        }
    }

    /// Gives back the lock of an instance.
    async fn unlock(&mut self, id: &str) {
        if let Some(lock) = self.locks.remove(id) {
            lock.release().await;
        }
    }
}

pub(super) struct Field {
    pub(super) dice: Dice,
    stores: Vec<Store>,
    place: String,
}

impl Field {
    async fn operate(&mut self) {
        match self.dice.below(48) {
            0..=17 => {
                let batch = self.random_batch().await;
                self.commit(&batch).await;
            }
            18..=22 => self.claim().await,
            23..=25 => self.enroll().await,
            26 | 27 => self.heartbeat().await,
            28 => self.resign().await,
            29 => {
                self.dice.tally.count("drop a lock");
                let id = self.dice.instance();
                self.each(async |store| store.unlock(&id).await).await;
            }
            30..=32 => self.recover().await,
            33..=35 => self.pass(),
            36 | 37 => self.read_run().await,
            38 | 39 => self.read_lists().await,
            40 | 41 => self.amend().await,
            42 => self.deliver_audited().await,
            43 => self.fork().await,
            44 => self.remove().await,
            45 | 46 => self.prune().await,
            _ => self.forget().await,
        }
    }

    /// Asks every store and compares the answers.
    pub(super) async fn each<T: PartialEq + Debug>(&mut self, ask: impl AsyncFn(&mut Store) -> T) {
        let answers = join_all(self.stores.iter_mut().map(|store| ask(store))).await;
        let mut all = self.stores.iter().zip(&answers);
        let Some((one, expected)) = all.next() else {
            return;
        };
        for (other, answer) in all {
            let [one, other] = [one, other].map(|it| it.actor.store.name());
            assert_eq!(expected, answer, "{one} and {other}, {}", self.place);
        }
    }

    pub(super) fn first(&self) -> &Actor {
        &self.stores.first().unwrap().actor
    }

    /// A batch whose commits mostly name the newest token.
    async fn random_batch(&mut self) -> Batch {
        let now = self.first().now();
        let mut batch = Batch::default();
        for _ in 0..self.dice.below(3) {
            batch.starts.push(self.dice.start(now));
        }
        if !batch.starts.is_empty() && self.dice.happens(6) {
            self.dice.tally.count("start twice in a batch");
            batch.starts.push(batch.starts.first().unwrap().clone());
        }
        for _ in 0..self.dice.below(4) {
            batch.deliveries.push(self.dice.delivery(now));
        }
        let seen = self.stores.first().unwrap().ids.seen();
        for number in 0..Dice::RUNS {
            if !self.dice.happens(3) {
                continue;
            }
            let id = Dice::run(number);
            let found = self.first().store.run(&run(&id)).await.unwrap();
            let has_ended = found.as_ref().is_some_and(|run| run.status.is_terminal());
            let token = found.map_or(1, |run| run.token.0);
            let mut commit = self.dice.commit(&id, token, now, seen);
            if has_ended {
                // Its owner has given it up with the end.
                commit.custody = Custody::Release;
            }
            batch.commits.push(commit);
        }
        batch
    }

    async fn commit(&mut self, batch: &Batch) {
        let place = self.place.clone();
        self.place += &format!(": {batch:?}");
        self.each(async |Store { actor, ids, .. }| {
            let ack = actor.store.commit(&ids.translate(batch)).await.unwrap();
            answer(ack, ids)
        })
        .await;
        self.place = place;
    }

    async fn claim(&mut self) {
        let (by, limit) = (instance(&self.dice.instance()), self.dice.below(4));
        let (kind, workflows) = match self.dice.below(6) {
            0 => ("claim of another workflow", vec![Dice::refund()]),
            1 => ("claim of two workflows", vec![checkout(), Dice::refund()]),
            2 => ("claim of none", vec![WorkflowKey::new("checkout", 2)]),
            _ if limit == 0 => ("claim without room", vec![checkout()]),
            _ => ("claim", vec![checkout()]),
        };
        self.dice.tally.count(kind);
        let namespace = self.dice.claimed_namespace();
        let place = self.place.clone();
        self.each(async |Store { actor, ids, .. }| {
            let claim = Claim {
                instance: &by,
                workflows: &workflows,
                namespace,
                limit,
            };
            let Claimed { runs, unreadable } = actor.store.claim(claim).await.unwrap();
            assert!(unreadable.is_empty(), "{place}: {unreadable:?}");
            runs.iter().map(|run| seen(run, ids)).collect::<Vec<_>>()
        })
        .await;
    }

    /// A change of a run that mostly stands as the change says.
    async fn amend(&mut self) {
        let now = self.first().now();
        let id = self.dice.run_id();
        let Some(seen) = self.first().store.run(&run(&id)).await.unwrap() else {
            return;
        };
        let amendment = self.dice.amendment(&seen, now);
        let place = self.place.clone();
        self.place += &format!(": {amendment:?}");
        self.each(async |Store { actor, ids, .. }| {
            let mut amended = actor.store.amend(&amendment).await;
            if let Ok(Amended::Done { told, .. }) = &mut amended {
                told.iter_mut().for_each(|it| ids.renumber_told(it));
            }
            amended.map_err(|error| error.to_string())
        })
        .await;
        self.place = place;
        self.read_log(&id).await;
    }

    async fn deliver_audited(&mut self) {
        let now = self.first().now();
        let delivery = self.dice.delivery(now);
        let id = self.dice.run_id();
        let line = self.dice.line(&id, now);
        self.dice.tally.count("deliver with a line");
        let place = self.place.clone();
        self.place += &format!(": {delivery:?}");
        self.each(async |Store { actor, ids, .. }| {
            let ack = actor.store.deliver_audited(&delivery, &line).await;
            let ack = BatchAck {
                deliveries: vec![ack],
                ..BatchAck::default()
            };
            answer(ack, ids)
        })
        .await;
        self.place = place;
        self.read_log(&id).await;
    }

    async fn fork(&mut self) {
        self.dice.tally.count("fork");
        let now = self.first().now();
        let fork = self.dice.fork(now);
        self.each(async |store| store.actor.store.fork(&fork).await.unwrap())
            .await;
    }

    async fn remove(&mut self) {
        self.dice.tally.count("remove");
        let now = self.first().now();
        let id = self.dice.run_id();
        let line = self.dice.line(&id, now);
        self.each(async |store| {
            let removed = store.actor.store.remove(&run(&id), &line).await;
            removed.map_err(|error| error.to_string())
        })
        .await;
        self.read_log(&id).await;
    }

    pub(super) async fn read_log(&mut self, id: &str) {
        let limit = 1 + self.dice.below(4);
        self.each(async |store| {
            let log = store.actor.store.audit_log(&run(id), limit).await;
            log.unwrap()
        })
        .await;
    }

    async fn enroll(&mut self) {
        self.dice.tally.count("enroll");
        let id = self.dice.instance();
        self.each(async |store| {
            store.unlock(&id).await;
            let lock = store.actor.store.enroll(&instance(&id), LEASE).await;
            store.locks.insert(id.clone(), lock.unwrap());
        })
        .await;
    }

    async fn heartbeat(&mut self) {
        self.dice.tally.count("heartbeat");
        let id = instance(&self.dice.instance());
        self.each(async |store| {
            let renewed = store.actor.store.heartbeat(&id, LEASE).await;
            renewed.map_err(|error| error.to_string())
        })
        .await;
    }

    async fn resign(&mut self) {
        self.dice.tally.count("resign");
        let id = self.dice.instance();
        self.each(async |store| {
            let resigned = store.actor.store.resign(&instance(&id)).await;
            store.unlock(&id).await;
            resigned.map_err(|error| error.to_string())
        })
        .await;
    }

    async fn recover(&mut self) {
        let (by, most) = (instance(&self.dice.instance()), self.dice.below(4));
        let kind = if most == 0 {
            "recover without budget"
        } else {
            "recover"
        };
        self.dice.tally.count(kind);
        self.each(async |store| {
            let recovery = store.actor.store.recover(&by, most, &|_| None).await;
            let mut recovery = recovery.unwrap();
            // Lists without an order.
            recovery.dead.sort_unstable();
            recovery.given_up.sort_unstable();
            recovery
        })
        .await;
    }

    /// Time passes, by a little, by much, or backwards, as an administrator might set it.
    fn pass(&mut self) {
        let clock = self.first().clock.clone();
        let millis = self.dice.below(12_000);
        let time = Duration::from_millis(millis.into());
        match self.dice.below(8) {
            0 => {
                self.dice.tally.count("hours pass");
                clock.advance(time * 1_000);
            }
            1 => {
                self.dice.tally.count("the clock is set back");
                let now = self.first().now().as_millis() - i64::from(millis / 4);
                clock.set(crate::time::Timestamp::from_millis(now));
            }
            _ => {
                self.dice.tally.count("time passes");
                clock.advance(time);
            }
        }
    }

    async fn read_run(&mut self) {
        let id = run(&self.dice.run_id());
        let rev = self.dice.below(6).into();
        match self.dice.below(4) {
            0 => {
                self.dice.tally.count("read a run");
                self.each(async |store| {
                    let found = store.actor.store.run(&id).await.unwrap();
                    found.as_ref().map(shown)
                })
                .await;
            }
            1 => {
                self.dice.tally.count("load a run");
                self.each(async |Store { actor, ids, .. }| {
                    let found = actor.store.load(&id).await.unwrap();
                    found.as_ref().map(|record| seen(record, ids))
                })
                .await;
            }
            2 => {
                self.dice.tally.count("read what changed");
                self.each(async |store| store.actor.store.changed_since(&id, rev).await.unwrap())
                    .await;
            }
            _ => {
                self.dice.tally.count("read what is published");
                let key = self.dice.key();
                self.each(async |store| {
                    let value = store.actor.store.published(&id, &key).await.unwrap();
                    value.map(|value| value.as_bytes().to_vec())
                })
                .await;
            }
        }
    }

    async fn read_lists(&mut self) {
        let by = instance(&self.dice.instance());
        match self.dice.below(6) {
            0 => {
                self.dice.tally.count("list what is held");
                self.each(async |store| store.actor.store.held(&by).await.unwrap())
                    .await;
            }
            1 => {
                self.dice.tally.count("look for work");
                let workflows = [checkout(), Dice::refund()];
                let namespace = self.dice.claimed_namespace();
                self.each(async |store| look(&store.actor, &by, &workflows, namespace).await)
                    .await;
            }
            _ => {
                let query = self.dice.query();
                self.each(async |store| pages(&store.actor, query.clone()).await)
                    .await;
            }
        }
    }

    /// Compares everything that can be read.
    async fn compare_state(&mut self) {
        self.each(async |Store { actor, ids, .. }| everything(actor, ids).await)
            .await;
    }

    /// Makes waiters and buffered signals visible: signals for every waiter, then a run that waits
    /// for every token until nothing is left.
    async fn drain(&mut self) {
        let now = self.first().now();
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
            let mut new = self.first().new_run(&id);
            new.owner = Some(instance("drain"));
            let mut commit: RunCommit = self.first().change(&id, 1, RunStatus::Suspended);
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
}
