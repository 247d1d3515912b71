//! A batch on its way into the database: what all databases do alike.

use std::{collections::BTreeMap, str::FromStr};

use sea_orm::QueryResult;

use super::care::Care;
use super::error::NeedsCare;
use super::gates::Gates;
use super::record;
use super::transaction::Transaction;
use crate::driver::sql::{Args, Dialect};
use crate::id::{FencingToken, RunId};
use crate::model::RunStatus;
use crate::store::commit::{Batch, BatchAck, CommitAck, DeliveryAck, RunCommit, StartAck};
use crate::store::error::StoreError;

/// A batch on its way into the database.
pub(super) struct Writing<'a, 's> {
    pub(super) transaction: Transaction<'a, 's>,
    pub(super) batch: &'a Batch,
    pub(super) care: Care,
    /// The places of the starts to be stored, each id once.
    pub(super) first_starts: Vec<usize>,
    pub(super) starts: Vec<StartAck>,
    pub(super) deliveries: Vec<Result<DeliveryAck, StoreError>>,
    pub(super) commits: Vec<Result<CommitAck, StoreError>>,
    /// Whether ended runs may have others to tell.
    pub(super) tells: bool,
}

impl<'a, 's> Writing<'a, 's> {
    pub(super) fn new(transaction: Transaction<'a, 's>, batch: &'a Batch, care: Care) -> Self {
        let mut seen = BTreeMap::new();
        let starts = batch.starts.iter().enumerate();
        let first_starts = starts
            .filter(|(at, new)| seen.insert(&new.id, *at).is_none())
            .map(|(at, _)| at)
            .collect();
        Self {
            transaction,
            batch,
            care,
            first_starts,
            starts: vec![StartAck::Created; batch.starts.len()],
            deliveries: Vec::with_capacity(batch.deliveries.len()),
            commits: batch
                .commits
                .iter()
                .map(|_| Ok(CommitAck::default()))
                .collect(),
            tells: false,
        }
    }

    pub(super) fn into_ack(mut self) -> BatchAck {
        // A later start with the same id finds the run of the earlier one.
        let mut first: BTreeMap<&RunId, StartAck> = BTreeMap::new();
        for (new, ack) in self.batch.starts.iter().zip(&mut self.starts) {
            match first.get(&new.id) {
                Some(StartAck::Created) => *ack = existing(RunStatus::Pending),
                Some(found) => *ack = *found,
                None => drop(first.insert(&new.id, *ack)),
            }
        }
        BatchAck {
            starts: self.starts,
            deliveries: self.deliveries,
            commits: self.commits,
        }
    }

    /// Everything between the beginning and the end of the transaction.
    pub(super) async fn body(&mut self) -> Result<(), StoreError> {
        self.changes().await?;
        self.add_labels().await?;
        self.reach_beyond().await
    }

    /// Starts, deliveries and commits, without what is done one by one.
    pub(super) async fn changes(&mut self) -> Result<(), StoreError> {
        if self.transaction.session.dialect() == Dialect::Postgres {
            self.by_arrays().await
        } else {
            self.by_statements().await
        }
    }

    pub(super) async fn deliver(&mut self) -> Result<(), StoreError> {
        for delivery in &self.batch.deliveries {
            match self.transaction.deliver(delivery).await {
                Err(error) if error.is_transient() => return Err(error),
                answer => self.deliveries.push(answer),
            }
        }
        Ok(())
    }

    /// Reads which starts of a list, given by their places, exist already.
    pub(super) fn read_existing(&mut self, rows: &[QueryResult]) -> Result<(), StoreError> {
        for row in rows {
            let word: String = record::get(row, 1)?;
            self.found_start(record::count(row, 0)?, Some(&word));
        }
        Ok(())
    }

    /// Notes that the start at `place` of the list has found a run.
    pub(super) fn found_start(&mut self, place: usize, word: Option<&str>) {
        // A word of a newer build: that the run exists is all that a start needs to know.
        let status = word.and_then(|word| RunStatus::from_str(word).ok());
        let at = self.first_starts.get(place).copied();
        if let Some(ack) = at.and_then(|at| self.starts.get_mut(at)) {
            *ack = existing(status.unwrap_or(RunStatus::Running));
        }
    }

    /// Finds the commits of a list whose token does not hold; `places` says which commit each row
    /// of the list is.
    pub(super) async fn refuse(
        &mut self,
        list: String,
        places: &[usize],
    ) -> Result<(), StoreError> {
        let text = self.transaction.texts().refused;
        let sets = self.transaction.run(text, &Args::new().with(list)).await?;
        for row in sets.rows(0) {
            let at = places.get(record::count::<usize>(row, 0)?).copied();
            let found = at.and_then(|at| self.batch.commits.get(at).zip(self.commits.get_mut(at)));
            if let Some((commit, ack)) = found {
                *ack = Err(refusal(commit, row)?);
            }
        }
        Ok(())
    }

    /// Closes waits one by one and hands on what was delivered to them.
    pub(super) async fn close(&mut self) -> Result<(), StoreError> {
        let has_gates = self.transaction.session.dialect() == Dialect::Sqlite;
        if !has_gates && self.care.gates != Gates::ALL {
            return Err(self.transaction.failed(NeedsCare));
        }
        let written = self.batch.commits.iter().zip(&self.commits);
        let written = written.filter(|(_, ack)| ack.is_ok());
        let (ends, others): (Vec<_>, Vec<_>) = written
            .map(|(commit, _)| commit)
            .partition(|commit| commit.status.is_terminal());
        let ended = self.transaction.find_runs(ends.iter().map(|it| &it.run));
        let ended: Vec<i64> = ended.await?.values().map(|found| found.no).collect();
        let mut untaken = self.transaction.close_all(&ended).await?;
        for commit in others.iter().filter(|it| !it.withdrawn.is_empty()) {
            let run_no = self.transaction.run_no(&commit.run).await?;
            let closed = self.transaction.close_waits(run_no, &commit.withdrawn);
            untaken.append(&mut closed.await?);
        }
        self.tells = true;
        self.transaction.redeliver(untaken).await
    }

    /// Opens waits one by one and takes what lies ready for them.
    pub(super) async fn open(&mut self) -> Result<(), StoreError> {
        for (commit, ack) in self.batch.commits.iter().zip(&mut self.commits) {
            let Ok(ack) = ack else { continue };
            if commit.status.is_terminal() || commit.waiters.is_empty() {
                continue;
            }
            let run_no = self.transaction.run_no(&commit.run).await?;
            for waiter in &commit.waiters {
                let item = self.transaction.open_wait(run_no, waiter).await?;
                ack.delivered.extend(item);
            }
        }
        Ok(())
    }

    /// Adds tags to the rows of their runs, sorted and once each, changes search attributes, and
    /// makes the runs findable by both.
    pub(super) async fn add_labels(&mut self) -> Result<(), StoreError> {
        for (commit, ack) in self.batch.commits.iter().zip(&self.commits) {
            if ack.is_ok() && !commit.tags.is_empty() {
                self.transaction.add_tags(&commit.run, &commit.tags).await?;
            }
        }
        let written = self.batch.commits.iter().zip(&self.commits);
        let changes = written.filter(|(_, ack)| ack.is_ok());
        let changes = changes.map(|(commit, _)| (&commit.run, &commit.attributes));
        let changes = changes.filter(|(_, patch)| !patch.is_empty()).collect();
        self.transaction.put_attributes(changes).await
    }
}

const fn existing(status: RunStatus) -> StartAck {
    StartAck::Existing { status }
}

/// Why the token of a commit does not hold; the row has the stored one, or NULL without a run.
fn refusal(commit: &RunCommit, row: &QueryResult) -> Result<StoreError, StoreError> {
    let run = commit.run.clone();
    Ok(match record::get::<Option<i64>>(row, 1)? {
        Some(_) => StoreError::LeaseLost {
            run,
            held: commit.token,
            current: FencingToken(record::count(row, 1)?),
        },
        None => StoreError::UnknownRun { run },
    })
}
