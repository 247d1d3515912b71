//! Instances, claims and the take-over from dead instances.

use std::{collections::BTreeMap, fs::File, time::Duration};

use async_trait::async_trait;
use sea_orm::QueryResult;

use super::error::backend;
use super::lock;
use super::read::all;
use super::record;
use super::rows::List;
use super::signal::Transaction;
use super::statements::{
    BEGIN, CLAIM, COMMIT, COUNT_RECOVERY, ENROLL, EXCEEDING, FORGET, FORGET_BY_ID, GIVE_BACK,
    HEARTBEAT, HISTORIES, NEXT_DUE, OTHERS, WOKEN,
};
use super::store::SqlStore;
use crate::driver::sql::{Args, Sets};
use crate::id::{FencingToken, InstanceId, RunId};
use crate::model::RunStatus;
use crate::payload::Payload;
use crate::store::error::StoreError;
use crate::store::lease::{Claim, Claimed, LeaseStore, LivenessLock, Recovery, UnreadableRun};
use crate::store::read::RunRecord;
use crate::store::rules;
use crate::time::Timestamp;

#[async_trait]
impl LeaseStore for SqlStore {
    /// Locks first and tells the database then. A crash in between leaves an unlocked file of an
    /// instance that nobody knows: litter. The other way round, a recoverer could declare an
    /// instance dead that has not locked its file yet.
    async fn enroll(
        &self,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<LivenessLock, StoreError> {
        const OPERATION: &str = "enroll an instance";
        let lock = lock::take(&self.0.locks, instance)
            .await
            .map_err(|error| backend(OPERATION, error))?;
        let until = (self.now() + ttl).as_millis();
        let mut session = self.write(OPERATION).await?;
        let args = Args::new().with(instance.to_string()).with(until);
        session
            .run(ENROLL, args)
            .await
            .map_err(|error| backend(OPERATION, error))?;
        session.finish();
        Ok(lock.map_or_else(LivenessLock::none, LivenessLock::new))
    }

    async fn heartbeat(&self, instance: &InstanceId, ttl: Duration) -> Result<(), StoreError> {
        const OPERATION: &str = "renew a lease";
        let until = (self.now() + ttl).as_millis();
        let mut session = self.write(OPERATION).await?;
        let args = Args::new().with(instance.to_string()).with(until);
        let sets = session
            .run(HEARTBEAT, args)
            .await
            .map_err(|error| backend(OPERATION, error))?;
        session.finish();
        if sets.changes(0) == 0 {
            let instance = instance.clone();
            return Err(StoreError::InstanceLost { instance });
        }
        Ok(())
    }

    /// Forgets the instance and removes its file then. A crash in between leaves litter.
    async fn resign(&self, instance: &InstanceId) -> Result<(), StoreError> {
        const OPERATION: &str = "resign";
        let mut session = self.write(OPERATION).await?;
        let args = Args::new()
            .with(instance.to_string())
            .with(self.now().as_millis())
            .with(0_i64);
        let text = [BEGIN, GIVE_BACK, FORGET_BY_ID, COMMIT].concat();
        session
            .run(text, args)
            .await
            .map_err(|error| backend(OPERATION, error))?;
        session.finish();
        lock::remove(&self.0.locks, instance);
        Ok(())
    }

    /// Takes locks first, then writes everything in one transaction, then removes the files.
    ///
    /// - Two recoverers: one gets the lock, the other one finds it held and leaves the instance
    ///   alone. If both go by the lease, or the file of the first is gone already, the row decides:
    ///   whoever deletes it owns the take-over, and the deletion asks again whether the lease is
    ///   over, in case the instance has renewed it meanwhile.
    /// - An instance that was declared dead and enrolled anew under its id has a row with another
    ///   number and is not hit by a recoverer that looked at the old one.
    /// - A crash before the transaction frees the locks again: the next call finds the same. After
    ///   it, the files of forgotten instances stay: litter.
    async fn recover(
        &self,
        instance: &InstanceId,
        max_recoveries: u32,
    ) -> Result<Recovery, StoreError> {
        const OPERATION: &str = "recover runs";
        let suspects = self.suspects(instance).await?;
        let mut recovery = Recovery::default();
        if suspects.is_empty() {
            return Ok(recovery);
        }
        let now = self.now();
        let mut session = self.write(OPERATION).await?;
        let mut transaction = Transaction {
            session: &mut session,
            operation: OPERATION,
            now,
        };
        transaction.run(BEGIN, Args::new()).await?;
        let mut untaken = Vec::new();
        for suspect in &suspects {
            let is_freed = i64::from(suspect.lock.is_some());
            let args = Args::new()
                .with(suspect.no)
                .with(is_freed)
                .with(now.as_millis());
            if transaction.run(FORGET, args).await?.changes(0) == 1 {
                let taken = transaction
                    .take_over(suspect, max_recoveries, &mut recovery)
                    .await?;
                untaken.extend(taken);
            }
        }
        transaction.redeliver(untaken).await?;
        transaction.run(COMMIT, Args::new()).await?;
        session.finish();
        for dead in &recovery.dead {
            lock::remove(&self.0.locks, dead);
        }
        Ok(recovery)
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        const OPERATION: &str = "claim runs";
        let mut workflows = List::new();
        for workflow in claim.workflows {
            workflows.row(|row| {
                row.put(&*workflow.name).put(workflow.version);
            });
        }
        let workflows = workflows.into_text();
        // A look without the write lock: most calls find nothing and must not disturb the journal.
        let sets = self
            .query(OPERATION, NEXT_DUE, Args::new().with(workflows.clone()))
            .await?;
        let mut claimed = Claimed {
            next_due: next_due(&sets, 0)?,
            ..Claimed::default()
        };
        let now = self.now();
        if claimed.next_due.is_none_or(|due| due > now) || claim.limit == 0 {
            return Ok(claimed);
        }
        let failed = |error| backend(OPERATION, error);
        let mut session = self.write(OPERATION).await?;
        let args = Args::new()
            .with(workflows)
            .with(claim.instance.to_string())
            .with(now.as_millis())
            .with(i64::from(claim.limit));
        let text = [BEGIN, CLAIM, NEXT_DUE].concat();
        let runs = session.run(text, args).await.map_err(failed)?;
        // Nothing of it is kept if we crash here: the histories are part of the transaction.
        let numbers = all(runs.rows(1), |row| record::get::<i64>(row, 0))?;
        let numbers = serde_json::to_string(&numbers).map_err(|error| backend(OPERATION, error))?;
        let text = [HISTORIES, COMMIT].concat();
        let details = session
            .run(text, Args::new().with(numbers))
            .await
            .map_err(failed)?;
        session.finish();
        claimed.next_due = next_due(&runs, 2)?;
        collect(runs.rows(1), &details, &mut claimed)?;
        Ok(claimed)
    }

    async fn woken(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        let args = Args::new().with(instance.to_string());
        let sets = self.query("list woken runs", WOKEN, args).await?;
        all(sets.rows(0), |row| record::run_id(row, 0))
    }
}

/// An instance that seems to be dead.
struct Suspect {
    no: i64,
    id: InstanceId,
    /// Its lock, if it could be taken; held until the take-over is done.
    lock: Option<File>,
}

impl SqlStore {
    /// Other instances whose lock is free or whose lease is over.
    async fn suspects(&self, but: &InstanceId) -> Result<Vec<Suspect>, StoreError> {
        let args = Args::new().with(but.to_string());
        let sets = self.query("list instances", OTHERS, args).await?;
        let now = self.now();
        let mut suspects = Vec::new();
        for row in sets.rows(0) {
            let id = InstanceId::from_trusted(record::get::<String>(row, 1)?);
            let lock = lock::take_over(&self.0.locks, &id);
            let lease_until = Timestamp::from_millis(record::get(row, 2)?);
            if lock.is_some() || lease_until <= now {
                let no = record::get(row, 0)?;
                suspects.push(Suspect { no, id, lock });
            }
        }
        Ok(suspects)
    }
}

impl Transaction<'_, '_> {
    /// Gives the runs of a dead instance back, and gives up those that were recovered too often.
    async fn take_over(
        &mut self,
        dead: &Suspect,
        max_recoveries: u32,
        recovery: &mut Recovery,
    ) -> Result<Vec<super::signal::Untaken>, StoreError> {
        let mut untaken = Vec::new();
        let owner = || Args::new().with(dead.id.to_string());
        let exceeding = self
            .run(EXCEEDING, owner().with(i64::from(max_recoveries)))
            .await?;
        for row in exceeding.rows(0) {
            let run_no: i64 = record::get(row, 0)?;
            let recoveries = record::count::<u32>(row, 2)?.saturating_add(1);
            // What cannot be read is not worth failing the take-over.
            let last = record::failure(row, 3).unwrap_or_default();
            let failure = serde_json::to_string(&rules::given_up(recoveries, last)).ok();
            self.run(COUNT_RECOVERY, Args::new().with(run_no)).await?;
            self.end_run(run_no, RunStatus::Dead, self.now, failure)
                .await?;
            untaken.append(&mut self.close_all(run_no).await?);
            recovery.given_up.push(record::run_id(row, 1)?);
        }
        let args = owner().with(self.now.as_millis()).with(1_i64);
        recovery.runs += self.run(GIVE_BACK, args).await?.changes(0);
        recovery.dead.push(dead.id.clone());
        Ok(untaken)
    }
}

fn next_due(sets: &Sets, at: usize) -> Result<Option<Timestamp>, StoreError> {
    let due = sets.first(at).map(|row| record::get(row, 0)).transpose()?;
    Ok(due.map(Timestamp::from_millis))
}

/// Puts claimed runs together with their inputs, histories and inboxes. What cannot be read
/// concerns one run, whatever it is.
fn collect(rows: &[QueryResult], details: &Sets, claimed: &mut Claimed) -> Result<(), StoreError> {
    let inputs = by_run(details.rows(0))?;
    let histories = by_run(details.rows(1))?;
    let inboxes = by_run(details.rows(2))?;
    let mut rows: Vec<(i64, i64, &QueryResult)> = rows
        .iter()
        .map(|row| Ok((record::get(row, 7)?, record::get(row, 0)?, row)))
        .collect::<Result<_, StoreError>>()?;
    rows.sort_by_key(|(wake_at, no, _)| (*wake_at, *no));
    for (_, no, row) in rows {
        let details = [&inputs, &histories, &inboxes].map(|map| rows_of(map, no));
        match record(row, details) {
            Ok(record) => claimed.runs.push(record),
            Err(error) => claimed.unreadable.push(UnreadableRun {
                run: record::run_id(row, 1)?,
                token: FencingToken(record::count(row, 5)?),
                rev: record::count(row, 11).unwrap_or_default(),
                error,
            }),
        }
    }
    Ok(())
}

fn record(
    row: &QueryResult,
    [inputs, history, inbox]: [&[&QueryResult]; 3],
) -> Result<RunRecord, StoreError> {
    let input = inputs
        .first()
        .map(|row| record::payload(row, 1))
        .transpose()?
        .flatten();
    let run = record::run(row, input.unwrap_or_else(Payload::default))?;
    let history = history
        .iter()
        .map(|row| record::checkpoint(row))
        .collect::<Result<_, _>>()?;
    let inbox = inbox
        .iter()
        .map(|row| record::item(row))
        .collect::<Result<_, _>>()?;
    Ok(RunRecord::new(run, history, inbox))
}

fn rows_of<'a, 'b>(map: &'b ByRun<'a>, no: i64) -> &'b [&'a QueryResult] {
    map.get(&no).map_or(&[], Vec::as_slice)
}

type ByRun<'a> = BTreeMap<i64, Vec<&'a QueryResult>>;

/// Rows by the run number in their first column, in their order.
fn by_run(rows: &[QueryResult]) -> Result<ByRun<'_>, StoreError> {
    let mut map = ByRun::new();
    for row in rows {
        map.entry(record::get(row, 0)?).or_default().push(row);
    }
    Ok(map)
}
