//! What can be run here.

use axum::Json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::durable::Durable;
use crate::http::problem::Problem;
use crate::registry::WorkflowEntry;

/// The workflows that this process has registered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkflowList {
    /// The workflows, by name.
    workflows: Vec<WorkflowView>,
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
    /// The shape of its body: file, line and nodes.
    #[schema(value_type = Object)]
    outline: Value,
    /// The JSON Schema of its input.
    input_schema: Value,
    /// The JSON Schema of its output.
    output_schema: Value,
}

impl VersionView {
    fn new(entry: &WorkflowEntry) -> Self {
        Self {
            version: entry.key.version,
            tags: entry.tags,
            outline: serde_json::to_value(entry.outline).unwrap_or_default(),
            input_schema: entry.input_schema().to_value(),
            output_schema: entry.output_schema().to_value(),
        }
    }
}

/// Lists the workflows that this process has registered.
#[utoipa::path(
    get,
    path = "/workflows",
    operation_id = "list_workflows",
    tag = "workflows",
    responses((status = 200, description = "The workflows.", body = WorkflowList))
)]
pub(super) async fn list(durable: Durable) -> Result<Json<WorkflowList>, Problem> {
    let mut workflows = Vec::<WorkflowView>::new();
    // They come by name and version.
    for entry in durable.engine().registry().workflows() {
        let version = VersionView::new(entry);
        match workflows.last_mut() {
            Some(last) if *last.name == *entry.key.name => last.versions.push(version),
            _ => workflows.push(WorkflowView {
                name: entry.key.name.to_string(),
                versions: vec![version],
            }),
        }
    }
    Ok(Json(WorkflowList { workflows }))
}
