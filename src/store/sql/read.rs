//! Reading, on connections that cannot write.

use async_trait::async_trait;
use sea_orm::QueryResult;

use super::error::backend;
use super::record;
use super::statements::{CHANGED_SINCE, HELD, LIST, LOAD, PUBLISHED, RUN};
use super::store::SqlStore;
use crate::driver::sql::{Args, Script, Sets};
use crate::id::{InstanceId, RunId};
use crate::model::{Checkpoint, Run, RunPage, RunQuery};
use crate::payload::Payload;
use crate::store::cursor::Cursor;
use crate::store::error::StoreError;
use crate::store::read::{ReadStore, RunRecord};

#[async_trait]
impl ReadStore for SqlStore {
    async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let sets = self
            .query("load a run", LOAD, Args::new().with(run.to_string()))
            .await?;
        let Some(row) = sets.first(1) else {
            return Ok(None);
        };
        let history = all(sets.rows(2), record::checkpoint)?;
        let inbox = all(sets.rows(3), record::item)?;
        Ok(Some(RunRecord::new(
            record::run_with_input(row)?,
            history,
            inbox,
        )))
    }

    async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError> {
        let sets = self
            .query("read a run", RUN, Args::new().with(run.to_string()))
            .await?;
        sets.first(0).map(record::run_with_input).transpose()
    }

    async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let size = query.page_size();
        let mut text = LIST.to_owned();
        let mut args = Args::new();
        let mut placeholders = 0;
        let mut next = || {
            placeholders += 1;
            format!("${placeholders}")
        };
        if !query.statuses.is_empty() {
            let words = query.statuses.iter().map(|status| format!("'{status}'"));
            text += &format!(" AND status IN ({})", words.collect::<Vec<_>>().join(", "));
        }
        if let Some(workflow) = &query.workflow {
            text += &format!(" AND workflow = {}", next());
            args = args.with(workflow.to_string());
        }
        if let Some(tag) = &query.tag {
            let tag_is = next();
            text += &format!(
                " AND EXISTS (SELECT 1 FROM durable_tags t WHERE t.tag = {tag_is} AND t.run_no = no)"
            );
            args = args.with(tag.to_string());
        }
        if let Some(after) = query.after.as_deref().map(Cursor::parse).transpose()? {
            text += &format!(" AND (created_at, id) < ({}, {})", next(), next());
            args = args
                .with(after.created_at.as_millis())
                .with(after.id.to_string());
        }
        // One more than a page tells whether there is a next one.
        text += &format!(" ORDER BY created_at DESC, id DESC LIMIT {}", size + 1);
        let sets = self.query("list runs", text, args).await?;
        page(all(sets.rows(0), record::run_with_input)?, size)
    }

    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError> {
        let rev = i64::try_from(rev).unwrap_or(i64::MAX);
        let args = Args::new().with(run.to_string()).with(rev);
        let sets = self.query("read checkpoints", CHANGED_SINCE, args).await?;
        all(sets.rows(0), record::checkpoint)
    }

    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        let args = Args::new().with(run.to_string()).with(key.to_owned());
        let sets = self
            .query("read a published value", PUBLISHED, args)
            .await?;
        Ok(sets
            .first(0)
            .map(|row| record::payload(row, 0))
            .transpose()?
            .flatten())
    }

    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        let args = Args::new().with(instance.to_string());
        let sets = self.query("list held runs", HELD, args).await?;
        all(sets.rows(0), |row| record::run_id(row, 0))
    }
}

impl SqlStore {
    /// Runs a script that only reads.
    pub(super) async fn query(
        &self,
        operation: &'static str,
        script: impl Into<Script> + Send,
        args: Args,
    ) -> Result<Sets, StoreError> {
        let mut session = self.read(operation).await?;
        let sets = session
            .run(script, args)
            .await
            .map_err(|error| backend(operation, error))?;
        session.finish();
        Ok(sets)
    }
}

/// Reads every row.
pub(super) fn all<T>(
    rows: &[QueryResult],
    read: impl Fn(&QueryResult) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}

fn page(mut runs: Vec<Run>, size: u32) -> Result<RunPage, StoreError> {
    let size = usize::try_from(size).map_err(|error| backend("list runs", error))?;
    let has_more = runs.len() > size;
    runs.truncate(size);
    let next = runs.last().filter(|_| has_more).map(|run| {
        let (created_at, id) = (run.created_at, run.id.clone());
        Cursor { created_at, id }.to_text()
    });
    Ok(RunPage { runs, next })
}
