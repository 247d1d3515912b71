//! What operators do to a run that has come to a standstill, or shall.

use axum::{Json, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    body::{ApiJson, MaybeReason, Reason, audit, by},
    dto::ActionTaken,
    params::ApiPath,
};
use crate::durable::Durable;
use crate::engine::PauseOutcome;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::model::AuditEntry;

type Taken = Result<(StatusCode, Json<ActionTaken>), Problem>;

fn taken(run: &RunId, outcome: &'static str) -> Taken {
    Ok((StatusCode::ACCEPTED, Json(ActionTaken::new(run, outcome))))
}

/// Holds a run until it is resumed.
///
/// Signals and results are still taken meanwhile. A run that is being executed lets its steps end
/// first.
#[utoipa::path(
    post,
    path = "/runs/{id}/pause",
    operation_id = "pause_run",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body(content = Option<Reason>, description = "May be left out."),
    responses(
        (status = 202, description = "The run is paused, or its owner was told.", body = ActionTaken),
        (status = 409, description = "The run is not pending, running or suspended.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pause(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    MaybeReason(why): MaybeReason,
) -> Taken {
    let id = RunId::parse(id)?;
    let by = by(&access, why.reason.as_deref());
    let outcome = match durable.pause(id.as_str()).on_behalf(by).await? {
        PauseOutcome::Paused => "paused",
        PauseOutcome::Requested => "requested",
    };
    audit(&access, "pause", id.as_str(), why.reason.as_deref());
    taken(&id, outcome)
}

/// Lets a paused run go on where it stood.
#[utoipa::path(
    post,
    path = "/runs/{id}/resume",
    operation_id = "resume_run",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body(content = Option<Reason>, description = "May be left out."),
    responses(
        (status = 202, description = "The run is due again.", body = ActionTaken),
        (status = 409, description = "The run is not paused.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resume(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    MaybeReason(why): MaybeReason,
) -> Taken {
    let id = RunId::parse(id)?;
    let by = by(&access, why.reason.as_deref());
    durable.resume(id.as_str()).on_behalf(by).await?;
    audit(&access, "resume", id.as_str(), why.reason.as_deref());
    taken(&id, "resumed")
}

/// Another input.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InputBody {
    /// The workflow's argument.
    input: Value,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// Starts a failed, cancelled, dead or blocked run again from the top, with another input.
///
/// All that it had recorded goes, and every step executes again.
#[utoipa::path(
    post,
    path = "/runs/{id}/retry-with-input",
    operation_id = "retry_run_with_input",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body = InputBody,
    responses(
        (status = 202, description = "The run begins again.", body = ActionTaken),
        (status = 409, description = "The run is not failed, cancelled, dead or blocked.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The value is larger than a stored one may be.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry_with_input(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<InputBody>,
) -> Taken {
    let id = RunId::parse(id)?;
    let by = by(&access, body.reason.as_deref());
    let retry = durable.retry_with_input(id.as_str(), &body.input);
    retry.on_behalf(by).await?;
    audit(
        &access,
        "retry-with-input",
        id.as_str(),
        body.reason.as_deref(),
    );
    taken(&id, "restarted")
}

/// The result of an operation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SkipBody {
    /// The operation's position.
    seq: u32,
    /// What the workflow receives. Default: null.
    #[serde(default)]
    value: Value,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// Gives an operation that does not get on a result by hand.
///
/// It must wait, be tried again, or be what the run failed of. Takes the right to administer.
#[utoipa::path(
    post,
    path = "/runs/{id}/skip-step",
    operation_id = "skip_step",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body = SkipBody,
    responses(
        (status = 202, description = "The run goes on with that result.", body = ActionTaken),
        (status = 409, description = "The run is executing or has ended otherwise, or its workflow has seen another outcome.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The value is larger than a stored one may be.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn skip_step(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<SkipBody>,
) -> Taken {
    access.must_administer()?;
    let id = RunId::parse(id)?;
    let by = by(&access, body.reason.as_deref());
    let skip = durable.skip_step(id.as_str(), body.seq, &body.value);
    skip.on_behalf(by).await?;
    audit(&access, "skip-step", id.as_str(), body.reason.as_deref());
    taken(&id, "skipped")
}

/// Why a run is made to fail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailBody {
    /// The message of its failure, and the reason in the log.
    reason: String,
}

/// Ends a run that is not executing as failed.
///
/// Nothing is undone. Takes the right to administer.
#[utoipa::path(
    post,
    path = "/runs/{id}/force-fail",
    operation_id = "force_fail_run",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body = FailBody,
    responses(
        (status = 202, description = "The run has failed.", body = ActionTaken),
        (status = 409, description = "The run is executing or has ended.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn force_fail(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<FailBody>,
) -> Taken {
    access.must_administer()?;
    let id = RunId::parse(id)?;
    let by = by(&access, Some(&body.reason));
    let message = by.reason.as_deref().unwrap_or("made to fail").to_owned();
    durable
        .force_fail(id.as_str(), message)
        .on_behalf(by)
        .await?;
    audit(&access, "force-fail", id.as_str(), Some(&body.reason));
    taken(&id, "failed")
}

/// Removes an ended run with all that belongs to it, but for its audit log.
///
/// Takes the right to administer.
#[utoipa::path(
    delete,
    path = "/runs/{id}",
    operation_id = "delete_run",
    tag = "actions",
    params(("id" = String, Path, description = "The run's id.")),
    request_body(content = Option<Reason>, description = "May be left out."),
    responses(
        (status = 200, description = "The run is gone.", body = ActionTaken),
        (status = 409, description = "The run has not ended.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    MaybeReason(why): MaybeReason,
) -> Taken {
    access.must_administer()?;
    let id = RunId::parse(id)?;
    let by = by(&access, why.reason.as_deref());
    durable.delete_run(id.as_str()).on_behalf(by).await?;
    audit(&access, "delete", id.as_str(), why.reason.as_deref());
    Ok((StatusCode::OK, Json(ActionTaken::new(&id, "deleted"))))
}

/// A line of a run's audit log.
#[derive(Debug, Serialize, ToSchema)]
struct AuditLine {
    /// When.
    at: i64,
    /// Who; absent for the program itself.
    actor: Option<String>,
    /// Why, if it was said.
    reason: Option<String>,
    /// What, such as `requeue`, `pause` or `skip-step`. More words may come.
    action: String,
    /// More about it.
    detail: Option<String>,
}

impl From<AuditEntry> for AuditLine {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: entry.at.as_millis(),
            actor: entry.actor.map(|it| it.to_string()),
            reason: entry.reason.map(|it| it.to_string()),
            action: entry.action.to_string(),
            detail: entry.detail.map(|it| it.to_string()),
        }
    }
}

/// What was done to a run from outside.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLog {
    /// The run.
    run_id: String,
    /// The newest 200 lines, newest first. They outlive the run.
    lines: Vec<AuditLine>,
}

/// Shows what was done to a run from outside, by whom and why.
#[utoipa::path(
    get,
    path = "/runs/{id}/audit",
    operation_id = "get_run_audit",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The log; empty for a run that nothing was done to.", body = AuditLog),
    )
)]
pub(super) async fn audit_log(
    durable: Durable,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<AuditLog>, Problem> {
    let lines = durable.audit(id.as_str()).await?;
    Ok(Json(AuditLog {
        run_id: id,
        lines: lines.into_iter().map(Into::into).collect(),
    }))
}
