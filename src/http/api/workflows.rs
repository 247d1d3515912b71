//! What can be run here.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::described::WorkflowView;
use super::params::{ApiPath, ApiQuery, RehearsalParams, View};
use crate::control::{Control, Drift, Fit, Rehearsed};
use crate::durable::Durable;
use crate::http::failure::unknown_workflow;
use crate::http::problem::Problem;
use crate::store::StoreError;

/// Runs that are rehearsed unless asked otherwise: some ten milliseconds of a processor.
const REHEARSED: usize = 20;

/// The workflows that this process has registered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkflowList {
    /// The workflows, by name.
    workflows: Vec<WorkflowView>,
    /// Whether all runs that have not ended were counted: no more than 10,000 are, those that were
    /// begun first. `null` if the store was too slow to count them.
    is_complete: Option<bool>,
}

/// Lists the workflows that this process has registered, and how their runs that have not ended
/// compare with the code that is here.
#[utoipa::path(
    get,
    path = "/workflows",
    operation_id = "list_workflows",
    tag = "workflows",
    responses((status = 200, description = "The workflows.", body = WorkflowList))
)]
pub(super) async fn list(
    durable: Durable,
    View(control): View,
) -> Result<Json<WorkflowList>, Problem> {
    let drift = drift(&control).await?;
    let registry = durable.engine().registry();
    Ok(Json(WorkflowList {
        workflows: WorkflowView::list(registry.workflows(), drift.as_ref()),
        is_complete: drift.map(|drift| drift.is_complete),
    }))
}

/// Shows a workflow that this process has registered: the flow of each version, and the schemas of
/// what goes in, comes out and arrives on the way.
#[utoipa::path(
    get,
    path = "/workflows/{name}",
    operation_id = "get_workflow",
    tag = "workflows",
    params(("name" = String, Path, description = "The workflow's name.")),
    responses(
        (status = 200, description = "The workflow.", body = WorkflowView),
        (status = 404, description = "No such workflow.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    durable: Durable,
    View(control): View,
    ApiPath(name): ApiPath<String>,
) -> Result<Json<WorkflowView>, Problem> {
    let registry = durable.engine().registry();
    let drift = drift(&control).await?;
    let entries = registry.workflows().filter(|it| *it.key.name == *name);
    let found = WorkflowView::list(entries, drift.as_ref()).pop();
    found.map(Json).ok_or_else(|| unknown_workflow(&name, None))
}

/// How runs compare with the code that is here; `None` if the store was too slow to count them:
/// what is registered is known all the same.
async fn drift(control: &Control) -> Result<Option<Drift>, Problem> {
    match control.drift().await {
        Ok(drift) => Ok(Some(drift)),
        Err(StoreError::TooSlow { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Runs that have not ended, replayed with the code that is here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RehearsalList {
    /// The runs: those of another flow first, then those of an unknown one, the oldest of each.
    runs: Vec<RehearsalView>,
    /// Whether these are all runs of the workflow that have not ended.
    is_complete: bool,
}

/// What the code that is here does with the history of a run.
#[derive(Debug, Serialize, ToSchema)]
struct RehearsalView {
    /// The run.
    run_id: String,
    /// The version that it needs.
    version: u32,
    /// The flow that it was begun under.
    begun_under: Option<String>,
    /// Whether that is the flow of the code here; `null` if that is not known.
    is_same_flow: Option<bool>,
    /// `fits`, `diverges`, `panics`, or `unreadable`.
    outcome: &'static str,
    /// Both sides of the difference, or what the panic said.
    difference: Option<String>,
    /// What a run that fits waits for or would begin, each as position, kind and name.
    waits_for: Vec<String>,
}

impl From<Rehearsed> for RehearsalView {
    fn from(rehearsed: Rehearsed) -> Self {
        let (outcome, difference, waits_for) = match rehearsed.outcome {
            Fit::Fits(waits_for) => ("fits", None, waits_for),
            Fit::Diverges(failure) => ("diverges", Some(failure.message), Vec::new()),
            Fit::Panics(failure) => ("panics", Some(failure.message), Vec::new()),
            Fit::Unreadable => ("unreadable", None, Vec::new()),
        };
        Self {
            run_id: rehearsed.run.to_string(),
            version: rehearsed.workflow.version,
            begun_under: rehearsed.begun_under.map(|it| it.to_string()),
            is_same_flow: rehearsed.is_same_flow,
            outcome,
            difference,
            waits_for,
        }
    }
}

/// Replays runs of a workflow that have not ended with the code that is here. Nothing is executed
/// and nothing changes.
#[utoipa::path(
    get,
    path = "/workflows/{name}/rehearsal",
    operation_id = "rehearse_workflow",
    tag = "workflows",
    params(("name" = String, Path, description = "The workflow's name."), RehearsalParams),
    responses(
        (status = 200, description = "The runs.", body = RehearsalList),
        (status = 404, description = "No such workflow.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn rehearse(
    durable: Durable,
    View(control): View,
    ApiPath(name): ApiPath<String>,
    ApiQuery(params): ApiQuery<RehearsalParams>,
) -> Result<Json<RehearsalList>, Problem> {
    if durable.engine().registry().newest(&name).is_none() {
        return Err(unknown_workflow(&name, None));
    }
    let limit = params.limit.unwrap_or(REHEARSED);
    let rehearsals = control.rehearse(&name, limit).await?;
    Ok(Json(RehearsalList {
        runs: rehearsals.runs.into_iter().map(Into::into).collect(),
        is_complete: rehearsals.is_complete,
    }))
}
