//! The journal's batch in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::state::{Item, Row, State, Untaken};
use super::store::MemoryStore;
use crate::id::RunId;
use crate::model::{CheckpointStatus, Failure, InboxBody, RunStatus};
use crate::store::commit::{
    Batch, BatchAck, CommitAck, CommitStore, Delivery, DeliveryAck, RunCommit,
};
use crate::store::error::StoreError;
use crate::store::rules;
use crate::time::Timestamp;

#[async_trait]
impl CommitStore for MemoryStore {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let now = self.now();
        let mut state = self.lock();
        let starts = batch
            .starts
            .iter()
            .map(|new| state.start(new, now))
            .collect();
        let deliveries = batch
            .deliveries
            .iter()
            .map(|one| state.deliver(one, now))
            .collect();
        let commits = state.commit_all(&batch.commits, now);
        Ok(BatchAck {
            starts,
            deliveries,
            commits,
        })
    }
}

impl State {
    /// Writes all commits, then closes waits, then hands on what lay in them, then opens waits, then
    /// tells of ends, then does what reaches beyond the runs.
    /// The order does not depend on how the commits of a batch are arranged.
    pub(super) fn commit_all(
        &mut self,
        commits: &[RunCommit],
        now: Timestamp,
    ) -> Vec<Result<CommitAck, StoreError>> {
        let mut acks = Vec::with_capacity(commits.len());
        let mut places = Vec::with_capacity(commits.len());
        for commit in commits {
            let written = self.write(commit, now);
            places.push(written.as_ref().ok().copied());
            acks.push(written.map(|_| CommitAck::default()));
        }
        let mut untaken: Vec<Untaken> = Vec::new();
        for (commit, no) in commits.iter().zip(&places) {
            let Some(no) = *no else { continue };
            if commit.status.is_terminal() {
                untaken.append(&mut self.close_all(no));
            } else if !commit.withdrawn.is_empty() {
                untaken.append(&mut self.close_waits(no, &commit.withdrawn));
            }
        }
        self.redeliver(untaken, now);
        for ((commit, no), ack) in commits.iter().zip(&places).zip(&mut acks) {
            let (Some(no), Ok(ack)) = (*no, ack) else {
                continue;
            };
            if !commit.status.is_terminal() {
                let opened = commit.waiters.iter();
                ack.delivered = opened
                    .filter_map(|one| self.open_wait(no, one, now))
                    .collect();
            }
        }
        for ((commit, no), ack) in commits.iter().zip(&places).zip(&mut acks) {
            if let (Some(no), Ok(ack)) = (*no, ack)
                && commit.ends_for_good()
            {
                ack.told = self.ended(no, now);
            }
        }
        for (commit, ack) in commits.iter().zip(&mut acks) {
            if let Ok(ack) = ack {
                self.start_beyond(commit, now, ack);
            }
        }
        for ((commit, no), ack) in commits.iter().zip(&places).zip(&mut acks) {
            if let (Some(no), Ok(ack)) = (*no, ack) {
                self.reach_beyond(no, commit, now, ack);
            }
        }
        acks
    }

    /// Checks the token and writes what concerns this run alone.
    fn write(&mut self, commit: &RunCommit, now: Timestamp) -> Result<usize, StoreError> {
        let unknown = || StoreError::UnknownRun {
            run: commit.run.clone(),
        };
        let no = self.no(&commit.run).ok_or_else(unknown)?;
        let current = self.rows.get(no).ok_or_else(unknown)?.run.token;
        if current != commit.token {
            return Err(StoreError::LeaseLost {
                run: commit.run.clone(),
                held: commit.token,
                current,
            });
        }
        self.change(no, |row| row.apply(commit, now));
        Ok(no)
    }

    pub(super) fn deliver(
        &mut self,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<DeliveryAck, StoreError> {
        match delivery {
            Delivery::Signal {
                id,
                token,
                payload,
                at,
            } => Ok(self.signal(*id, token, payload, [*at, now])),
            Delivery::Event { .. } => Ok(self.publish_event(delivery, now)),
            Delivery::Item { run, body, at } => {
                let no = self.check(run, |status| rules::check_item(run, status, body))?;
                Ok(self.item(no, body, *at, now))
            }
            Delivery::Requeue { run, .. } => {
                let no = self.check(run, |status| rules::check_requeue(run, status))?;
                self.change(no, |row| row.requeue(now));
                Ok(DeliveryAck::Requeued { run: run.clone() })
            }
        }
    }

    pub(super) fn check(
        &self,
        run: &RunId,
        rule: impl FnOnce(RunStatus) -> Result<(), StoreError>,
    ) -> Result<usize, StoreError> {
        let unknown = || StoreError::UnknownRun { run: run.clone() };
        let no = self.no(run).ok_or_else(unknown)?;
        let row = self.rows.get(no).ok_or_else(unknown)?;
        rule(row.run.status)?;
        Ok(no)
    }

    pub(super) fn item(
        &mut self,
        no: usize,
        body: &InboxBody,
        at: Timestamp,
        now: Timestamp,
    ) -> DeliveryAck {
        let Some(row) = self.rows.get(no) else {
            return DeliveryAck::Duplicate;
        };
        let run = row.run.id.clone();
        // One that is cancelling and held by nobody may have undone half of its steps.
        let may_end = row.run.owner.is_none() && row.run.status != RunStatus::Cancelling;
        if *body == InboxBody::Cancel && may_end {
            let status = RunStatus::Cancelled;
            self.change(no, |row| {
                row.end(status, at, now);
                row.run.failure = Some(Failure::cancelled());
            });
            let untaken = self.close_all(no);
            self.redeliver(untaken, now);
            let told = self.ended(no, now);
            return DeliveryAck::Ended { run, status, told };
        }
        if row.inbox.values().any(|item| is_same(&item.body, body)) {
            return DeliveryAck::Duplicate;
        }
        let item = Item {
            body: body.clone(),
            signal: None,
        };
        let Some(item) = self.put_item(no, item) else {
            return DeliveryAck::Duplicate;
        };
        if matches!(body, InboxBody::Cancel | InboxBody::Compensate) {
            self.change(no, |row| {
                row.run.status = RunStatus::Cancelling;
                row.asked = Some(body.clone());
            });
        }
        self.wake(no, now);
        let row = self.rows.get(no);
        DeliveryAck::Delivered {
            run,
            item,
            wakes: row.map_or(0, |row| row.run.wakes),
            owner: row.and_then(|row| row.run.owner.clone()),
        }
    }
}

/// Whether `new` is already waiting as `old`: a request to cancel, or the result of one attempt.
fn is_same(old: &InboxBody, new: &InboxBody) -> bool {
    match (old, new) {
        (InboxBody::Cancel, InboxBody::Cancel)
        | (InboxBody::Compensate, InboxBody::Compensate)
        | (InboxBody::Pause { .. }, InboxBody::Pause { .. }) => true,
        (
            InboxBody::StepResult { seq, attempt, .. },
            InboxBody::StepResult {
                seq: new_seq,
                attempt: new_attempt,
                ..
            },
        ) => seq == new_seq && attempt == new_attempt,
        (InboxBody::RunEnded { seq, .. }, InboxBody::RunEnded { seq: new, .. }) => seq == new,
        _ => false,
    }
}

impl Row {
    fn apply(&mut self, commit: &RunCommit, now: Timestamp) {
        let run = &mut self.run;
        // A request to cancel stays visible until an end answers it.
        if run.status != RunStatus::Cancelling || commit.status.is_terminal() {
            run.status = commit.status;
        }
        run.wake_at = commit.wake_at;
        run.seen_wakes = commit.seen_wakes;
        run.recoveries = commit.recoveries;
        run.rev = commit.rev;
        run.output.clone_from(&commit.output);
        run.failure.clone_from(&commit.failure);
        run.updated_at = commit.at;
        if commit.releases() {
            run.owner = None;
            if run.status.is_terminal() || run.status.is_set_aside() {
                run.wake_at = Timestamp::MAX;
            } else if run.wakes > commit.seen_wakes {
                run.wake_at = now;
            }
            run.finished_at = run.status.is_terminal().then_some(commit.at);
        }
        for tag in &commit.tags {
            if let Err(at) = run.tags.binary_search(tag) {
                run.tags.insert(at, Arc::clone(tag));
            }
        }
        run.attributes.apply(&commit.attributes);
        for id in &commit.taken {
            self.inbox.remove(id);
        }
        for (key, payload) in &commit.published {
            self.published.insert(Arc::clone(key), payload.clone());
        }
        for checkpoint in &commit.checkpoints {
            self.put_checkpoint(checkpoint);
        }
    }

    fn requeue(&mut self, now: Timestamp) {
        let was_ended = self.run.status.is_terminal();
        self.history.retain(|old| match old.status {
            CheckpointStatus::Fatal | CheckpointStatus::Abandoned => false,
            // What it waited with went with the end of the run.
            CheckpointStatus::Waiting => !(was_ended && old.kind.is_wait_for_others()),
            CheckpointStatus::Retrying
            | CheckpointStatus::Completed
            | CheckpointStatus::Failed
            | CheckpointStatus::TimedOut => true,
        });
        let run = &mut self.run;
        run.status = RunStatus::Pending;
        run.failure = None;
        run.output = None;
        run.recoveries = 0;
        run.finished_at = None;
        run.wake_at = now;
        run.updated_at = now;
        run.token.0 += 1;
    }
}
