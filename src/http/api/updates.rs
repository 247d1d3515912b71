//! Asking a run for something.

use std::time::Duration;

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    body::{ApiJson, audit},
    params::{ApiPath, View},
    start::unprocessable,
    value::{Allowance, JsonValue},
};
use crate::control::{Control, ExposureKind};
use crate::durable::{Durable, Error};
use crate::http::access::Access;
use crate::http::failure::unknown_run;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::payload::Payload;

/// The longest wait for an answer: proxies commonly give up after a minute.
const MOST_MS: u64 = 60_000;

/// How long an answer is waited for where nothing is said.
const DEFAULT_MS: u64 = 30_000;

/// An update to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateBody {
    /// What the workflow receives.
    #[serde(default)]
    args: Value,
    /// Makes repetitions harmless: an update under an id that was sent before is not taken again,
    /// and has the same answer.
    #[serde(default)]
    id: Option<String>,
    /// How long the answer is waited for, in milliseconds: 60,000 at the most. Default 30,000.
    #[serde(default)]
    within_ms: Option<u64>,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// The workflow's answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UpdateReply {
    /// What it replied.
    reply: JsonValue,
}

/// Asks a run for something and waits for its answer.
#[utoipa::path(
    post,
    path = "/runs/{id}/updates/{name}",
    operation_id = "update_run",
    tag = "actions",
    params(
        ("id" = String, Path, description = "The run's id."),
        ("name" = String, Path, description = "What `ctx.on_update` waits for.", example = "set-address"),
    ),
    request_body = UpdateBody,
    responses(
        (status = 200, description = "The workflow has replied.", body = UpdateReply),
        (status = 409, description = "The run has ended, or the workflow has answered with a failure.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong, or the workflow's validator refuses the update.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "There is no answer yet, or the store does not answer. Send it again under the same id.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update(
    durable: Durable,
    View(control): View,
    access: Access,
    ApiPath((run, name)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<UpdateBody>,
) -> Result<Json<UpdateReply>, Problem> {
    let within_ms = body.within_ms.unwrap_or(DEFAULT_MS);
    if within_ms > MOST_MS {
        return Err(unprocessable("`within_ms` is more than a minute"));
    }
    let update = durable.update::<_, Payload>(run.as_str(), name.as_str(), body.args);
    let update = update.within(Duration::from_millis(within_ms));
    let update = match body.id {
        Some(id) => update.id(id),
        None => update,
    };
    // Before the answer: an update that is taken may go on without it.
    audit(&access, "update", &run, body.reason.as_deref());
    let reply = update.await;
    let run = RunId::parse(run)?;
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Err(told(&control, &run, &name, error).await),
    };
    let reply = control
        .shown(&run, ExposureKind::Reply, &name, reply)
        .await?;
    let reply = reply.ok_or_else(|| unknown_run(run.as_str()))?;
    let reply = Allowance::of(&access).for_one().show(&reply);
    Ok(Json(UpdateReply { reply }))
}

/// The workflow's refusal, in words that may be shown.
async fn told(control: &Control, run: &RunId, name: &str, mut error: Error) -> Problem {
    let said = match &mut error {
        Error::UpdateRejected { reason, .. } => Some(reason),
        Error::UpdateFailed { failure, .. } => Some(&mut failure.message),
        _ => None,
    };
    if let Some(said) = said {
        let text = Payload::encode(said.as_str()).unwrap_or_default();
        let kind = ExposureKind::ErrorMessage;
        let shown = control.shown(run, kind, name, text).await.ok().flatten();
        // What was withheld is no text any more.
        let shown = shown.and_then(|it| it.decode::<String>().ok());
        *said = shown.unwrap_or_else(|| "[redacted]".to_owned());
    }
    error.into()
}
