//! Changing runs.

use axum::{Json, http::StatusCode};

use super::{
    body::{MaybeReason, Reason, audit, by},
    dto::ActionTaken,
    params::{ApiPath, ApiQuery, CancelParams},
};
use crate::durable::Durable;
use crate::engine::CancelOutcome;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::id::RunId;

/// Lets a failed, cancelled, dead or blocked run continue in place.
///
/// Completed steps stay completed; the one that failed is tried again.
#[utoipa::path(
    post,
    path = "/runs/{id}/retry",
    operation_id = "retry_run",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body(content = Option<Reason>, description = "May be left out."),
    responses(
        (status = 202, description = "The run is due again.", body = ActionTaken),
        (status = 409, description = "The run is not failed, cancelled, dead or blocked.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    MaybeReason(why): MaybeReason,
) -> Result<(StatusCode, Json<ActionTaken>), Problem> {
    let id = RunId::parse(id)?;
    let by = by(&access, why.reason.as_deref());
    durable.requeue(id.as_str()).on_behalf(by).await?;
    audit(&access, "retry", id.as_str(), why.reason.as_deref());
    let taken = ActionTaken::new(&id, "requeued");
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

/// Lets a run go on from the breakpoints at which it stands.
#[utoipa::path(
    post,
    path = "/runs/{id}/continue",
    operation_id = "continue_run",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body(content = Option<Reason>, description = "May be left out."),
    responses(
        (status = 202, description = "The run goes on.", body = ActionTaken),
        (status = 409, description = "The run stands at no breakpoint.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn go_on(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    MaybeReason(why): MaybeReason,
) -> Result<(StatusCode, Json<ActionTaken>), Problem> {
    let id = RunId::parse(id)?;
    let by = by(&access, why.reason.as_deref());
    durable.continue_run(id.as_str()).on_behalf(by).await?;
    audit(&access, "continue", id.as_str(), why.reason.as_deref());
    let taken = ActionTaken::new(&id, "continued");
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

/// Asks a run to end.
///
/// Its future is dropped and late results are refused. With `compensate=true` what it has done is
/// undone first: meanwhile it is `cancelling`, and `compensation_failed` at the end if an undo
/// fails.
#[utoipa::path(
    post,
    path = "/runs/{id}/cancel",
    operation_id = "cancel_run",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id."), CancelParams),
    request_body(content = Option<Reason>, description = "May be left out."),
    responses(
        (status = 202, description = "The run has ended, or its owner was told to end it.", body = ActionTaken),
        (status = 409, description = "The run has ended.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    ApiQuery(params): ApiQuery<CancelParams>,
    MaybeReason(why): MaybeReason,
) -> Result<(StatusCode, Json<ActionTaken>), Problem> {
    let id = RunId::parse(id)?;
    let by = by(&access, why.reason.as_deref());
    let cancel = durable.cancel(id.as_str()).on_behalf(by);
    let (cancel, action) = if params.compensate.unwrap_or_default() {
        (cancel.compensate(), "cancel_compensate")
    } else {
        (cancel, "cancel")
    };
    let outcome = match cancel.await? {
        CancelOutcome::Cancelled => "cancelled",
        CancelOutcome::Requested => "requested",
    };
    audit(&access, action, id.as_str(), why.reason.as_deref());
    Ok((StatusCode::ACCEPTED, Json(ActionTaken::new(&id, outcome))))
}
