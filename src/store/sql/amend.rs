//! What operators change: one transaction each, around the journal's own way of writing.
//!
//! A change is written as a commit of an owner who has just claimed the run, so everything that
//! belongs to a commit (waits, untaken signals, ends) is done once, in one place.

use std::{str::FromStr, sync::Arc};

use async_trait::async_trait;
use sea_orm::QueryResult;

use super::care::Care;
use super::error::is_conflict;
use super::gates::Gates;
use super::record;
use super::rows::list;
use super::statements::{AmendTexts, amend_texts, prune_texts};
use super::store::SqlStore;
use super::transaction::Transaction;
use crate::driver::sql::{Arg, Args, Session};
use crate::id::{FencingToken, InstanceId, RunId};
use crate::model::{AuditEntry, Fingerprint, RunStatus};
use crate::store::amend::{AmendStore, Amended, Amendment, Fork, Removal, Stand};
use crate::store::commit::{Batch, BatchAck, Delivery, DeliveryAck, StartAck};
use crate::store::error::StoreError;
use crate::store::rules;
use crate::time::Timestamp;

/// What is being done, for errors.
const OPERATION: &str = "change a run for its operator";

/// How often a change is tried again that the database has undone for another one's sake.
const MAX_CONFLICTS: u32 = 8;

/// Tries again what the database has undone for another one's sake.
macro_rules! until_settled {
    ($call:expr) => {{
        let mut conflicts = 0;
        loop {
            match $call.await {
                Err(error) if is_conflict(&error) && conflicts < MAX_CONFLICTS => conflicts += 1,
                answer => return answer,
            }
        }
    }};
}

#[async_trait]
impl AmendStore for SqlStore {
    async fn amend(&self, amendment: &Amendment) -> Result<Amended, StoreError> {
        until_settled!(self.write_amendment(amendment))
    }

    async fn deliver_audited(
        &self,
        delivery: &Delivery,
        audit: &AuditEntry,
    ) -> Result<DeliveryAck, StoreError> {
        until_settled!(self.write_delivery(delivery, audit))
    }

    async fn fork(&self, fork: &Fork) -> Result<StartAck, StoreError> {
        until_settled!(self.write_fork(fork))
    }

    async fn remove(&self, run: &RunId, audit: &AuditEntry) -> Result<(), StoreError> {
        until_settled!(self.write_removal(run, audit))
    }

    async fn audit_log(&self, run: &RunId, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let args = Args::new().with(run.as_str()).with(i64::from(limit));
        let text = amend_texts(self.dialect()).lines;
        let sets = self.query("read an audit log", text, &args).await?;
        sets.rows(0).iter().map(line).collect()
    }
}

impl SqlStore {
    async fn write_amendment(&self, amendment: &Amendment) -> Result<Amended, StoreError> {
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::ALL).await?;
        let run = &amendment.commit.run;
        let found = transaction.lock_run(run).await?;
        let found = found.ok_or_else(|| StoreError::UnknownRun { run: run.clone() });
        let found = found.map(|found| (found.stand == amendment.seen).then_some(found));
        let Ok(Some(Locked { no, owner, .. })) = found else {
            transaction.undo().await?;
            session.finish();
            return found.map(|_| Amended::Stale);
        };
        transaction.prepare(no, amendment).await?;
        let batch = Batch {
            commits: vec![amendment.commit.clone()],
            ..Batch::default()
        };
        let ack = self.write_within(&mut session, &batch).await?;
        let mut told = Vec::new();
        for ack in ack.commits {
            told.append(&mut ack?.told);
        }
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.write_line(&amendment.audit).await?;
        transaction.end().await?;
        session.finish();
        Ok(Amended::Done { owner, told })
    }

    async fn write_delivery(
        &self,
        delivery: &Delivery,
        audit: &AuditEntry,
    ) -> Result<DeliveryAck, StoreError> {
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::ALL).await?;
        let batch = Batch {
            deliveries: vec![delivery.clone()],
            ..Batch::default()
        };
        let ack = self.write_within(&mut session, &batch).await?;
        let ack = ack.deliveries.into_iter().next();
        let mut transaction = self.transaction(&mut session, OPERATION);
        let ack = ack.unwrap_or_else(|| Err(transaction.failed("no answer")));
        match &ack {
            Ok(_) => {
                transaction.write_line(audit).await?;
                transaction.end().await?;
            }
            Err(_) => transaction.undo().await?,
        }
        session.finish();
        ack
    }

    async fn write_fork(&self, fork: &Fork) -> Result<StartAck, StoreError> {
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::NONE).await?;
        let batch = Batch {
            starts: vec![fork.run.clone()],
            ..Batch::default()
        };
        let ack = self.write_within(&mut session, &batch).await?;
        let ack = ack.starts.into_iter().next();
        let ack = ack.unwrap_or(StartAck::Created);
        if ack == StartAck::Created {
            let batch = Batch {
                commits: vec![fork.commit()],
                ..Batch::default()
            };
            for ack in self.write_within(&mut session, &batch).await?.commits {
                ack?;
            }
        }
        let mut transaction = self.transaction(&mut session, OPERATION);
        if ack == StartAck::Created {
            for line in &fork.audit {
                transaction.write_line(line).await?;
            }
        }
        transaction.end().await?;
        session.finish();
        Ok(ack)
    }

    async fn write_removal(&self, run: &RunId, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut session = self.write(OPERATION).await?;
        let mut transaction = self.transaction(&mut session, OPERATION);
        transaction.begin(Gates::NONE).await?;
        let allowed = match transaction.lock_run(run).await? {
            Some(locked) => rules::check_remove(run, locked.stand.status).map(|()| locked.no),
            None => Err(StoreError::UnknownRun { run: run.clone() }),
        };
        match &allowed {
            Ok(no) => {
                let text = prune_texts(transaction.session.dialect()).remove_runs;
                let args = Args::new().with(list(&[*no]));
                transaction.run(text, &args).await?;
                transaction.write_line(audit).await?;
                transaction.end().await?;
            }
            Err(_) => transaction.undo().await?,
        }
        session.finish();
        allowed.map(drop)
    }

    /// Writes a batch in a transaction that has begun, with all gates if it needs any.
    async fn write_within(
        &self,
        session: &mut Session<'_>,
        batch: &Batch,
    ) -> Result<BatchAck, StoreError> {
        let mut writing = self.writing(session, batch, Care::FULL);
        writing.body().await?;
        Ok(writing.into_ack())
    }
}

/// A run that is locked.
struct Locked {
    no: i64,
    stand: Stand,
    owner: Option<InstanceId>,
}

impl Transaction<'_, '_> {
    fn amend_texts(&self) -> &'static AmendTexts {
        amend_texts(self.session.dialect())
    }

    async fn lock_run(&mut self, run: &RunId) -> Result<Option<Locked>, StoreError> {
        let text = self.amend_texts().lock_run;
        let sets = self.run(text, &Args::new().with(run.as_str())).await?;
        let locked = sets.first(0).map(|row| {
            Ok(Locked {
                no: record::get(row, 0)?,
                stand: Stand {
                    status: RunStatus::from_str(&record::get::<String>(row, 1)?)?,
                    token: FencingToken(record::count(row, 2)?),
                    rev: record::count(row, 3)?,
                },
                owner: record::owner(row, 4)?,
            })
        });
        locked.transpose()
    }

    /// Everything before the commit of an amendment.
    async fn prepare(&mut self, no: i64, amendment: &Amendment) -> Result<(), StoreError> {
        let texts = self.amend_texts();
        let args = Args::new().with(no);
        self.run(texts.take, &args).await?;
        match &amendment.removed {
            Removal::Nothing => {}
            Removal::These(seqs) => {
                for seq in seqs {
                    let args = Args::new().with(no).with(i64::from(seq.0));
                    self.run(texts.remove_one, &args).await?;
                }
                self.drop_listens(no, seqs).await?;
                let untaken = self.close_waits(no, seqs).await?;
                self.redeliver(untaken).await?;
            }
            Removal::Everything => {
                self.run(texts.remove_history, &args).await?;
                let flow = amendment.fingerprint.map(Fingerprint::to_stored);
                let args = Args::new().with(no).with(Arg::from(flow));
                self.run(texts.set_flow, &args).await?;
                let untaken = self.close_all(&[no]).await?;
                self.redeliver(untaken).await?;
            }
        }
        if let Some(input) = &amendment.input {
            let args = Args::new().with(no).with(input.as_bytes());
            self.run(texts.set_input, &args).await?;
        }
        Ok(())
    }

    async fn write_line(&mut self, line: &AuditEntry) -> Result<(), StoreError> {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let args = Args::new()
            .with(line.run_id.as_str())
            .with(line.at.as_millis())
            .with(text(&line.actor))
            .with(text(&line.reason))
            .with(&*line.action)
            .with(text(&line.detail));
        let write = self.amend_texts().write_line;
        self.run(write, &args).await.map(drop)
    }
}

/// Reads a line of a log.
fn line(row: &QueryResult) -> Result<AuditEntry, StoreError> {
    let text = |at| Ok(record::get::<Option<String>>(row, at)?.map(Arc::<str>::from));
    let text = |at| -> Result<Option<Arc<str>>, StoreError> { text(at) };
    Ok(AuditEntry {
        run_id: record::run_id(row, 0)?,
        at: Timestamp::from_millis(record::get(row, 1)?),
        actor: text(2)?,
        reason: text(3)?,
        action: record::get::<String>(row, 4)?.into(),
        detail: text(5)?,
    })
}
