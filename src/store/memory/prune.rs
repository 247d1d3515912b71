//! Forgetting, in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::state::{Row, State};
use super::store::MemoryStore;
use crate::id::RunId;
use crate::model::{RunStatus, SignalId};
use crate::store::error::StoreError;
use crate::store::prune::{
    Forget, Forgotten, Prune, PruneCursor, PruneStore, Pruned, first_of_chain,
};
use crate::time::Timestamp;

#[async_trait]
impl PruneStore for MemoryStore {
    async fn prune(&self, prune: &Prune) -> Result<Pruned, StoreError> {
        Ok(self.lock().prune(prune))
    }

    async fn end_of_newest(
        &self,
        statuses: &[RunStatus],
        keep: u64,
    ) -> Result<Option<Timestamp>, StoreError> {
        let state = self.lock();
        let there = state.rows.iter().enumerate();
        let there = there.filter(|(no, row)| state.is_there(*no) && is_one_of(row, statuses));
        let mut ends: Vec<Timestamp> = there.filter_map(|(_, row)| row.run.finished_at).collect();
        ends.sort_unstable_by(|one, other| other.cmp(one));
        let last = usize::try_from(keep).ok().and_then(|it| it.checked_sub(1));
        Ok(last.and_then(|at| ends.get(at)).copied())
    }

    async fn forget(&self, forget: &Forget) -> Result<Forgotten, StoreError> {
        let now = self.now();
        let mut state = self.lock();
        state.events.prune(now);
        Ok(state.forget(forget))
    }
}

fn is_one_of(row: &Row, statuses: &[RunStatus]) -> bool {
    statuses.contains(&row.run.status)
}

impl State {
    fn prune(&mut self, prune: &Prune) -> Pruned {
        let Some(last_end) = prune.last_end() else {
            return Pruned::default();
        };
        let limit = usize::try_from(prune.limit).unwrap_or(usize::MAX);
        let there = self.rows.iter().enumerate();
        let there = there.filter(|(no, _)| self.is_there(*no));
        let ended = there.filter_map(|(no, row)| {
            let ended_at = row.run.finished_at.filter(|at| *at < last_end)?;
            let at = PruneCursor {
                ended_at,
                no: i64::try_from(no).ok()?,
            };
            prune
                .after
                .is_none_or(|after| at > after)
                .then_some((at, no))
        });
        let mut ended: Vec<(PruneCursor, usize)> = ended.collect();
        ended.sort_unstable();
        // As many as were asked for: there may be more.
        let is_cut = ended.len() >= limit;
        ended.truncate(limit);
        let next = ended.last().filter(|_| is_cut).map(|(at, _)| *at);
        // As one statement sees it: who is free is decided before anyone goes.
        ended.retain(|(_, no)| self.may_go(*no, prune));
        let nos = ended.into_iter().map(|(_, no)| no);
        let gone: BTreeSet<RunId> = nos.filter_map(|no| self.let_go_of(no)).collect();
        if prune.with_log {
            self.audit.retain(|line| !gone.contains(&line.run_id));
        }
        let runs = u64::try_from(gone.len()).unwrap_or(u64::MAX);
        Pruned { runs, next }
    }

    /// Whether a rule names the run, its parent is gone and its children have ended.
    fn may_go(&self, no: usize, prune: &Prune) -> bool {
        let Some(Row { run, .. }) = self.rows.get(no) else {
            return false;
        };
        let before = prune.end_of(run.status);
        let is_due = before
            .zip(run.finished_at)
            .is_some_and(|(before, at)| at < before);
        let has_parent = run
            .parent
            .as_ref()
            .is_some_and(|it| self.no(&it.run).is_some());
        let children = self.children.get(&run.id).into_iter().flatten();
        let mut living = children.filter(|child| {
            let row = self.rows.get(**child);
            self.is_there(**child) && row.is_some_and(|row| !row.run.status.is_terminal())
        });
        is_due && !has_parent && living.next().is_none()
    }

    /// Removes a run, unless it is the first of those that it continues as.
    fn let_go_of(&mut self, no: usize) -> Option<RunId> {
        let row = self.rows.get(no)?;
        let (run, next) = (row.run.id.clone(), row.run.next.clone());
        if let Some(next) = next.filter(|next| self.no(next).is_some()) {
            let first = first_of_chain(&run).and_then(|first| self.no(&first));
            let first = first.and_then(|first| self.rows.get_mut(first))?;
            if first.run.next.as_ref() != Some(&run) {
                return None;
            }
            first.run.next = Some(next);
        }
        self.remove(&run);
        Some(run)
    }

    fn forget(&mut self, forget: &Forget) -> Forgotten {
        let limit = usize::try_from(forget.limit).unwrap_or(usize::MAX);
        let mut ids: Vec<SignalId> = self.signals.keys().copied().collect();
        ids.retain(|id| forget.after.is_none_or(|after| *id > after));
        ids.sort_unstable();
        let is_cut = ids.len() >= limit;
        ids.truncate(limit);
        let next = ids.last().copied().filter(|_| is_cut);
        let inboxes = self.rows.iter().flat_map(|row| row.inbox.values());
        let held: BTreeSet<SignalId> = inboxes.filter_map(|item| item.signal).collect();
        let buffered = self.buffer.values().flat_map(BTreeMap::values);
        let buffered = buffered.map(|(id, _)| *id);
        let held: BTreeSet<SignalId> = held.into_iter().chain(buffered).collect();
        let mut signals = 0;
        for id in ids.into_iter().filter(|id| !held.contains(id)) {
            let sent = self.signals.get(&id).map(|sent| sent.sent_at);
            if sent.is_some_and(|at| at < forget.signals_before) {
                self.signals.remove(&id);
                signals += 1;
            }
        }
        Forgotten { signals, next }
    }
}
