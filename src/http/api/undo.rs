//! What a cancellation would undo.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::{ApiPath, View};
use crate::control::{DoneStep, UndoPlan};
use crate::http::failure::unknown_run;
use crate::http::problem::Problem;
use crate::id::RunId;

/// What `cancel?compensate=true` would undo as the run stands. The workflow's code says it: it
/// replays the run's history at the instance that answers, which starts nothing and changes nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UndoView {
    /// The run.
    run_id: String,
    /// Steps that would be undone, in the order in which they would be.
    undone: Vec<DoneStepView>,
    /// Steps without an undo: they stay done.
    left: Vec<DoneStepView>,
    /// Steps of which this instance does not know whether they would be undone, because it does not
    /// have the code, or has one that does not fit.
    unknown: Vec<DoneStepView>,
}

/// A step that has completed and was not undone.
#[derive(Debug, Serialize, ToSchema)]
struct DoneStepView {
    /// Its position.
    seq: u32,
    /// Its name.
    name: String,
    /// The name of its undo, or the source of the expression that names it.
    undo: Option<String>,
}

impl From<DoneStep> for DoneStepView {
    fn from(step: DoneStep) -> Self {
        Self {
            seq: step.seq.0,
            name: step.name,
            undo: step.undo,
        }
    }
}

/// Says what a cancellation that undoes would undo, before it is asked for.
#[utoipa::path(
    get,
    path = "/runs/{id}/undo",
    operation_id = "preview_undo",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "What would be undone.", body = UndoView),
    )
)]
pub(super) async fn undo(
    View(control): View,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<UndoView>, Problem> {
    let id = RunId::parse(id)?;
    let plan = control.undo_plan(&id).await?;
    let UndoPlan {
        undone,
        left,
        unknown,
    } = plan.ok_or_else(|| unknown_run(id.as_str()))?;
    let views = |steps: Vec<DoneStep>| steps.into_iter().map(Into::into).collect();
    Ok(Json(UndoView {
        run_id: id.to_string(),
        undone: views(undone),
        left: views(left),
        unknown: views(unknown),
    }))
}
