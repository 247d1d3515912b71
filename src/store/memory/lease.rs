//! Instances, claims and the take-over in memory.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::state::{Instance, State};
use super::store::MemoryStore;
use crate::id::{InstanceId, RunId};
use crate::model::{InstanceReport, RunStatus, WorkflowKey};
use crate::store::error::StoreError;
use crate::store::lease::{Claim, Claimed, LeaseStore, Letter, LivenessLock, Outlook, Recovery};
use crate::store::rules;
use crate::time::Timestamp;

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn enroll(
        &self,
        instance: &InstanceId,
        ttl: Duration,
    ) -> Result<LivenessLock, StoreError> {
        let lock = Arc::new(());
        let known = Instance {
            lease_until: self.now() + ttl,
            lock: Arc::downgrade(&lock),
            report: None,
        };
        self.lock().instances.insert(instance.clone(), known);
        Ok(LivenessLock::new(lock))
    }

    async fn heartbeat(&self, instance: &InstanceId, ttl: Duration) -> Result<(), StoreError> {
        let until = self.now() + ttl;
        let mut state = self.lock();
        let lost = || StoreError::InstanceLost {
            instance: instance.clone(),
        };
        state
            .instances
            .get_mut(instance)
            .ok_or_else(lost)?
            .lease_until = until;
        Ok(())
    }

    async fn report(
        &self,
        instance: &InstanceId,
        report: &InstanceReport,
    ) -> Result<(), StoreError> {
        let now = self.now();
        if let Some(known) = self.lock().instances.get_mut(instance) {
            known.report = Some((now, report.clone()));
        }
        Ok(())
    }

    async fn resign(&self, instance: &InstanceId) -> Result<(), StoreError> {
        let now = self.now();
        let mut state = self.lock();
        for no in state.held(instance) {
            state.change(no, |row| row.take_away(now));
        }
        state.instances.remove(instance);
        Ok(())
    }

    async fn recover(
        &self,
        instance: &InstanceId,
        max_recoveries: u32,
        letter: Letter<'_>,
    ) -> Result<Recovery, StoreError> {
        let now = self.now();
        let mut state = self.lock();
        let mut recovery = Recovery::default();
        let mut ended = Vec::new();
        for dead in state.dead(instance, now) {
            state.instances.remove(&dead);
            for no in state.held(&dead) {
                match state.take_over(no, max_recoveries, now) {
                    Some(run) => {
                        ended.push(no);
                        recovery.given_up.push(run);
                    }
                    None => recovery.runs += 1,
                }
            }
            recovery.dead.push(dead);
        }
        let untaken = ended.iter().flat_map(|no| state.close_all(*no)).collect();
        state.redeliver(untaken, now);
        for no in ended {
            state.ended(no, now);
            let dead = state.rows.get(no).map(|row| row.run.clone());
            if let Some(new) = dead.and_then(|run| letter(&run)) {
                state.start(&new, now);
            }
        }
        Ok(recovery)
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        let now = self.now();
        let mut state = self.lock();
        let wanted: Vec<usize> = {
            let by_priority = state.due.values();
            let come = by_priority.flat_map(|due| due.iter().take_while(|(at, _)| *at <= now));
            let ours = come
                .filter(|(_, no)| state.is_of(*no, claim.workflows, claim.namespace))
                .map(|(_, no)| *no);
            ours.take(usize::try_from(claim.limit).unwrap_or(usize::MAX))
                .collect()
        };
        let mut claimed = Claimed::default();
        for no in wanted {
            let record = state.change(no, |row| {
                row.run.owner = Some(claim.instance.clone());
                row.run.token.0 += 1;
                row.run.updated_at = now;
                if row.run.status != RunStatus::Cancelling {
                    row.run.status = RunStatus::Running;
                    row.asked = None;
                }
                row.record()
            });
            claimed.runs.extend(record);
        }
        Ok(claimed)
    }

    async fn look(
        &self,
        instance: &InstanceId,
        workflows: &[WorkflowKey],
        namespace: Option<&str>,
    ) -> Result<Outlook, StoreError> {
        let state = self.lock();
        let by_priority = state.due.values();
        let is_of = |(_, no): &&(Timestamp, usize)| state.is_of(*no, workflows, namespace);
        let next = by_priority.filter_map(|due| due.iter().find(is_of)).min();
        let held = state.held(instance);
        let rows = held.into_iter().filter_map(|no| state.rows.get(no));
        let woken = rows.filter(|row| row.run.wakes > row.run.seen_wakes);
        Ok(Outlook {
            next_due: next.map(|(due, _)| *due),
            woken: woken.map(|row| row.run.id.clone()).collect(),
            is_alone: !state.instances.keys().any(|id| id != instance),
        })
    }
}

impl State {
    fn is_of(&self, no: usize, workflows: &[WorkflowKey], namespace: Option<&str>) -> bool {
        self.rows.get(no).is_some_and(|row| {
            workflows.contains(&row.run.workflow)
                && namespace.is_none_or(|namespace| *namespace == *row.run.namespace)
        })
    }

    fn dead(&self, but: &InstanceId, now: Timestamp) -> Vec<InstanceId> {
        let others = self.instances.iter().filter(|(id, _)| *id != but);
        let dead = others.filter(|(_, one)| one.lock.strong_count() == 0 || one.lease_until <= now);
        let mut dead: Vec<InstanceId> = dead.map(|(id, _)| id.clone()).collect();
        let owners = self.owners().filter(|id| *id != but);
        dead.extend(
            owners
                .filter(|id| !self.instances.contains_key(id))
                .cloned(),
        );
        dead.sort();
        dead
    }

    /// Gives the run of a dead instance back, or gives it up and returns its id.
    fn take_over(&mut self, no: usize, max_recoveries: u32, now: Timestamp) -> Option<RunId> {
        self.change(no, |row| {
            if row.run.status == RunStatus::Running {
                row.run.recoveries = row.run.recoveries.saturating_add(1);
                if row.run.recoveries > max_recoveries {
                    row.end(RunStatus::Dead, now, now);
                    let last = row.run.failure.take();
                    row.run.failure = Some(rules::given_up(row.run.recoveries, last));
                    return Some(row.run.id.clone());
                }
            }
            row.take_away(now);
            None
        })?
    }
}
