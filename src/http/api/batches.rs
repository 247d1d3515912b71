//! Retrying, cancelling, pausing or resuming many runs: first counted, then done in the background.
//!
//! A batch lives in the process that was asked. If that ends, what was done is done, and the rest
//! is not; the list tells which.

use std::{collections::VecDeque, sync::Arc};

use axum::{Extension, Json, http::StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    body::{ApiJson, audit, by},
    params::{ApiPath, ListParams, View},
};
use crate::control::Control;
use crate::durable::{Durable, Error};
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::model::{By, Run, RunQuery, RunStatus};

/// Batches that are remembered.
const KEPT: usize = 50;

/// The most runs of a batch. Who wants more sends the next one.
const MOST_RUNS: usize = 10_000;

/// Refusals that are listed; beyond it they are counted only.
const MOST_REFUSALS: usize = 100;

/// What a batch does to each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum BatchAction {
    /// Lets it continue where it stands.
    Retry,
    /// Asks it to end.
    Cancel,
    /// Holds it until it is resumed.
    Pause,
    /// Lets a paused one go on.
    Resume,
}

impl BatchAction {
    const fn takes(self, status: RunStatus) -> bool {
        match self {
            Self::Retry => {
                matches!(status, RunStatus::Blocked)
                    || status.is_terminal() && !matches!(status, RunStatus::Completed)
            }
            Self::Cancel => !status.is_terminal() && !matches!(status, RunStatus::Cancelling),
            Self::Pause => matches!(
                status,
                RunStatus::Pending | RunStatus::Running | RunStatus::Suspended
            ),
            Self::Resume => matches!(status, RunStatus::Paused),
        }
    }
}

/// What to do with which runs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchBody {
    /// What to do.
    action: BatchAction,
    /// Whether each run undoes what it has done before it ends; only to cancel. Default: no.
    #[serde(default)]
    compensate: bool,
    /// A search as people type it, such as `is:waiting newer:2h`.
    #[serde(default)]
    q: Option<String>,
    /// Only these statuses, separated by commas. Default: any.
    #[serde(default)]
    status: Option<String>,
    /// Only runs of this workflow.
    #[serde(default)]
    workflow: Option<String>,
    /// Only runs with this tag.
    #[serde(default)]
    tag: Option<String>,
    /// Only runs with such search attributes, each as `key:op:value`.
    #[serde(default)]
    attr: Vec<String>,
    /// Only runs of this namespace.
    #[serde(default)]
    namespace: Option<String>,
    /// Only the children of this run.
    #[serde(default)]
    parent: Option<String>,
    /// Only runs whose id begins so.
    #[serde(default)]
    id_prefix: Option<String>,
    /// Only runs that were started then or later, in milliseconds since 1970.
    #[serde(default)]
    since: Option<i64>,
    /// Only runs that were started then or earlier.
    #[serde(default)]
    until: Option<i64>,
    /// Only these runs, whatever else is said.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// Only counts what would be done.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// How a batch stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct BatchView {
    /// Its id; absent for a dry run.
    id: Option<String>,
    /// What it does.
    action: BatchAction,
    /// Whether what the runs have done is undone first.
    compensate: bool,
    /// `counted` for a dry run, else `running`, `done` or `aborted`.
    state: &'static str,
    /// Runs that match.
    matching: usize,
    /// Whether no more match than a batch takes at once.
    is_complete: bool,
    /// Runs that the action can be taken on.
    eligible: usize,
    /// Runs that it was taken on.
    taken: usize,
    /// Runs that refused meanwhile.
    refused: usize,
    /// Some of them.
    refusals: Vec<Refusal>,
    /// When it was asked for.
    at: i64,
}

/// A run that refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Refusal {
    /// The run.
    run_id: String,
    /// Why.
    reason: String,
}

/// The batches that this process remembers, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchList {
    /// The batches.
    batches: Vec<BatchView>,
}

/// The batches of a process. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Batches {
    kept: Arc<Mutex<VecDeque<BatchView>>>,
}

impl Batches {
    fn begin(&self, batch: BatchView) {
        let mut kept = self.kept.lock();
        kept.push_front(batch);
        kept.truncate(KEPT);
    }

    fn find(&self, id: &str) -> Option<BatchView> {
        let kept = self.kept.lock();
        kept.iter().find(|it| it.id.as_deref() == Some(id)).cloned()
    }

    /// Changes a batch; `None` if it is not remembered.
    fn update<T>(&self, id: &str, change: impl FnOnce(&mut BatchView) -> T) -> Option<T> {
        let mut kept = self.kept.lock();
        let batch = kept.iter_mut().find(|it| it.id.as_deref() == Some(id));
        batch.map(change)
    }
}

/// Retries, cancels, pauses or resumes many runs, in the background; with `dry_run`, only counts them.
#[utoipa::path(
    post,
    path = "/batches",
    operation_id = "create_batch",
    tag = "actions",
    request_body = BatchBody,
    responses(
        (status = 200, description = "What would be done.", body = BatchView),
        (status = 202, description = "The batch has begun.", body = BatchView),
        (status = 400, description = "The body is no JSON, or a filter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    durable: Durable,
    View(control): View,
    access: Access,
    Extension(batches): Extension<Batches>,
    ApiJson(body): ApiJson<BatchBody>,
) -> Result<(StatusCode, Json<BatchView>), Problem> {
    let action = body.action;
    if body.compensate && action != BatchAction::Cancel {
        let detail = "`compensate` goes with `cancel`: nothing else undoes what runs have done";
        return Err(Problem::bad_request(detail));
    }
    let (runs, is_complete) = matching(&control, &body).await?;
    let eligible = runs.iter().filter(|run| action.takes(run.status));
    let eligible: Vec<_> = eligible.map(|run| run.id.clone()).collect();
    let mut batch = BatchView {
        id: None,
        action,
        compensate: body.compensate,
        state: "counted",
        matching: runs.len(),
        is_complete,
        eligible: eligible.len(),
        taken: 0,
        refused: 0,
        refusals: Vec::new(),
        at: durable.engine().clock().now().as_millis(),
    };
    if body.dry_run {
        return Ok((StatusCode::OK, Json(batch)));
    }
    let id = Uuid::now_v7().to_string();
    batch.id = Some(id.clone());
    batch.state = "running";
    batches.begin(batch.clone());
    let word = match action {
        BatchAction::Retry => "batch-retry",
        BatchAction::Cancel if body.compensate => "batch-cancel-compensate",
        BatchAction::Cancel => "batch-cancel",
        BatchAction::Pause => "batch-pause",
        BatchAction::Resume => "batch-resume",
    };
    audit(&access, word, &id, body.reason.as_deref());
    let tasks = durable.engine().tasks().clone();
    let by = by(&access, body.reason.as_deref());
    let task = Task {
        action,
        compensate: body.compensate,
        by,
    };
    tasks.spawn(work(durable, batches, id, task, eligible));
    Ok((StatusCode::ACCEPTED, Json(batch)))
}

/// The runs that a batch is about, without inputs, and whether these are all.
async fn matching(control: &Control, body: &BatchBody) -> Result<(Vec<Run>, bool), Problem> {
    let mut runs = Vec::new();
    if let Some(ids) = &body.ids {
        if ids.len() > MOST_RUNS {
            let detail = format!("`ids` are more than {MOST_RUNS}");
            return Err(Problem::bad_request(detail));
        }
        for id in ids {
            runs.extend(control.run(&RunId::parse(id.as_str())?).await?);
        }
        return Ok((runs, true));
    }
    let asked = ListParams {
        q: body.q.clone(),
        status: body.status.clone(),
        workflow: body.workflow.clone(),
        tag: body.tag.clone(),
        attr: body.attr.clone(),
        namespace: body.namespace.clone(),
        parent: body.parent.clone(),
        id_prefix: body.id_prefix.clone(),
        since: body.since,
        until: body.until,
        ..ListParams::default()
    };
    // A search is read once: its spans of time mean the same on each page.
    let mut query = asked.into_query(control.engine().clock().now())?;
    query.limit = RunQuery::MAX_LIMIT;
    loop {
        let page = control.list(&query).await?;
        runs.extend(page.runs);
        if page.next.is_none() || runs.len() >= MOST_RUNS {
            return Ok((runs, page.next.is_none()));
        }
        query.after = page.next;
    }
}

/// What is done to each run.
struct Task {
    action: BatchAction,
    compensate: bool,
    by: By,
}

impl Task {
    async fn take(&self, durable: &Durable, run: &str) -> Result<(), Error> {
        let by = self.by.clone();
        match self.action {
            BatchAction::Retry => durable.requeue(run).on_behalf(by).await,
            BatchAction::Cancel if self.compensate => {
                let cancel = durable.cancel(run).on_behalf(by).compensate();
                cancel.await.map(drop)
            }
            BatchAction::Cancel => durable.cancel(run).on_behalf(by).await.map(drop),
            BatchAction::Pause => durable.pause(run).on_behalf(by).await.map(drop),
            BatchAction::Resume => durable.resume(run).on_behalf(by).await,
        }
    }
}

async fn work(durable: Durable, batches: Batches, id: String, task: Task, runs: Vec<RunId>) {
    let stopping = durable.engine().stopping().clone();
    for run in runs {
        let goes_on = batches.update(&id, |batch| batch.state == "running");
        if goes_on != Some(true) || stopping.is_cancelled() {
            return;
        }
        let done = task.take(&durable, run.as_str()).await;
        batches.update(&id, |batch| match done {
            Ok(()) => batch.taken += 1,
            Err(error) => {
                batch.refused += 1;
                if batch.refusals.len() < MOST_REFUSALS {
                    batch.refusals.push(Refusal {
                        run_id: run.to_string(),
                        reason: Problem::from(error).detail,
                    });
                }
            }
        });
    }
    batches.update(&id, |batch| batch.state = "done");
}

/// Lists the batches that this process remembers.
#[utoipa::path(
    get,
    path = "/batches",
    operation_id = "list_batches",
    tag = "actions",
    responses((status = 200, description = "The batches, newest first.", body = BatchList))
)]
pub(super) async fn list(Extension(batches): Extension<Batches>) -> Json<BatchList> {
    let batches = batches.kept.lock().iter().cloned().collect();
    Json(BatchList { batches })
}

/// Shows how a batch stands.
#[utoipa::path(
    get,
    path = "/batches/{id}",
    operation_id = "get_batch",
    tag = "actions",
    params(("id" = String, Path, description = "The batch's id.")),
    responses(
        (status = 200, description = "The batch.", body = BatchView),
        (status = 404, description = "This process remembers no such batch.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    Extension(batches): Extension<Batches>,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<BatchView>, Problem> {
    batches.find(&id).map(Json).ok_or_else(|| unknown(&id))
}

/// Stops a batch. What it has done stays done.
#[utoipa::path(
    delete,
    path = "/batches/{id}",
    operation_id = "abort_batch",
    tag = "actions",
    params(("id" = String, Path, description = "The batch's id.")),
    responses(
        (status = 200, description = "The batch.", body = BatchView),
        (status = 404, description = "This process remembers no such batch.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn abort(
    access: Access,
    Extension(batches): Extension<Batches>,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<BatchView>, Problem> {
    let batch = batches.update(&id, |batch| {
        if batch.state == "running" {
            batch.state = "aborted";
        }
        batch.clone()
    });
    let batch = batch.ok_or_else(|| unknown(&id))?;
    audit(&access, "batch-abort", &id, None);
    Ok(Json(batch))
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("this process remembers no batch `{id}`"))
}
