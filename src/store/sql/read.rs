//! Reading, on connections that cannot write.

use async_trait::async_trait;
use sea_orm::QueryResult;

use super::attributes;
use super::record;
use super::statements::sqlite::{self, COMMIT};
use super::store::SqlStore;
use crate::driver::sql::{Args, Dialect, Script, Sets};
use crate::id::{InstanceId, RunId};
use crate::model::{
    Checkpoint, DEFAULT_NAMESPACE, FlowQuery, InstanceRow, LiveFlows, Run, RunPage, RunQuery,
    RunStatus,
};
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
        let size = query.page_size();
        let mut text = self.texts().read.list.to_owned();
        let mut args = Args::new();
        let mut placeholders = 0;
        let mut next = || {
            placeholders += 1;
            format!("${placeholders}")
        };
        if !query.statuses.is_empty() {
            let words = query.statuses.iter().map(|status| format!("'{status}'"));
            text += &format!(" AND status IN ({})", words.collect::<Vec<_>>().join(", "));
            if !query.statuses.contains(&RunStatus::Completed) {
                // It follows from the statuses, and leads to the index of what has not completed.
                text += " AND output IS NULL";
            }
        }
        if let Some(workflow) = &query.workflow {
            // MySQL's text names the index that gives the order; of one workflow it is this one.
            text = text.replace("durable_runs_newest", "durable_runs_of");
            text += &format!(" AND workflow = {}", next());
            args = args.with(workflow.to_string());
        }
        if let Some(parent) = &query.parent {
            text += &format!(" AND parent = {}", next());
            args = args.with(parent.to_string());
        }
        let labels;
        (labels, args) = of_labels(query, args, &mut next);
        text += &labels;
        if let Some(prefix) = &query.id_prefix {
            // A range, which the index of the ids serves; no id holds the last character.
            text += &format!(" AND id >= {} AND id < {}", next(), next());
            args = args
                .with(prefix.to_string())
                .with(format!("{prefix}{}", char::MAX));
        }
        if let Some(since) = query.since {
            text += &format!(" AND created_at >= {}", next());
            args = args.with(since.as_millis());
        }
        if let Some(until) = query.until {
            text += &format!(" AND created_at <= {}", next());
            args = args.with(until.as_millis());
        }
        if let Some(after) = query.after.as_deref().map(Cursor::parse).transpose()? {
            let (time, id) = (next(), next());
            // The first condition is part of the second one. MySQL needs it to begin in the middle
            // of the index.
            text += &format!(" AND created_at <= {time} AND (created_at, id) < ({time}, {id})");
            args = args
                .with(after.created_at.as_millis())
                .with(after.id.to_string());
        }
        // One more than a page tells whether there is a next one.
        text += &format!(" ORDER BY created_at DESC, id DESC LIMIT {}", size + 1);
        let sets = self.query("list runs", text, &args).await?;
        page(all(sets.rows(0), record::run_with_input)?, size)
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

/// The conditions on what runs are found by: tag, search attributes, namespace.
fn of_labels<'a>(
    query: &RunQuery,
    mut args: Args<'a>,
    next: &mut impl FnMut() -> String,
) -> (String, Args<'a>) {
    let mut text = String::new();
    if let Some(tag) = &query.tag {
        let tag_is = next();
        text += &format!(
            " AND EXISTS (SELECT 1 FROM durable_tags t WHERE t.tag = {tag_is} AND t.run_no = r.no)"
        );
        args = args.with(tag.to_string());
    }
    for filter in &query.attributes {
        let condition;
        (condition, args) = attributes::condition(filter, args, next);
        text += &condition;
    }
    if let Some(namespace) = &query.namespace {
        text += &format!(" AND namespace = {}", next());
        args = args.with(namespace.to_string());
        if &**namespace != DEFAULT_NAMESPACE {
            // It follows, and leads to the index of the others.
            text += " AND namespace <> 'default'";
        }
    }
    (text, args)
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
