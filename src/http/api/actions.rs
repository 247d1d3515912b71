//! Changing runs.

use axum::{Json, http::StatusCode};

use super::{dto::ActionTaken, params::ApiPath};
use crate::durable::Durable;
use crate::engine::CancelOutcome;
use crate::http::problem::Problem;
use crate::id::RunId;

/// Lets a failed, cancelled, dead or blocked run continue in place.
///
/// Completed steps stay completed; the one that failed is tried again.
#[utoipa::path(
    post,
    path = "/runs/{id}/retry",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 202, description = "The run is due again.", body = ActionTaken),
        (status = 403, description = "The request comes from another site, or this router is read-only.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is not failed, cancelled, dead or blocked.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "This cannot be a run's id.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry(
    durable: Durable,
    ApiPath(id): ApiPath<String>,
) -> Result<(StatusCode, Json<ActionTaken>), Problem> {
    let id = RunId::parse(id)?;
    durable.requeue(id.as_str()).await?;
    let taken = ActionTaken::new(&id, "requeued");
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

/// Asks a run to end.
///
/// Its future is dropped and late results are refused.
#[utoipa::path(
    post,
    path = "/runs/{id}/cancel",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 202, description = "The run has ended, or its owner was told to end it.", body = ActionTaken),
        (status = 403, description = "The request comes from another site, or this router is read-only.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run has ended.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "This cannot be a run's id.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    durable: Durable,
    ApiPath(id): ApiPath<String>,
) -> Result<(StatusCode, Json<ActionTaken>), Problem> {
    let id = RunId::parse(id)?;
    let outcome = match durable.cancel(id.as_str()).await? {
        CancelOutcome::Cancelled => "cancelled",
        CancelOutcome::Requested => "requested",
    };
    Ok((StatusCode::ACCEPTED, Json(ActionTaken::new(&id, outcome))))
}
