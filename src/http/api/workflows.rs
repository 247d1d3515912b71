//! What can be run here.

use axum::Json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::params::{ApiPath, ApiQuery, RehearsalParams, View};
use crate::control::{Drift, Fit, Rehearsed, VersionDrift};
use crate::durable::Durable;
use crate::http::failure::unknown_workflow;
use crate::http::problem::Problem;
use crate::registry::WorkflowEntry;
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

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
struct WorkflowView {
    /// Its name.
    name: String,
    /// Its versions, oldest first.
    versions: Vec<VersionView>,
}

/// One version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
struct VersionView {
    /// Its number.
    version: u32,
    /// Tags of each of its runs.
    tags: &'static [&'static str],
    /// Events that start runs of it; each may be narrowed by what its payload holds.
    on_events: Vec<String>,
    /// A number for its flow, as 16 hex digits; `null` if it was made without `#[workflow]`.
    fingerprint: Option<String>,
    /// Its runs that have not ended; `null` if the store was too slow to count them.
    runs: Option<DriftView>,
    /// The shape of its body: file, line and nodes.
    #[schema(value_type = Object)]
    outline: Value,
    /// The JSON Schema of its runs' search attributes, if it declares one.
    #[schema(value_type = Option<Object>)]
    attributes_schema: Option<Value>,
    /// The JSON Schema of its input.
    input_schema: Value,
    /// The JSON Schema of its output.
    output_schema: Value,
}

/// The runs of a version that have not ended, by the flow that they were begun under.
#[derive(Debug, Serialize, ToSchema)]
struct DriftView {
    /// How many there are.
    live: u64,
    /// How many were begun under another flow than the one here: they may diverge. The rehearsal
    /// tells.
    other_flow: u64,
    /// How many of them cannot be compared.
    unknown_flow: u64,
    /// Some that were begun under another flow.
    examples: Vec<String>,
}

impl From<&VersionDrift> for DriftView {
    fn from(drift: &VersionDrift) -> Self {
        Self {
            live: drift.live,
            other_flow: drift.other_flow,
            unknown_flow: drift.unknown_flow,
            examples: drift.examples.iter().map(ToString::to_string).collect(),
        }
    }
}

impl VersionView {
    fn new(entry: &WorkflowEntry, drift: Option<&Drift>) -> Self {
        let drift = drift.and_then(|drift| drift.versions.get(&entry.key));
        Self {
            version: entry.key.version,
            tags: entry.tags,
            on_events: entry
                .triggers
                .iter()
                .map(|it| it.event().to_owned())
                .collect(),
            fingerprint: entry.fingerprint().map(|it| it.to_string()),
            runs: drift.map(Into::into),
            outline: serde_json::to_value(entry.outline).unwrap_or_default(),
            attributes_schema: entry.attributes_schema().map(|it| it.to_value()),
            input_schema: entry.input_schema().to_value(),
            output_schema: entry.output_schema().to_value(),
        }
    }
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
    let drift = match control.drift().await {
        Ok(drift) => Some(drift),
        // What is registered here is known all the same.
        Err(StoreError::TooSlow { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let mut workflows = Vec::<WorkflowView>::new();
    // They come by name and version.
    for entry in durable.engine().registry().workflows() {
        let version = VersionView::new(entry, drift.as_ref());
        match workflows.last_mut() {
            Some(last) if *last.name == *entry.key.name => last.versions.push(version),
            _ => workflows.push(WorkflowView {
                name: entry.key.name.to_string(),
                versions: vec![version],
            }),
        }
    }
    Ok(Json(WorkflowList {
        workflows,
        is_complete: drift.map(|drift| drift.is_complete),
    }))
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
