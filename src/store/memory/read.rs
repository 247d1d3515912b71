//! Reading from memory.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::state::Row;
use super::store::MemoryStore;
use crate::id::{InstanceId, RunId};
use crate::model::{Checkpoint, FlowQuery, InstanceRow, LiveFlows, Run, RunPage, RunQuery};
use crate::payload::Payload;
use crate::store::cursor::Cursor;
use crate::store::error::StoreError;
use crate::store::read::{ReadStore, RunRecord};

#[async_trait]
impl ReadStore for MemoryStore {
    async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.lock().row(run).map(Row::record))
    }

    async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError> {
        Ok(self.lock().row(run).map(|row| row.run.clone()))
    }

    async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let after = query.after.as_deref().map(Cursor::parse).transpose()?;
        let size = usize::try_from(query.page_size()).unwrap_or(usize::MAX);
        let state = self.lock();
        let there = state.rows.iter().enumerate();
        let there = there.filter(|(no, _)| query.has_children.is_some() && state.is_there(*no));
        let parents = there.filter_map(|(_, row)| row.run.parent.as_ref());
        let parents: BTreeSet<&RunId> = parents.map(|parent| &parent.run).collect();
        let asked = state
            .rows
            .iter()
            .enumerate()
            .filter(|(no, _)| state.is_there(*no))
            .map(|(_, row)| &row.run)
            .filter(|run| matches(query, run, &parents));
        let mut found: Vec<(Cursor, &Run)> = asked.map(|run| (place(run), run)).collect();
        found.retain(|(at, _)| after.as_ref().is_none_or(|after| at < after));
        found.sort_by(|(one, _), (other, _)| other.cmp(one));
        let more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| more).map(|(at, _)| at.to_text());
        let runs = found
            .into_iter()
            .map(|(_, run)| without_payloads(run))
            .collect();
        Ok(RunPage { runs, next })
    }

    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError> {
        let state = self.lock();
        let history = state.row(run).into_iter().flat_map(|row| &row.history);
        Ok(history
            .filter(|checkpoint| checkpoint.rev > rev)
            .cloned()
            .collect())
    }

    async fn open_operations(
        &self,
        runs: &[RunId],
    ) -> Result<Vec<(RunId, Checkpoint)>, StoreError> {
        let state = self.lock();
        let open = runs.iter().flat_map(|run| {
            let history = state.row(run).into_iter().flat_map(|row| &row.history);
            let open = history.filter(|checkpoint| checkpoint.status.is_open());
            open.map(|checkpoint| (run.clone(), checkpoint.clone()))
        });
        Ok(open.collect())
    }

    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        Ok(self
            .lock()
            .row(run)
            .and_then(|row| row.published.get(key).cloned()))
    }

    async fn live_flows(&self, query: &FlowQuery) -> Result<LiveFlows, StoreError> {
        let state = self.lock();
        let there = state.rows.iter().enumerate();
        let there = there.filter(|(no, _)| state.is_there(*no));
        let mut runs: Vec<&Run> = there.map(|(_, row)| &row.run).collect();
        runs.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        Ok(LiveFlows::of(runs.into_iter(), query))
    }

    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        let state = self.lock();
        let rows = state
            .held(instance)
            .into_iter()
            .filter_map(|no| state.rows.get(no));
        Ok(rows.map(|row| row.run.id.clone()).collect())
    }

    async fn instances(&self) -> Result<Vec<InstanceRow>, StoreError> {
        let state = self.lock();
        // Ids begin with the time at which they were made.
        let rows = state.instances.iter().map(|(id, known)| {
            let mut row = InstanceRow::new(id.clone(), known.lease_until);
            if let Some((at, report)) = &known.report {
                row.reported_at = Some(*at);
                row.report = Some(report.clone());
            }
            row.runs = u64::try_from(state.held(id).len()).unwrap_or(u64::MAX);
            row
        });
        Ok(rows.collect())
    }
}

fn place(run: &Run) -> Cursor {
    Cursor {
        created_at: run.created_at,
        id: run.id.clone(),
    }
}

fn matches(query: &RunQuery, run: &Run, parents: &BTreeSet<&RunId>) -> bool {
    (query.statuses.is_empty() || query.statuses.contains(&run.status))
        && query
            .workflow
            .as_ref()
            .is_none_or(|name| *name == run.workflow.name)
        && query
            .parent
            .as_ref()
            .is_none_or(|parent| run.parent.as_ref().is_some_and(|it| it.run == *parent))
        && query.tag.as_ref().is_none_or(|tag| run.tags.contains(tag))
        && query
            .attributes
            .iter()
            .all(|filter| filter.matches(&run.attributes))
        && query
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == run.namespace)
        && query
            .id_prefix
            .as_ref()
            .is_none_or(|prefix| run.id.as_str().starts_with(&**prefix))
        && query.since.is_none_or(|since| run.created_at >= since)
        && query.until.is_none_or(|until| run.created_at <= until)
        && !query.except.workflows.contains(&run.workflow.name)
        && !query.except.namespaces.contains(&run.namespace)
        && !query.except.tags.iter().any(|tag| run.tags.contains(tag))
        && query
            .has_parent
            .is_none_or(|has| has == run.parent.is_some())
        && query
            .has_children
            .is_none_or(|has| has == parents.contains(&run.id))
}

fn without_payloads(run: &Run) -> Run {
    Run {
        input: Payload::default(),
        output: None,
        ..run.clone()
    }
}
