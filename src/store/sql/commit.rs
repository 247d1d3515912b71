//! The journal's batch as one transaction.
//!
//! Usually it is one script, one hop: BEGIN, a statement per kind of change, COMMIT. Three things
//! can interrupt it, each found by a check that stops the script with the transaction open: a
//! token that does not hold, a signal that was delivered to a closed wait and not taken, and a
//! wait for which a signal lies ready. They are dealt with one by one, and the rest of the script
//! follows. A crash at any point leaves the whole batch or nothing of it, by the transaction.

use std::{collections::BTreeMap, str::FromStr};

use async_trait::async_trait;
use sea_orm::{QueryResult, sqlx};

use super::error::backend;
use super::plan::{Part, Plan};
use super::record;
use super::signal::Transaction;
use super::statements::{FIND_RUN, REFUSED, STOP};
use super::store::SqlStore;
use crate::driver::sql::{Args, Sets};
use crate::id::{FencingToken, RunId};
use crate::model::RunStatus;
use crate::store::commit::{Batch, BatchAck, CommitAck, CommitStore, RunCommit, StartAck};
use crate::store::error::StoreError;

const OPERATION: &str = "commit a batch";

#[async_trait]
impl CommitStore for SqlStore {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let now = self.now();
        let plan = Plan::new(batch, now);
        let mut session = self.write(OPERATION).await?;
        let mut writing = Writing {
            batch,
            plan: &plan,
            transaction: Transaction {
                session: &mut session,
                operation: OPERATION,
                now,
            },
            starts: Vec::new(),
            commits: batch
                .commits
                .iter()
                .map(|_| Ok(CommitAck::default()))
                .collect(),
        };
        let mut deliveries = Vec::with_capacity(batch.deliveries.len());
        let mut parts = plan.starts.clone();
        if !batch.deliveries.is_empty() {
            writing.carry_out(&parts).await?;
            parts.clear();
            for delivery in &batch.deliveries {
                match writing.transaction.deliver(delivery).await {
                    Err(error) if error.is_transient() => return Err(error),
                    answer => deliveries.push(answer),
                }
            }
        }
        parts.extend_from_slice(&plan.commits);
        writing.carry_out(&parts).await?;
        let (starts, commits) = (writing.starts, writing.commits);
        session.finish();
        Ok(BatchAck {
            starts,
            deliveries,
            commits,
        })
    }
}

/// A batch on its way into the database.
struct Writing<'a, 's> {
    batch: &'a Batch,
    plan: &'a Plan,
    transaction: Transaction<'a, 's>,
    starts: Vec<StartAck>,
    commits: Vec<Result<CommitAck, StoreError>>,
}

impl Writing<'_, '_> {
    /// Carries out statements, and what a check among them calls for.
    async fn carry_out(&mut self, parts: &[Part]) -> Result<(), StoreError> {
        let mut rest = parts;
        while !rest.is_empty() {
            let text: String = rest.iter().map(|part| part.text()).collect();
            let args = self.plan.args.clone();
            let (sets, end) = self.transaction.session.attempt(text, args).await;
            let (done, left) = rest.split_at_checked(sets.len()).unwrap_or((rest, &[]));
            self.read_starts(done, &sets)?;
            let Err(error) = end else { return Ok(()) };
            match left.split_first() {
                Some((check, after)) if is_stop(&error) => {
                    self.act_on(*check).await?;
                    rest = after;
                }
                _ => return Err(backend(OPERATION, error)),
            }
        }
        Ok(())
    }

    async fn act_on(&mut self, check: Part) -> Result<(), StoreError> {
        match check {
            Part::CheckKept => self.refuse(&self.plan.kept).await,
            Part::CheckReleased => self.refuse(&self.plan.released).await,
            Part::CheckUntaken => self.close().await,
            Part::CheckOpened => self.open().await,
            _ => Err(backend(
                OPERATION,
                "an unknown check has stopped the script",
            )),
        }
    }

    /// Answers the starts once their statements are done.
    fn read_starts(&mut self, done: &[Part], sets: &Sets) -> Result<(), StoreError> {
        let Some(found) = done.iter().position(|part| *part == Part::FindStarts) else {
            return Ok(());
        };
        let mut existing = BTreeMap::new();
        for row in sets.rows(found) {
            let word: String = record::get(row, 1)?;
            // A word of a newer build: that the run exists is all that a start needs to know.
            let status = RunStatus::from_str(&word).unwrap_or(RunStatus::Running);
            existing.insert(record::count::<usize>(row, 0)?, status);
        }
        let answer = |at| {
            existing
                .get(&at)
                .map_or(StartAck::Created, |status| existing_as(*status))
        };
        self.starts = (0..self.batch.starts.len()).map(answer).collect();
        let created = self.batch.starts.len() - existing.len();
        if u64::try_from(created).is_ok_and(|created| created == sets.changes(found + 1)) {
            return Ok(());
        }
        // Two starts of the batch have the same id; the later one finds the earlier one's run.
        let mut seen = BTreeMap::new();
        for (new, ack) in self.batch.starts.iter().zip(&mut self.starts) {
            if seen.insert(&new.id, ()).is_some() && *ack == StartAck::Created {
                *ack = existing_as(RunStatus::Pending);
            }
        }
        Ok(())
    }

    /// Finds the commits of a list whose token does not hold.
    async fn refuse(&mut self, (list, places): &(String, Vec<usize>)) -> Result<(), StoreError> {
        let sets = self
            .transaction
            .run(REFUSED, Args::new().with(list.clone()))
            .await?;
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
    async fn close(&mut self) -> Result<(), StoreError> {
        let mut untaken = Vec::new();
        for (commit, ack) in self.batch.commits.iter().zip(&self.commits) {
            let ends = commit.status.is_terminal();
            if ack.is_err() || (!ends && commit.withdrawn.is_empty()) {
                continue;
            }
            let run_no = run_no(&mut self.transaction, &commit.run).await?;
            untaken.append(&mut if ends {
                self.transaction.close_all(run_no).await?
            } else {
                self.transaction
                    .close_waits(run_no, &commit.withdrawn)
                    .await?
            });
        }
        self.transaction.redeliver(untaken).await
    }

    /// Opens waits one by one and takes what lies ready for them.
    async fn open(&mut self) -> Result<(), StoreError> {
        for (commit, ack) in self.batch.commits.iter().zip(&mut self.commits) {
            let Ok(ack) = ack else { continue };
            if commit.status.is_terminal() || commit.waiters.is_empty() {
                continue;
            }
            let run_no = run_no(&mut self.transaction, &commit.run).await?;
            for waiter in &commit.waiters {
                ack.delivered
                    .extend(self.transaction.open_wait(run_no, waiter).await?);
            }
        }
        Ok(())
    }
}

async fn run_no(transaction: &mut Transaction<'_, '_>, run: &RunId) -> Result<i64, StoreError> {
    let sets = transaction
        .run(FIND_RUN, Args::new().with(run.to_string()))
        .await?;
    match sets.first(0) {
        Some(row) => record::get(row, 0),
        None => Err(StoreError::UnknownRun { run: run.clone() }),
    }
}

const fn existing_as(status: RunStatus) -> StartAck {
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

/// Whether the error is a check that stops a script.
fn is_stop(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.message() == STOP)
}
