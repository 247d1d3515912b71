//! Starting a run inside a transaction of the host.

use sea_orm::{ConnectionTrait, DbErr, ExecResult, Statement, Value};

use super::error::backend;
use super::store::SqlStore;
use crate::model::{NewRun, RunStatus};
use crate::store::commit::StartAck;
use crate::store::error::StoreError;
use crate::time::Timestamp;

/// Stores the run; does nothing if its id exists. Index: `id`.
const INSERT: &str = "
INSERT INTO durable_runs (id, workflow, version, status, token, owner, wake_at, wakes, seen_wakes,
    recoveries, rev, created_at, updated_at, tags)
VALUES ($1, $2, $3, 'pending', $4 IS NOT NULL, $4, $5, 0, 0, 0, 0, $6, $6, $7)
ON CONFLICT (id) DO NOTHING";
/// Stores the input of the run. Index: `id`.
const INPUT: &str = "
INSERT INTO durable_inputs (run_no, payload) SELECT no, $2 FROM durable_runs WHERE id = $1";
/// Makes the run findable by its tags. Index: `id`.
const TAGS: &str = "
INSERT OR IGNORE INTO durable_tags (tag, run_no)
SELECT t.value, r.no FROM durable_runs r CROSS JOIN json_each(r.tags) t WHERE r.id = $1";
/// Where a run stands. Index: `id`.
const STATUS: &str = "SELECT status FROM durable_runs WHERE id = $1";

impl SqlStore {
    /// Starts a run inside the caller's own transaction: it begins if and when that one commits.
    ///
    /// `connection` is a transaction of [`connection`](Self::connection), or of any other
    /// connection to the same database. Nobody is told of the run; the next claim finds it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`]; the transaction should be rolled back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a part of the run in the transaction, which must be rolled back.
    pub async fn start_in<C: ConnectionTrait>(
        connection: &C,
        run: &NewRun,
        now: Timestamp,
    ) -> Result<StartAck, StoreError> {
        let failed = |error: DbErr| backend("start a run", error);
        let id = || Value::from(run.id.as_str());
        let now = now.as_millis();
        let mut tags = run.tags.clone();
        tags.sort();
        tags.dedup();
        let tags = (!tags.is_empty())
            .then(|| serde_json::to_string(&tags))
            .transpose();
        let tags = tags.map_err(|error| backend("start a run", error))?;
        let values = [
            id(),
            (&*run.workflow.name).into(),
            run.workflow.version.into(),
            run.owner.as_ref().map(ToString::to_string).into(),
            run.due_at.as_millis().into(),
            now.into(),
            tags.into(),
        ];
        let inserted = execute(connection, INSERT, values).await.map_err(failed)?;
        if inserted.rows_affected() == 0 {
            let row = connection
                .query_one_raw(statement(connection, STATUS, [id()]))
                .await;
            let word = row
                .map_err(failed)?
                .map(|row| row.try_get_by_index::<String>(0));
            let status = word
                .transpose()
                .map_err(failed)?
                .and_then(|word| word.parse().ok());
            let status = status.unwrap_or(RunStatus::Running);
            return Ok(StartAck::Existing { status });
        }
        let input = run.input.as_bytes().to_vec();
        execute(connection, INPUT, [id(), input.into()])
            .await
            .map_err(failed)?;
        execute(connection, TAGS, [id()]).await.map_err(failed)?;
        Ok(StartAck::Created)
    }
}

async fn execute<C: ConnectionTrait, const N: usize>(
    connection: &C,
    text: &'static str,
    values: [Value; N],
) -> Result<ExecResult, DbErr> {
    connection
        .execute_raw(statement(connection, text, values))
        .await
}

fn statement<C: ConnectionTrait, const N: usize>(
    connection: &C,
    text: &'static str,
    values: [Value; N],
) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), text, values)
}
