//! Random operations from a seed.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

use super::actor::{checkout, instance, run};
use super::tally::Tally;
use crate::id::{FencingToken, RunId, Seq};
use crate::model::{
    AuditEntry, By, Checkpoint, CheckpointKind, CheckpointStatus, Failure, Fingerprint, InboxBody,
    NewRun, OnCancel, Parent, Run, RunStatus, SignalId, WorkflowKey,
};
use crate::payload::Payload;
use crate::store::{Amendment, Custody, Delivery, Fork, NewJoin, NewWaiter, Removal, RunCommit};
use crate::time::Timestamp;

/// A source of random operations on few runs, tokens and instances, so that they meet.
pub(super) struct Dice {
    rng: ChaCha8Rng,
    /// Signals sent before, to be sent again.
    sent: Vec<SignalId>,
    /// Results of steps sent before, to be sent again.
    results: Vec<(RunId, InboxBody)>,
    /// Events published before, to be published again.
    pub(super) published: Vec<Delivery>,
    pub(super) tally: Tally,
}

impl Dice {
    pub(super) const RUNS: u32 = 6;
    pub(super) const INSTANCES: u32 = 3;
    pub(super) const TOKENS: [&'static str; 3] = ["approve", "reject", "pay \"now\""];

    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            sent: Vec::new(),
            results: Vec::new(),
            published: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// A number from 0 to `limit - 1`.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.rng.random_range(0..limit)
    }

    pub(super) fn one_of<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let at = self.rng.random_range(0..=others.len());
        others.get(at).copied().unwrap_or(first)
    }

    pub(super) fn happens(&mut self, one_in: u32) -> bool {
        self.below(one_in) == 0
    }

    pub(super) fn run(number: u32) -> String {
        format!("run {number}")
    }

    pub(super) fn run_id(&mut self) -> String {
        Self::run(self.below(Self::RUNS))
    }

    pub(super) fn key(&mut self) -> String {
        format!("key {}", self.below(2))
    }

    /// A workflow beside the usual one.
    pub(super) fn refund() -> WorkflowKey {
        WorkflowKey::new("refund", 1)
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
        let id = self.run_id();
        let workflow = if self.happens(8) {
            self.tally.count("start of another workflow");
            Self::refund()
        } else {
            checkout()
        };
        let due_at = if self.happens(2) { now } else { self.time(now) };
        let mut new = NewRun::new(run(&id), workflow, self.payload(), due_at);
        for _ in 0..self.below(3) {
            new.tags.push(format!("tag {}", self.below(3)).into());
        }
        if self.happens(3) {
            self.tally.count("start with attributes");
            let patch = self.patch();
            new.attributes.apply(&patch);
        }
        if self.happens(5) {
            self.tally.count("start in a namespace");
            new.namespace = "shop".into();
        }
        if self.happens(3) {
            self.tally.count("start with a priority");
            new.priority = self.one_of(5, &[-5, i32::MAX, i32::MIN]);
        }
        new.owner = self.happens(2).then(|| instance(&self.instance()));
        if self.happens(2) {
            self.tally.count("start under a known flow");
            new.fingerprint = Some(Fingerprint::new(u64::MAX / u64::from(self.below(3) + 1)));
        }
        if self.happens(6) {
            self.tally.count("start with a deadline");
            new.deadline = Some(self.time(now));
        }
        self.tally.count(match (&new.owner, due_at > now) {
            (Some(_), _) => "start with an owner",
            (None, true) => "delayed start",
            (None, false) => "start",
        });
        new
    }

    pub(super) fn delivery(&mut self, now: Timestamp) -> Delivery {
        let target = run(&self.run_id());
        match self.below(12) {
            9..=11 => self.event(now),
            8 => {
                self.tally.count("ask to pause");
                Delivery::Item {
                    run: target,
                    body: InboxBody::Pause {
                        why: Failure::fatal("paused", "by ada"),
                    },
                    at: now,
                }
            }
            0 => {
                self.tally.count("requeue");
                Delivery::Requeue {
                    run: target,
                    at: now,
                }
            }
            1 => {
                let (word, body) = if self.happens(3) {
                    ("ask to compensate", InboxBody::Compensate)
                } else {
                    ("cancel", InboxBody::Cancel)
                };
                self.tally.count(word);
                Delivery::Item {
                    run: target,
                    body,
                    at: now,
                }
            }
            2 | 3 => {
                let (run, body) = self.result(target);
                Delivery::Item { run, body, at: now }
            }
            _ => self.signal(now),
        }
    }

    fn result(&mut self, run: RunId) -> (RunId, InboxBody) {
        let again = self.results.last().cloned();
        if let Some(again) = again.filter(|_| self.happens(6)) {
            self.tally.count("step result again");
            return again;
        }
        self.tally.count("step result");
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
        self.results.push((run.clone(), body.clone()));
        (run, body)
    }

    fn signal(&mut self, now: Timestamp) -> Delivery {
        let id = SignalId(self.uuid());
        let again = self.happens(8);
        let known = self.sent.last().copied().filter(|_| again);
        self.tally.count(match known {
            Some(_) => "signal again",
            None => "signal",
        });
        let id = known.unwrap_or(id);
        self.sent.push(id);
        Delivery::Signal {
            id,
            token: self.token(),
            payload: self.payload(),
            at: now,
        }
    }

    /// A change of a run that stands as `seen`, or did a while ago.
    pub(super) fn amendment(&mut self, seen: &Run, now: Timestamp) -> Amendment {
        use RunStatus::{Failed, Paused, Pending, Suspended};
        let status = self.one_of(Suspended, &[Pending, Paused, Failed]);
        let line = self.line(seen.id.as_str(), now);
        let wake_at = self.time(now);
        let mut amendment = Amendment::new(seen, status, wake_at, line);
        if self.happens(6) {
            self.tally.count("amend what has moved on");
            amendment.seen.rev += 1;
        } else {
            self.tally.count(match status {
                Paused => "pause",
                Failed => "force an end",
                _ => "amend",
            });
        }
        amendment.commit.failure = self.failure();
        amendment.input = self.happens(3).then(|| self.payload());
        amendment.removed = match self.below(4) {
            0 => Removal::Everything,
            1 => Removal::These(vec![self.seq(), self.seq()]),
            _ => Removal::Nothing,
        };
        for _ in 0..self.below(3) {
            let checkpoint = self.checkpoint(now);
            amendment.put(checkpoint);
        }
        amendment
    }

    /// A run with a history.
    pub(super) fn fork(&mut self, now: Timestamp) -> Fork {
        let mut new = self.start(now);
        new.owner = None;
        let line = self.line(new.id.as_str(), now);
        let history = (0..self.below(4)).map(|_| self.checkpoint(now)).collect();
        Fork::new(new, history, vec![line])
    }

    /// A line in the log of a run.
    pub(super) fn line(&mut self, id: &str, now: Timestamp) -> AuditEntry {
        let by = match self.below(3) {
            0 => By::program(),
            1 => By::program().actor("ada \"lovelace\""),
            _ => By::program().actor("grace").reason("it's stuck\n"),
        };
        let action = self.one_of("pause", &["resume", "delete"]);
        AuditEntry::new(run(id), now, &by, action)
    }

    /// A commit of a run whose newest token is `newest`, when `seen` inbox items were seen.
    pub(super) fn commit(&mut self, id: &str, newest: u64, now: Timestamp, seen: u32) -> RunCommit {
        use RunStatus::{Blocked, Cancelled, Completed, Failed, Paused, Running, Suspended};
        let is_stale = self.happens(6);
        let token = newest.saturating_sub(u64::from(is_stale));
        let status = self.one_of(
            Running,
            &[
                Running, Suspended, Suspended, Blocked, Paused, Completed, Failed, Cancelled,
            ],
        );
        let mut commit = RunCommit::new(run(id), FencingToken(token), status, now);
        commit.custody = self.one_of(Custody::Keep, &[Custody::Release]);
        self.tally.count(match (is_stale, status) {
            (true, _) => "commit under an old token",
            (_, Completed | Failed) => "end",
            (_, Cancelled) => "end as cancelled",
            (_, Blocked) => "block",
            (_, Paused) => "pause by its owner",
            _ if commit.custody == Custody::Release => "release",
            _ => "commit",
        });
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
        self.add_waits(&mut commit, seen);
        if self.happens(3) {
            self.reach_beyond(&mut commit, now);
        }
        if self.happens(3) {
            self.add_listens(&mut commit);
        }
        commit.is_joined = self.happens(2);
        if self.happens(4) {
            self.tally.count("publish");
            commit.published.push((self.key().into(), self.payload()));
        }
        if self.happens(6) {
            self.tally.count("tag");
            commit.tags.push(format!("tag {}", self.below(3)).into());
        }
        if self.happens(4) {
            self.tally.count("change attributes");
            commit.attributes = self.patch();
        }
        commit
    }

    fn add_waits(&mut self, commit: &mut RunCommit, seen: u32) {
        for seq in 0..5 {
            match self.below(8) {
                0 => {
                    self.tally.count("open a wait");
                    commit.waiters.push(NewWaiter::new(Seq(seq), self.token()));
                }
                1 => {
                    self.tally.count("withdraw a wait");
                    commit.withdrawn.push(Seq(seq));
                }
                2 if self.happens(3) => {
                    self.tally.count("open a wait anew");
                    commit.withdrawn.push(Seq(seq));
                    commit.waiters.push(NewWaiter::new(Seq(seq), self.token()));
                }
                _ => {}
            }
        }
        for _ in 0..self.below(3) {
            self.tally.count("take an item");
            // Mostly one of the last, of this run or of another one, and sometimes none at all.
            let place = (seen + 2).saturating_sub(self.below(16));
            commit.taken.push(place.into());
        }
    }

    fn reach_beyond(&mut self, commit: &mut RunCommit, now: Timestamp) {
        for _ in 0..self.below(3) {
            let mut new = self.start(now);
            self.tally.count("start by a run");
            let on_cancel = self.one_of(OnCancel::Cascade, &[OnCancel::Abandon, OnCancel::Request]);
            new.parent = Some(Parent::new(commit.run.clone(), on_cancel));
            commit.beyond().starts.push(new);
        }
        for seq in 0..5 {
            if self.happens(5) {
                self.tally.count("join");
                // The last one is never there.
                let target = run(&Self::run(self.below(Self::RUNS + 1)));
                commit.beyond().joins.push(NewJoin::new(Seq(seq), target));
            }
        }
        if self.happens(4) {
            self.tally.count("send by a run");
            let delivery = self.delivery(now);
            commit.beyond().sends.push(delivery);
        }
        if commit.status == RunStatus::Completed && self.happens(2) {
            self.tally.count("continue as another run");
            let id = run(&format!("next {}", self.uuid()));
            let mut new = self.start(now);
            new.id = id.clone();
            commit.beyond().starts.push(new);
            commit.beyond().next = Some(id);
        }
    }

    fn checkpoint(&mut self, now: Timestamp) -> Checkpoint {
        use CheckpointStatus::{Abandoned, Completed, Failed, Waiting};
        let kind = self.one_of(
            CheckpointKind::Step,
            &[
                CheckpointKind::Signal,
                CheckpointKind::Child,
                CheckpointKind::Event,
            ],
        );
        let mut checkpoint = Checkpoint::new(self.seq(), kind, self.token(), now);
        checkpoint.status = self.one_of(Completed, &[Failed, Abandoned, Waiting]);
        self.tally.count(match checkpoint.status {
            Waiting => "put a waiting checkpoint",
            _ => "put a checkpoint",
        });
        checkpoint.ord = self.happens(2).then(|| self.below(9));
        checkpoint.attempt = self.below(4);
        checkpoint.result = self.happens(2).then(|| self.payload());
        checkpoint.failure = self.failure();
        checkpoint.rev = self.below(6).into();
        checkpoint
    }
}
