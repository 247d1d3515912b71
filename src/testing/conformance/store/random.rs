//! Random operations from a seed.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use super::actor::{checkout, instance, run};
use crate::id::{FencingToken, Seq};
use crate::model::{
    Checkpoint, CheckpointKind, CheckpointStatus, Failure, InboxBody, NewRun, RunStatus, SignalId,
    WorkflowKey,
};
use crate::payload::Payload;
use crate::store::{Custody, Delivery, NewWaiter, RunCommit};
use crate::time::Timestamp;

/// A source of random operations on few runs, tokens and instances, so that they meet.
pub(super) struct Dice {
    rng: ChaCha8Rng,
    /// Signals sent before, to be sent again.
    sent: Vec<SignalId>,
}

impl Dice {
    pub(super) const RUNS: u32 = 6;
    pub(super) const INSTANCES: u32 = 3;
    pub(super) const TOKENS: [&'static str; 3] = ["approve", "reject", "pay \"now\""];

    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            sent: Vec::new(),
        }
    }

    /// A number from 0 to `limit - 1`.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.rng.random_range(0..limit)
    }

    fn one_of<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let at = self.rng.random_range(0..=others.len());
        others.get(at).copied().unwrap_or(first)
    }

    fn happens(&mut self, one_in: u32) -> bool {
        self.below(one_in) == 0
    }

    pub(super) fn run(number: u32) -> String {
        format!("run {number}")
    }

    pub(super) fn instance_of(number: u32) -> String {
        format!("instance {number}")
    }

    pub(super) fn instance(&mut self) -> String {
        Self::instance_of(self.below(Self::INSTANCES))
    }

    fn token(&mut self) -> Arc<str> {
        let [first, others @ ..] = Self::TOKENS;
        self.one_of(first, &others).into()
    }

    fn seq(&mut self) -> Seq {
        Seq(self.below(5))
    }

    pub(super) fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(self.rng.random())
    }

    pub(super) fn payload(&mut self) -> Payload {
        let length = self.rng.random_range(0..12);
        Payload::from_bytes(
            (0..length)
                .map(|_| self.rng.random::<u8>())
                .collect::<Vec<u8>>(),
        )
    }

    fn failure(&mut self) -> Option<Failure> {
        self.happens(4)
            .then(|| Failure::fatal("declined", "card \"declined\"\n"))
    }

    fn time(&mut self, now: Timestamp) -> Timestamp {
        if self.happens(4) {
            return Timestamp::MAX;
        }
        now + Duration::from_millis(self.rng.random_range(0..20_000))
    }

    pub(super) fn start(&mut self, now: Timestamp) -> NewRun {
        let id = Self::run(self.below(Self::RUNS));
        let workflow = if self.happens(8) {
            WorkflowKey::new("refund", 1)
        } else {
            checkout()
        };
        let due_at = if self.happens(2) { now } else { self.time(now) };
        let mut new = NewRun::new(run(&id), workflow, self.payload(), due_at);
        for _ in 0..self.below(3) {
            new.tags.push(format!("tag {}", self.below(3)).into());
        }
        new.owner = self.happens(2).then(|| instance(&self.instance()));
        new
    }

    pub(super) fn delivery(&mut self, now: Timestamp) -> Delivery {
        let target = run(&Self::run(self.below(Self::RUNS)));
        match self.below(8) {
            0 => Delivery::Requeue {
                run: target,
                at: now,
            },
            1 => Delivery::Item {
                run: target,
                body: InboxBody::Cancel,
                at: now,
            },
            2 | 3 => {
                let (seq, attempt) = (self.seq(), self.below(3));
                let outcome = match self.failure() {
                    Some(failure) => Err(failure),
                    None => Ok(self.payload()),
                };
                let body = InboxBody::StepResult {
                    seq,
                    attempt,
                    outcome,
                };
                Delivery::Item {
                    run: target,
                    body,
                    at: now,
                }
            }
            _ => self.signal(now),
        }
    }

    fn signal(&mut self, now: Timestamp) -> Delivery {
        let id = SignalId(self.uuid());
        let again = self.happens(8);
        let id = self.sent.last().copied().filter(|_| again).unwrap_or(id);
        self.sent.push(id);
        Delivery::Signal {
            id,
            token: self.token(),
            payload: self.payload(),
            at: now,
        }
    }

    pub(super) fn commit(&mut self, id: &str, token: u64, now: Timestamp) -> RunCommit {
        use RunStatus::{Blocked, Completed, Failed, Running, Suspended};
        let status = self.one_of(
            Running,
            &[Running, Suspended, Suspended, Blocked, Completed, Failed],
        );
        let mut commit = RunCommit::new(run(id), FencingToken(token), status, now);
        commit.custody = self.one_of(Custody::Keep, &[Custody::Release]);
        commit.wake_at = self.time(now);
        commit.seen_wakes = self.below(4).into();
        commit.recoveries = self.below(2);
        commit.rev = self.below(6).into();
        commit.failure = self.failure();
        commit.output = (status == Completed).then(|| self.payload());
        for _ in 0..self.below(4) {
            let checkpoint = self.checkpoint(now);
            commit.checkpoints.push(checkpoint);
        }
        for seq in 0..5 {
            match self.below(8) {
                0 => commit.waiters.push(NewWaiter::new(Seq(seq), self.token())),
                1 => commit.withdrawn.push(Seq(seq)),
                _ => {}
            }
        }
        for _ in 0..self.below(3) {
            commit.taken.push(self.below(40).into());
        }
        if self.happens(4) {
            let key = format!("key {}", self.below(2));
            commit.published.push((key.into(), self.payload()));
        }
        if self.happens(6) {
            commit.tags.push(format!("tag {}", self.below(3)).into());
        }
        commit
    }

    fn checkpoint(&mut self, now: Timestamp) -> Checkpoint {
        use CheckpointStatus::{Abandoned, Completed, Failed, Waiting};
        let kind = self.one_of(CheckpointKind::Step, &[CheckpointKind::Signal]);
        let mut checkpoint = Checkpoint::new(self.seq(), kind, self.token(), now);
        checkpoint.status = self.one_of(Completed, &[Failed, Abandoned, Waiting]);
        checkpoint.ord = self.happens(2).then(|| self.below(9));
        checkpoint.attempt = self.below(4);
        checkpoint.result = self.happens(2).then(|| self.payload());
        checkpoint.failure = self.failure();
        checkpoint.rev = self.below(6).into();
        checkpoint
    }
}
