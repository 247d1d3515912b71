//! Instances, claims and the take-over from dead instances.

use std::{fs::File, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::claimed;
use super::gates::Gates;
use super::lock;
use super::read::all;
use super::record;
use super::rows::List;
use super::seat::{Occupied, Seat};
use super::signal::Untaken;
use super::statements::sqlite;
use super::store::{Liveness, SqlStore};
use super::transaction::Transaction;
use crate::driver::sql::{Arg, Args, Sets};
use crate::id::{InstanceId, RunId};
use crate::model::{InstanceReport, RunStatus, WorkflowKey};
use crate::store::error::StoreError;
use crate::store::lease::{Claim, Claimed, LeaseStore, Letter, LivenessLock, Outlook, Recovery};
use crate::store::rules;
use crate::time::Timestamp;

#[async_trait]
impl LeaseStore for SqlStore {
    /// Locks first and tells the database then. A crash in between leaves a lock of an instance
    /// that nobody knows: a file that is litter, or nothing. The other way round, a recoverer
    /// could declare an instance dead that has not got its lock yet.
    async fn enroll(
        &self,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<LivenessLock, StoreError> {
        const OPERATION: &str = "enroll an instance";
        let until = (self.now() + ttl).as_millis();
        let args = Args::new().with(instance.as_str()).with(until);
        let text = self.texts().lease.enroll;
        if let Some(seat) = self.new_seat(instance, ttl) {
            let session = seat.session().await;
            let mut session = session.map_err(|error| self.failed(OPERATION, error))?;
            let mut transaction = self.transaction(&mut session, OPERATION);
            transaction.begin(Gates::NONE).await?;
            transaction.run(text, &args.with(seat.lock())).await?;
            transaction.end().await?;
            session.finish();
            self.0
                .seats
                .lock()
                .insert(instance.clone(), Arc::downgrade(&seat));
            return Ok(LivenessLock::with(Occupied(seat)));
        }
        let lock = match &self.0.liveness {
            Liveness::Files(folder) => lock::take(folder, instance).await,
            Liveness::Server { .. } | Liveness::None => Ok(None),
        };
        let lock = lock.map_err(|error| self.failed(OPERATION, error))?;
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::NONE).await?;
        transaction.run(text, &args.with(Arg::Int(None))).await?;
        transaction.end().await?;
        session.finish();
        Ok(lock.map_or_else(LivenessLock::none, LivenessLock::new))
    }

    async fn heartbeat(&self, instance: &InstanceId, ttl: Duration) -> Result<(), StoreError> {
        const OPERATION: &str = "renew a lease";
        let until = (self.now() + ttl).as_millis();
        let args = Args::new().with(instance.as_str()).with(until);
        let texts = self.texts();
        let sets = if let Some(seat) = self.seat(instance) {
            let failed = |error| self.failed(OPERATION, error);
            let mut session = seat.session().await.map_err(failed)?;
            let asked = Instant::now();
            let args = args.with(seat.lock());
            let sets = session.run(texts.lease.heartbeat, &args).await;
            let sets = sets.map_err(failed)?;
            session.finish();
            self.set_clock(asked, sets.answers().first().copied())?;
            sets
        } else {
            let mut session = self.write(OPERATION).await?;
            let mut transaction = self.transaction(&mut session, OPERATION);
            let sets = transaction.run(texts.lease.renew, &args).await?;
            session.finish();
            sets
        };
        if sets.changes(0) == 0 {
            let instance = instance.clone();
            return Err(StoreError::InstanceLost { instance });
        }
        Ok(())
    }

    async fn report(
        &self,
        instance: &InstanceId,
        report: &InstanceReport,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "report of an instance";
        let text = serde_json::to_string(report).unwrap_or_default();
        let args = Args::new().with(instance.as_str()).with(text);
        let args = args.with(self.now().as_millis());
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.run(self.texts().lease.report, &args).await?;
        session.finish();
        Ok(())
    }

    /// Forgets the instance and removes its file then. A crash in between leaves litter.
    async fn resign(&self, instance: &InstanceId) -> Result<(), StoreError> {
        const OPERATION: &str = "resign";
        let args = Args::new()
            .with(instance.as_str())
            .with(self.now().as_millis())
            .with(0_i64);
        let texts = &self.texts().lease;
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::NONE).await?;
        transaction
            .run([texts.give_back, texts.forget_by_id], &args)
            .await?;
        transaction.end().await?;
        session.finish();
        if let Liveness::Files(folder) = &self.0.liveness {
            lock::remove(folder, instance);
        }
        Ok(())
    }

    /// Takes locks first, then writes everything in one transaction, then removes the files.
    ///
    /// - Two recoverers: of a file one gets the lock, and the other one finds it held and leaves
    ///   the instance alone. If both go by the lease, or by the lock of a server, the row decides:
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
        letter: Letter<'_>,
    ) -> Result<Recovery, StoreError> {
        const OPERATION: &str = "recover runs";
        let suspects = self.suspects(instance).await?;
        let mut recovery = Recovery::default();
        if suspects.is_empty() {
            return Ok(recovery);
        }
        let text = self.texts().lease.forget;
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::ALL).await?;
        let (mut untaken, mut ended) = (Vec::new(), Vec::new());
        for suspect in &suspects {
            let is_found = match suspect.no {
                None => true,
                Some(no) => {
                    let args = Args::new()
                        .with(no)
                        .with(i64::from(suspect.is_freed))
                        .with(transaction.now.as_millis());
                    transaction.run(text, &args).await?.changes(0) == 1
                }
            };
            if is_found {
                let taken = transaction
                    .take_over(suspect, max_recoveries, &mut recovery)
                    .await?;
                untaken.extend(taken.untaken);
                ended.extend(taken.ended);
            }
        }
        transaction.redeliver(untaken).await?;
        transaction.tell(&ended).await?;
        transaction.send_letters(&recovery.given_up, letter).await?;
        transaction.end().await?;
        session.finish();
        if let Liveness::Files(folder) = &self.0.liveness {
            recovery
                .dead
                .iter()
                .for_each(|dead| lock::remove(folder, dead));
        }
        Ok(recovery)
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        const OPERATION: &str = "claim runs";
        let mut claimed = Claimed::default();
        if claim.limit == 0 {
            return Ok(claimed);
        }
        let texts = &self.texts().lease;
        let now = self.now().as_millis();
        let workflows = workflow_list(claim.workflows);
        let args = |limit: i64, priority: Option<i64>| {
            Args::new()
                .with(workflows.clone())
                .with(claim.instance.as_str().to_owned())
                .with(now)
                .with(limit)
                .with(claim.namespace.map(str::to_owned))
                .with(priority)
        };
        let usual = args(i64::from(claim.limit), None);
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        let is_scripted = transaction.session.is_scripted();
        let mut runs = if is_scripted {
            let script = [sqlite::BEGIN, texts.due.claim];
            transaction.run(script, &usual).await?
        } else {
            transaction.begin(Gates::NONE).await?;
            transaction.run(texts.due.claim, &usual).await?
        };
        let mut at = usize::from(is_scripted);
        // Nothing of it is kept if we crash here: the histories are part of the transaction.
        let mut numbers = all(runs.rows(at), |row| record::get::<i64>(row, 0))?;
        if let (true, Some(ranked)) = (numbers.is_empty(), &texts.due.ranked) {
            numbers = transaction.find_ranked(ranked, args, claim.limit).await?;
        }
        let list = serde_json::to_string(&numbers);
        let list = list.map_err(|error| self.failed(OPERATION, error))?;
        let args = Args::new()
            .with(list)
            .with(claim.instance.as_str())
            .with(now);
        if !numbers.is_empty() && !texts.claim_found.is_empty() {
            runs = transaction.run(texts.claim_found, &args).await?;
            at = 1;
        }
        let mut details = Sets::default();
        if is_scripted {
            let script = [texts.histories, &[sqlite::COMMIT]].concat();
            details = transaction.run(script, &args).await?;
        } else {
            if !numbers.is_empty() {
                details = transaction.run(texts.histories, &args).await?;
            }
            transaction.end().await?;
        }
        session.finish();
        claimed::collect(runs.rows(at), &details, &mut claimed)?;
        Ok(claimed)
    }

    async fn look(
        &self,
        instance: &InstanceId,
        workflows: &[WorkflowKey],
        namespace: Option<&str>,
    ) -> Result<Outlook, StoreError> {
        let workflows = workflow_list(workflows);
        let args = |priority: Option<i64>| {
            Args::new()
                .with(workflows.clone())
                .with(instance.as_str().to_owned())
                .with(namespace.map(str::to_owned))
                .with(priority)
        };
        let texts = &self.texts().lease;
        let sets = self
            .query("look for work", texts.due.look, &args(None))
            .await?;
        let mut outlook = Outlook {
            is_alone: true,
            ..Outlook::default()
        };
        let (mut due, mut highest) = (Vec::new(), 0);
        for row in sets.rows(0) {
            if texts.due.ranked.is_some()
                && let Some(priority) = record::get(row, 2)?
            {
                highest = priority;
                continue;
            }
            let id = record::get::<Option<String>>(row, 0)?;
            match (id, record::get::<Option<i64>>(row, 1)?) {
                (Some(id), _) => outlook.woken.push(RunId::from_trusted(id)),
                (None, Some(at)) => due.push(at),
                (None, None) => outlook.is_alone = false,
            }
        }
        if let Some(ranked) = texts.due.ranked.as_ref().filter(|_| highest != 0) {
            due.extend(self.next_ranked(ranked, args, highest).await?);
        }
        outlook.next_due = due.into_iter().min().map(Timestamp::from_millis);
        Ok(outlook)
    }
}

/// Workflows as a JSON list.
fn workflow_list(workflows: &[WorkflowKey]) -> String {
    let mut list = List::new();
    for workflow in workflows {
        list.row(|row| {
            row.put(&*workflow.name).put(workflow.version);
        });
    }
    list.into_text()
}

/// An instance that seems to be dead.
struct Suspect {
    /// The number of its row; none if it has none: it wrote after it was forgotten.
    no: Option<i64>,
    id: InstanceId,
    /// Whether its lock proves it; otherwise its lease is over.
    is_freed: bool,
    /// The lock of its file, held until the take-over is done.
    _lock: Option<File>,
}

impl Suspect {
    /// One that nobody knows any more. It was declared dead while it wrote a start or a claim, and
    /// what it wrote then nobody else would find.
    const fn forgotten(id: InstanceId) -> Self {
        Self {
            no: None,
            id,
            is_freed: true,
            _lock: None,
        }
    }
}

impl SqlStore {
    /// A new place at the server for an instance, where there is a server.
    fn new_seat(&self, instance: &InstanceId, ttl: Duration) -> Option<Arc<Seat>> {
        let Liveness::Server { place } = &self.0.liveness else {
            return None;
        };
        let reserved = self.0.database.reserve()?;
        let seat = Seat::new(
            reserved,
            self.dialect(),
            &format!("{place}/{instance}"),
            ttl / 2,
        );
        Some(Arc::new(seat))
    }

    /// The place of an instance that was enrolled here.
    fn seat(&self, instance: &InstanceId) -> Option<Arc<Seat>> {
        self.0.seats.lock().get(instance)?.upgrade()
    }

    /// Other instances whose lock is free or whose lease is over.
    async fn suspects(&self, but: &InstanceId) -> Result<Vec<Suspect>, StoreError> {
        const OPERATION: &str = "list instances";
        let args = Args::new().with(but.as_str());
        let text = self.texts().lease.others;
        let mut trusts_locks = true;
        let sets = match self.seat(but) {
            // On the connection with our own lock: if that was lost, the locks of others prove
            // nothing for a while.
            Some(seat) => {
                let failed = |error| self.failed(OPERATION, error);
                let mut session = seat.session().await.map_err(failed)?;
                let sets = session.run(text, &args).await.map_err(failed)?;
                session.finish();
                trusts_locks = seat.trusts_locks();
                sets
            }
            None => self.query(OPERATION, text, &args).await?,
        };
        let now = self.now();
        let mut suspects = Vec::new();
        for row in sets.rows(0) {
            let id = InstanceId::from_trusted(record::get::<String>(row, 1)?);
            let no: Option<i64> = record::get(row, 0)?;
            if no.is_none() {
                suspects.push(Suspect::forgotten(id));
                continue;
            }
            let lock = match &self.0.liveness {
                Liveness::Files(folder) => lock::take_over(folder, &id),
                Liveness::Server { .. } | Liveness::None => None,
            };
            let is_freed = lock.is_some() || trusts_locks && record::get::<i64>(row, 3)? == 1;
            let lease_until = Timestamp::from_millis(record::get(row, 2)?);
            if is_freed || lease_until <= now {
                suspects.push(Suspect {
                    no,
                    id,
                    is_freed,
                    _lock: lock,
                });
            }
        }
        Ok(suspects)
    }
}

/// What a take-over leaves to be done.
#[derive(Default)]
struct Taken {
    /// Signals to be handed on.
    untaken: Vec<Untaken>,
    /// Runs that were given up, whose end others may wait for.
    ended: Vec<i64>,
}

impl Transaction<'_, '_> {
    /// Gives the runs of a dead instance back, and gives up those that were recovered too often.
    async fn take_over(
        &mut self,
        dead: &Suspect,
        max_recoveries: u32,
        recovery: &mut Recovery,
    ) -> Result<Taken, StoreError> {
        let texts = &self.texts().lease;
        let mut taken = Taken::default();
        let owner = || Args::new().with(dead.id.as_str());
        let args = owner().with(i64::from(max_recoveries));
        let exceeding = self.run(texts.exceeding, &args).await?;
        for row in exceeding.rows(0) {
            let run_no: i64 = record::get(row, 0)?;
            let recoveries = record::count::<u32>(row, 2)?.saturating_add(1);
            // What cannot be read is not worth failing the take-over.
            let last = record::failure(row, 3).unwrap_or_default();
            let failure = serde_json::to_string(&rules::given_up(recoveries, last)).ok();
            self.run(texts.count_recovery, &Args::new().with(run_no))
                .await?;
            self.end_run(run_no, RunStatus::Dead, self.now, failure)
                .await?;
            taken.ended.push(run_no);
            recovery.given_up.push(record::run_id(row, 1)?);
        }
        taken.untaken = self.close_all(&taken.ended).await?;
        let args = owner().with(self.now.as_millis()).with(1_i64);
        recovery.runs += self.run(texts.give_back, &args).await?.changes(0);
        recovery.dead.push(dead.id.clone());
        Ok(taken)
    }
}
