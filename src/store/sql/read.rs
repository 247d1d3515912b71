//! Reading, on connections that cannot write.

use async_trait::async_trait;
use sea_orm::QueryResult;

use super::record;
use super::statements::sqlite::{self, COMMIT};
use super::store::SqlStore;
use crate::driver::sql::{Args, Dialect, Script, Sets};
use crate::id::{InstanceId, RunId};
use crate::model::{Checkpoint, FlowQuery, InstanceRow, LiveFlows, Run, RunPage, RunQuery};
use crate::payload::Payload;
use crate::store::cursor::Cursor;
use crate::store::error::StoreError;
use crate::store::read::{ReadStore, RunRecord};

/// The column behind those of a checkpoint.
const RUN_ID_AFTER_CHECKPOINT: usize = 15;

#[async_trait]
impl ReadStore for SqlStore {
    async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let sets = self
            .snapshot(
                "load a run",
                self.texts().read.load,
                &Args::new().with(run.as_str()),
            )
            .await?;
        let Some(row) = sets.first(0) else {
            return Ok(None);
        };
        let history = all(sets.rows(1), record::checkpoint)?;
        let inbox = all(sets.rows(2), record::item)?;
        Ok(Some(RunRecord::new(
            record::run_with_input(row)?,
            history,
            inbox,
        )))
    }

    async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError> {
        let sets = self
            .query(
                "read a run",
                self.texts().read.run,
                &Args::new().with(run.as_str()),
            )
            .await?;
        sets.first(0).map(record::run_with_input).transpose()
    }

    async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let (text, args) = self.listing(query).await?;
        let sets = self.query("list runs", text, &args).await?;
        page(
            all(sets.rows(0), record::run_with_input)?,
            query.page_size(),
        )
    }

    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError> {
        let rev = i64::try_from(rev).unwrap_or(i64::MAX);
        let args = Args::new().with(run.as_str()).with(rev);
        let text = self.texts().read.changed_since;
        let sets = self.query("read checkpoints", text, &args).await?;
        all(sets.rows(0), record::checkpoint)
    }

    async fn open_operations(
        &self,
        runs: &[RunId],
    ) -> Result<Vec<(RunId, Checkpoint)>, StoreError> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<_> = (1..=runs.len()).map(|place| format!("${place}")).collect();
        let open = self.texts().read.open_operations;
        let text = format!(
            "{open} AND r.id IN ({}) ORDER BY c.run_no, c.seq",
            places.join(", ")
        );
        let args = runs
            .iter()
            .fold(Args::new(), |args, run| args.with(run.as_str()));
        let sets = self.query("read open operations", text, &args).await?;
        all(sets.rows(0), |row| {
            let run = record::run_id(row, RUN_ID_AFTER_CHECKPOINT)?;
            Ok((run, record::checkpoint(row)?))
        })
    }

    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError> {
        let args = Args::new().with(run.as_str()).with(key);
        let text = self.texts().read.published;
        let sets = self.query("read a published value", text, &args).await?;
        Ok(sets
            .first(0)
            .map(|row| record::payload(row, 0))
            .transpose()?
            .flatten())
    }

    async fn live_flows(&self, query: &FlowQuery) -> Result<LiveFlows, StoreError> {
        self.read_flows(query).await
    }

    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError> {
        let args = Args::new().with(instance.as_str());
        let sets = self
            .query("list held runs", self.texts().read.held, &args)
            .await?;
        all(sets.rows(0), |row| record::run_id(row, 0))
    }

    async fn instances(&self) -> Result<Vec<InstanceRow>, StoreError> {
        let text = self.texts().read.instances;
        let sets = self.query("list instances", text, &Args::new()).await?;
        all(sets.rows(0), record::instance)
    }
}

impl SqlStore {
    /// Runs a script that only reads.
    pub(super) async fn query(
        &self,
        operation: &'static str,
        script: impl Into<Script> + Send,
        args: &Args<'_>,
    ) -> Result<Sets, StoreError> {
        let mut session = self.read(operation).await?;
        let failed = |error| self.failed(operation, error);
        let limit = self.local_limit();
        if let Some(limit) = &limit {
            let begin = format!("BEGIN READ ONLY{limit}");
            session.plain(begin).await.map_err(failed)?;
        }
        let sets = session.run(script, args).await.map_err(failed)?;
        if limit.is_some() {
            session.plain(COMMIT.to_owned()).await.map_err(failed)?;
        }
        session.finish();
        Ok(sets)
    }

    /// Runs statements that see one moment.
    async fn snapshot(
        &self,
        operation: &'static str,
        texts: &'static [&'static str],
        args: &Args<'_>,
    ) -> Result<Sets, StoreError> {
        let mut session = self.read(operation).await?;
        let failed = |error| self.failed(operation, error);
        if session.is_scripted() {
            let script = [&[sqlite::BEGIN_READ], texts, &[COMMIT]].concat();
            let sets = session.run(script, args).await.map_err(failed)?;
            session.finish();
            return Ok(sets.without_first());
        }
        let begin = match session.dialect() {
            Dialect::Sqlite => sqlite::BEGIN_READ,
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Dialect::MySql => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            }
        };
        let begin = begin.to_owned() + &self.local_limit().unwrap_or_default();
        session.plain(begin).await.map_err(failed)?;
        let sets = session.run(texts, args).await.map_err(failed)?;
        session.plain(COMMIT.to_owned()).await.map_err(failed)?;
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
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = runs.len() > size;
    runs.truncate(size);
    let next = runs.last().filter(|_| has_more).map(|run| {
        let (created_at, id) = (run.created_at, run.id.clone());
        Cursor { created_at, id }.to_text()
    });
    Ok(RunPage { runs, next })
}
