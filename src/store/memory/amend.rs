//! What operators change, in memory.

use async_trait::async_trait;

use super::state::{Row, State};
use super::store::MemoryStore;
use crate::id::{RunId, Seq};
use crate::model::AuditEntry;
use crate::store::amend::{AmendStore, Amended, Amendment, Fork, Removal, Stand};
use crate::store::commit::{Delivery, DeliveryAck, StartAck};
use crate::store::error::StoreError;
use crate::store::rules;
use crate::time::Timestamp;

#[async_trait]
impl AmendStore for MemoryStore {
    async fn amend(&self, amendment: &Amendment) -> Result<Amended, StoreError> {
        let now = self.now();
        self.lock().amend(amendment, now)
    }

    async fn deliver_audited(
        &self,
        delivery: &Delivery,
        audit: &AuditEntry,
    ) -> Result<DeliveryAck, StoreError> {
        let now = self.now();
        let mut state = self.lock();
        let ack = state.deliver(delivery, now)?;
        state.audit.push(audit.clone());
        Ok(ack)
    }

    async fn fork(&self, fork: &Fork) -> Result<StartAck, StoreError> {
        let now = self.now();
        let mut state = self.lock();
        let ack = state.start(&fork.run, now);
        if ack == StartAck::Created {
            for ack in state.commit_all(&[fork.commit()], now) {
                ack?;
            }
            state.audit.extend(fork.audit.iter().cloned());
        }
        Ok(ack)
    }

    async fn remove(&self, run: &RunId, audit: &AuditEntry) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.check(run, |status| rules::check_remove(run, status))?;
        state.remove(run);
        state.audit.push(audit.clone());
        Ok(())
    }

    async fn audit_log(&self, run: &RunId, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let state = self.lock();
        let lines = state.audit.iter().rev().filter(|line| line.run_id == *run);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(lines.take(limit).cloned().collect())
    }
}

impl State {
    fn amend(&mut self, amendment: &Amendment, now: Timestamp) -> Result<Amended, StoreError> {
        let run = &amendment.commit.run;
        let no = self.check(run, |_| Ok(()))?;
        let Some(row) = self.rows.get(no) else {
            return Ok(Amended::Stale);
        };
        if Stand::from(&row.run) != amendment.seen {
            return Ok(Amended::Stale);
        }
        let owner = self.change(no, |row| {
            row.run.token.0 += 1;
            row.run.owner.take()
        });
        self.remove_parts(no, amendment, now);
        if let Some(row) = self.rows.get_mut(no)
            && let Some(input) = &amendment.input
        {
            row.run.input.clone_from(input);
        }
        let mut told = Vec::new();
        for ack in self.commit_all(std::slice::from_ref(&amendment.commit), now) {
            told.append(&mut ack?.told);
        }
        self.audit.push(amendment.audit.clone());
        let owner = owner.flatten();
        Ok(Amended::Done { owner, told })
    }

    fn remove_parts(&mut self, no: usize, amendment: &Amendment, now: Timestamp) {
        let fingerprint = amendment.fingerprint;
        let untaken = match &amendment.removed {
            Removal::Nothing => return,
            Removal::These(seqs) => {
                self.keep(no, |row| row.forget(seqs));
                if self.drop_listens(no, seqs) {
                    self.take_kept(no, now);
                }
                self.close_waits(no, seqs)
            }
            Removal::Everything => {
                self.keep(no, |row| {
                    row.run.fingerprint = fingerprint;
                    row.history.clear();
                    row.published.clear();
                });
                self.close_all(no)
            }
        };
        self.redeliver(untaken, now);
    }

    /// Changes what no index knows of.
    fn keep(&mut self, no: usize, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.get_mut(no) {
            change(row);
        }
    }
}

impl Row {
    fn forget(&mut self, seqs: &[Seq]) {
        self.history.retain(|old| !seqs.contains(&old.seq));
    }
}
