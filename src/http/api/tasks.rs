//! Reporting the outcome of tasks.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    body::{ApiJson, audit},
    params::ApiPath,
    start::SignalSent,
};
use crate::durable::Durable;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::workflow::StepError;

/// The value of a task.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskValue {
    /// What the waiting run receives.
    #[serde(default)]
    value: Value,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// Why a task has failed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskFailure {
    /// One sentence for people.
    message: String,
    /// A stable word for programs.
    #[schema(example = "declined")]
    code: String,
    /// More about it, for the workflow.
    #[serde(default)]
    details: Option<Value>,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// Reports the value of a task. The first outcome counts.
#[utoipa::path(
    post,
    path = "/tasks/{token}/complete",
    operation_id = "complete_task",
    tag = "actions",
    params(("token" = String, Path, description = "What the task has handed out.")),
    request_body = TaskValue,
    responses(
        (status = 202, description = "The value is stored.", body = SignalSent),
        (status = 404, description = "There is no such task.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its run has completed.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn complete(
    durable: Durable,
    access: Access,
    ApiPath(token): ApiPath<String>,
    ApiJson(body): ApiJson<TaskValue>,
) -> Result<(StatusCode, Json<SignalSent>), Problem> {
    let outcome = durable.complete_task(token, body.value).await?;
    // The token is a secret and no name for the log.
    audit(&access, "complete_task", "task", body.reason.as_deref());
    Ok((StatusCode::ACCEPTED, Json(outcome.into())))
}

/// Reports that a task has failed. The first outcome counts.
#[utoipa::path(
    post,
    path = "/tasks/{token}/fail",
    operation_id = "fail_task",
    tag = "actions",
    params(("token" = String, Path, description = "What the task has handed out.")),
    request_body = TaskFailure,
    responses(
        (status = 202, description = "The failure is stored.", body = SignalSent),
        (status = 404, description = "There is no such task.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its run has completed.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn fail(
    durable: Durable,
    access: Access,
    ApiPath(token): ApiPath<String>,
    ApiJson(body): ApiJson<TaskFailure>,
) -> Result<(StatusCode, Json<SignalSent>), Problem> {
    let mut error = StepError::fatal(body.code, body.message);
    if let Some(details) = &body.details {
        error = error.with_details(details);
    }
    let outcome = durable.fail_task(token, error).await?;
    audit(&access, "fail_task", "task", body.reason.as_deref());
    Ok((StatusCode::ACCEPTED, Json(outcome.into())))
}
