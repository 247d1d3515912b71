//! Short ways to do the usual things to a store.

#![expect(clippy::unwrap_used, reason = "a call that fails fails its case")]

use std::{sync::Arc, time::Duration};

use crate::id::{FencingToken, InstanceId, RunId, Seq};
use crate::model::{
    Checkpoint, CheckpointKind, CheckpointStatus, InboxBody, NewRun, Run, RunStatus, SignalId,
    WorkflowKey,
};
use crate::payload::Payload;
use crate::store::{
    Batch, Claim, Claimed, CommitAck, Custody, Delivery, DeliveryAck, NewWaiter, Outlook,
    RunCommit, RunRecord, StartAck, Store, StoreError,
};
use crate::testing::clock::ManualClock;
use crate::time::{Clock, Timestamp};

/// A store, the clock by which it judges, and short ways to do the usual things to it.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The store under test.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: ManualClock,
}

impl Actor {
    /// An actor on an empty store that judges by `clock`.
    pub fn new(store: impl Store, clock: ManualClock) -> Self {
        Self {
            store: Arc::new(store),
            clock,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(super) fn new_run(&self, id: &str) -> NewRun {
        NewRun::new(run(id), checkout(), text("input"), self.now())
    }

    pub(super) async fn start(&self, id: &str) -> StartAck {
        self.start_as(self.new_run(id)).await
    }

    /// Starts a run that `owner` holds under token 1.
    pub(super) async fn start_held(&self, id: &str, owner: &str) -> StartAck {
        let mut new = self.new_run(id);
        new.owner = Some(instance(owner));
        self.start_as(new).await
    }

    pub(super) async fn start_as(&self, new: NewRun) -> StartAck {
        let batch = Batch {
            starts: vec![new],
            ..Batch::default()
        };
        *self
            .store
            .commit(&batch)
            .await
            .unwrap()
            .starts
            .first()
            .unwrap()
    }

    /// A commit that changes nothing but the status.
    pub(super) fn change(&self, id: &str, token: u64, status: RunStatus) -> RunCommit {
        RunCommit::new(run(id), FencingToken(token), status, self.now())
    }

    /// A commit that gives the run up until an event wakes it.
    pub(super) fn release(&self, id: &str, token: u64) -> RunCommit {
        let mut commit = self.change(id, token, RunStatus::Suspended);
        commit.custody = Custody::Release;
        commit
    }

    pub(super) async fn commit(&self, commit: RunCommit) -> Result<CommitAck, StoreError> {
        let batch = Batch {
            commits: vec![commit],
            ..Batch::default()
        };
        self.store
            .commit(&batch)
            .await
            .unwrap()
            .commits
            .pop()
            .unwrap()
    }

    /// Opens a wait of a held run.
    pub(super) async fn wait(&self, id: &str, token: u64, seq: u32, signal: &str) -> CommitAck {
        let mut commit = self.change(id, token, RunStatus::Suspended);
        commit.waiters.push(NewWaiter::new(Seq(seq), signal.into()));
        self.commit(commit).await.unwrap()
    }

    pub(super) async fn deliver(&self, delivery: Delivery) -> Result<DeliveryAck, StoreError> {
        let batch = Batch {
            deliveries: vec![delivery],
            ..Batch::default()
        };
        self.store
            .commit(&batch)
            .await
            .unwrap()
            .deliveries
            .pop()
            .unwrap()
    }

    /// Sends a new signal whose payload is its own token and `number`.
    pub(super) async fn signal(&self, token: &str, number: u32) -> DeliveryAck {
        let delivery = Delivery::Signal {
            id: SignalId::generate(),
            token: token.into(),
            payload: text(&format!("{token} {number}")),
            at: self.now(),
        };
        self.deliver(delivery).await.unwrap()
    }

    pub(super) async fn item(&self, id: &str, body: InboxBody) -> Result<DeliveryAck, StoreError> {
        let at = self.now();
        self.deliver(Delivery::Item {
            run: run(id),
            body,
            at,
        })
        .await
    }

    pub(super) async fn cancel(&self, id: &str) -> Result<DeliveryAck, StoreError> {
        self.item(id, InboxBody::Cancel).await
    }

    pub(super) async fn requeue(&self, id: &str) -> Result<DeliveryAck, StoreError> {
        let at = self.now();
        self.deliver(Delivery::Requeue { run: run(id), at }).await
    }

    pub(super) async fn claim_all(&self, by: &str) -> Claimed {
        self.claim(by, 100).await
    }

    pub(super) async fn claim(&self, by: &str, limit: u32) -> Claimed {
        let claim = Claim {
            instance: &instance(by),
            workflows: &[checkout()],
            namespace: None,
            limit,
        };
        self.store.claim(claim).await.unwrap()
    }

    async fn look(&self, by: &str) -> Outlook {
        self.store
            .look(&instance(by), &[checkout()], None)
            .await
            .unwrap()
    }

    pub(super) async fn next_due(&self) -> Option<Timestamp> {
        self.look("nobody").await.next_due
    }

    pub(super) async fn woken(&self, by: &str) -> Vec<RunId> {
        self.look(by).await.woken
    }

    pub(super) async fn run(&self, id: &str) -> Run {
        self.store.run(&run(id)).await.unwrap().unwrap()
    }

    pub(super) async fn load(&self, id: &str) -> RunRecord {
        self.store.load(&run(id)).await.unwrap().unwrap()
    }
}

/// The workflow of all runs here.
pub(super) fn checkout() -> WorkflowKey {
    WorkflowKey::new("checkout", 1)
}

pub(super) fn run(id: &str) -> RunId {
    RunId::from_trusted(id)
}

pub(super) fn instance(id: &str) -> InstanceId {
    InstanceId::from_trusted(id)
}

pub(super) fn text(value: &str) -> Payload {
    Payload::from_bytes(format!("{value:?}"))
}

/// The ids of claimed runs.
pub(super) fn ids(claimed: &Claimed) -> Vec<&str> {
    claimed
        .runs
        .iter()
        .map(|record| record.run.id.as_str())
        .collect()
}

/// A completed step.
pub(super) fn step(seq: u32, result: &str) -> Checkpoint {
    let at = Timestamp::from_millis(1_000 + i64::from(seq));
    let mut checkpoint = Checkpoint::new(Seq(seq), CheckpointKind::Step, "charge".into(), at);
    checkpoint.status = CheckpointStatus::Completed;
    checkpoint.attempt = 1;
    checkpoint.ord = Some(seq);
    checkpoint.result = Some(text(result));
    checkpoint.finished_at = Some(at);
    checkpoint.rev = 1;
    checkpoint
}

/// The payload of a signal that an inbox holds, with the wait that it is for.
pub(super) fn signal_of(body: &InboxBody) -> Option<(u32, String)> {
    match body {
        InboxBody::Signal { seq, payload } => payload
            .decode()
            .ok()
            .map(|payload: String| (seq.0, payload)),
        InboxBody::Event { .. }
        | InboxBody::StepResult { .. }
        | InboxBody::RunEnded { .. }
        | InboxBody::Cancel
        | InboxBody::Compensate
        | InboxBody::Pause { .. } => None,
    }
}
