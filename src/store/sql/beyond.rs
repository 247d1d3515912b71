//! What is done at the end of a batch's transaction: what the commits change outside of their runs,
//! and what few starts have.

use std::collections::BTreeSet;

use super::bind::is_bound;
use super::care::Care;
use super::family::Wait;
use super::transaction::Transaction;
use super::writing::Writing;
use crate::id::{RunId, Seq};
use crate::model::{NewRun, RunStatus};
use crate::store::commit::{Batch, Beyond, NewJoin, RunCommit, StartAck};
use crate::store::error::StoreError;

/// A wait for the end of a run, and the place of the commit that opens it.
type Open<'a> = (usize, &'a NewJoin);

impl Writing<'_, '_> {
    /// Whether anything is known to be done outside of the runs.
    pub(super) fn reaches_beyond(&self) -> bool {
        let mut commits = self.batch.commits.iter();
        commits.any(|it| it.beyond.is_some()) || self.batch.starts.iter().any(is_bound)
    }

    /// Tells of ends, then starts runs, hands on, sends and joins, for the commits that were
    /// written. It comes last, because it may cancel a run that has just been written. All starts
    /// come before the waits: a commit may wait for a run that another one starts.
    pub(super) async fn reach_beyond(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.tells) {
            self.tell_ends().await?;
        }
        if !self.reaches_beyond() {
            return Ok(());
        }
        self.bind_starts().await?;
        self.start_beyond().await?;
        // The waits of many commits are opened together, but in the order of the batch with what
        // is sent and handed on, since both may end a run that is waited for.
        let batch = self.batch;
        let mut open: Vec<Open<'_>> = Vec::new();
        let mut seen: BTreeSet<(&RunId, Seq)> = BTreeSet::new();
        for (at, commit) in batch.commits.iter().enumerate() {
            let is_written = self.commits.get(at).is_some_and(Result::is_ok);
            let Some(beyond) = commit.beyond.as_ref().filter(|_| is_written) else {
                continue;
            };
            self.close_listens(at, commit, beyond).await?;
            if beyond.next.is_some() || beyond.unwinds || !beyond.sends.is_empty() {
                self.open_joins(&std::mem::take(&mut open)).await?;
                self.hand_on(at, commit, beyond).await?;
            }
            self.open_listens(at, commit, beyond).await?;
            for join in &beyond.joins {
                if !seen.insert((&commit.run, join.seq)) {
                    self.open_joins(&std::mem::take(&mut open)).await?;
                }
                open.push((at, join));
            }
        }
        self.open_joins(&open).await
    }

    /// Notes which events the commit's run has heard, and closes its waits for events.
    async fn close_listens(
        &mut self,
        at: usize,
        commit: &RunCommit,
        beyond: &Beyond,
    ) -> Result<(), StoreError> {
        if beyond.heard.is_empty() && beyond.closed.is_empty() {
            return Ok(());
        }
        let no = self.transaction.run_no(&commit.run).await?;
        let again = self.transaction.close_listens(no, beyond).await?;
        if let Some(Ok(ack)) = self.commits.get_mut(at) {
            ack.delivered.extend(again);
        }
        Ok(())
    }

    /// Opens waits for events, unless the run has ended by what was sent just now.
    async fn open_listens(
        &mut self,
        at: usize,
        commit: &RunCommit,
        beyond: &Beyond,
    ) -> Result<(), StoreError> {
        if beyond.listens.is_empty() {
            return Ok(());
        }
        let target = self.transaction.target(&commit.run).await?;
        if target.status.is_terminal() {
            return Ok(());
        }
        for listen in &beyond.listens {
            let item = self
                .transaction
                .listen(target.no, listen.seq, &listen.facts)
                .await?;
            if let Some(Ok(ack)) = self.commits.get_mut(at) {
                ack.delivered.extend(item);
            }
        }
        Ok(())
    }

    /// Names the successor of the commit's run, lets its children undo their steps with it, and
    /// sends what it sends.
    async fn hand_on(
        &mut self,
        at: usize,
        commit: &RunCommit,
        beyond: &Beyond,
    ) -> Result<(), StoreError> {
        if let Some(next) = &beyond.next {
            let no = self.transaction.run_no(&commit.run).await?;
            let told = self.transaction.continue_as(no, next).await?;
            if let Some(Ok(ack)) = self.commits.get_mut(at) {
                ack.told.extend(told);
            }
        }
        if beyond.unwinds {
            let told = self.transaction.compensate_children(&commit.run).await?;
            if let Some(Ok(ack)) = self.commits.get_mut(at) {
                ack.told.extend(told);
            }
        }
        for delivery in &beyond.sends {
            match self.transaction.deliver(delivery).await {
                Err(error) if error.is_transient() => return Err(error),
                told => {
                    if let Some(Ok(ack)) = self.commits.get_mut(at) {
                        ack.told.extend(told.ok());
                    }
                }
            }
        }
        Ok(())
    }

    /// Opens waits, but for those of runs that have ended: their end, or a cancelled parent just
    /// now, has closed them.
    async fn open_joins(&mut self, open: &[Open<'_>]) -> Result<(), StoreError> {
        let run_of = |at: usize| self.batch.commits.get(at).map(|commit| &commit.run);
        let runs = open.iter().filter_map(|(at, _)| run_of(*at));
        let found = self.transaction.find_runs(runs).await?;
        let (mut places, mut waits) = (Vec::new(), Vec::new());
        for (at, join) in open {
            let found = run_of(*at).and_then(|run| found.get(run));
            if let Some(found) = found.filter(|found| !found.status.is_terminal()) {
                places.push(*at);
                waits.push(Wait {
                    run_no: found.no,
                    seq: join.seq,
                    run: &join.run,
                });
            }
        }
        if waits.is_empty() {
            return Ok(());
        }
        let items = self.transaction.join(&waits).await?;
        for (at, item) in places.into_iter().zip(items) {
            if let Some(Ok(ack)) = self.commits.get_mut(at) {
                ack.delivered.extend(item);
            }
        }
        Ok(())
    }

    /// Tells of the ends of all runs that were written, in the order of the batch.
    async fn tell_ends(&mut self) -> Result<(), StoreError> {
        let written = self.batch.commits.iter().zip(&mut self.commits);
        let mut ends: Vec<_> = written
            .filter_map(|(commit, ack)| {
                ack.as_mut()
                    .ok()
                    .zip(commit.ends_for_good().then_some(commit))
            })
            .collect();
        let runs = ends.iter().map(|(_, commit)| &commit.run);
        let found = self.transaction.find_runs(runs).await?;
        let is_cancelled = |commit: &RunCommit| commit.status == RunStatus::Cancelled;
        // A cancelled one is the last of those that are told together: ending its children may
        // end a run that waits for the next.
        for ends in ends.chunk_by_mut(|(_, commit), _| !is_cancelled(commit)) {
            let numbers = ends.iter().map(|(_, commit)| match found.get(&commit.run) {
                Some(found) => Ok(found.no),
                None => Err(StoreError::UnknownRun {
                    run: commit.run.clone(),
                }),
            });
            let numbers = numbers.collect::<Result<Vec<i64>, StoreError>>()?;
            let told = self.transaction.tell(&numbers).await?;
            for ((ack, commit), told) in ends.iter_mut().zip(told) {
                ack.told = told;
                if is_cancelled(commit) {
                    let mut children = self.transaction.cancel_children(&commit.run).await?;
                    ack.told.append(&mut children);
                }
            }
        }
        Ok(())
    }

    async fn bind_starts(&mut self) -> Result<(), StoreError> {
        let starts = self.first_starts.iter();
        let found = starts.filter_map(|at| self.batch.starts.get(*at).zip(self.starts.get(*at)));
        let created = found.filter(|(_, ack)| **ack == StartAck::Created);
        self.transaction.bind(created.map(|(new, _)| new)).await
    }

    async fn start_beyond(&mut self) -> Result<(), StoreError> {
        let written = self.batch.commits.iter().zip(&self.commits);
        let written = written.filter(|(_, ack)| ack.is_ok());
        let starts = written.flat_map(|(commit, _)| starts_of(commit));
        let batch = Batch {
            starts: starts.cloned().collect(),
            ..Batch::default()
        };
        if batch.starts.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            session: &mut *self.transaction.session,
            operation: self.transaction.operation,
            now: self.transaction.now,
        };
        let mut writing = Writing::new(transaction, &batch, Care::PLAIN);
        writing.changes().await?;
        let acks = writing.into_ack().starts;
        let created = batch.starts.iter().zip(&acks);
        let created = created.filter(|(_, ack)| **ack == StartAck::Created);
        self.transaction.bind(created.map(|(new, _)| new)).await?;
        let mut acks = acks.into_iter();
        for (commit, ack) in self.batch.commits.iter().zip(&mut self.commits) {
            if let Ok(ack) = ack {
                ack.starts = acks.by_ref().take(starts_of(commit).count()).collect();
            }
        }
        Ok(())
    }
}

fn starts_of(commit: &RunCommit) -> impl Iterator<Item = &NewRun> {
    commit.beyond.iter().flat_map(|beyond| &beyond.starts)
}
