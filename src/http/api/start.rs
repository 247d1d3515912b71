//! Starting runs and sending signals, by name.

use std::time::Duration;

use axum::{Json, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    body::{ApiJson, audit},
    params::ApiPath,
};
use crate::durable::Durable;
use crate::engine::SignalOutcome;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::id::MAX_NAME_BYTES;
use crate::model::SignalId;

/// The longest delay: a year. What shall begin later belongs into a schedule.
const MAX_DELAY_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// The most tags of a run.
const MAX_TAGS: usize = 32;

/// A run to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartBody {
    /// The workflow's name.
    #[schema(example = "checkout")]
    workflow: String,
    /// Its version. Default: the newest one that is registered here.
    #[serde(default)]
    version: Option<u32>,
    /// The run's id. Default: a generated one. A second start with the same id finds the first
    /// run and leaves it as it is.
    #[serde(default)]
    id: Option<String>,
    /// Labels to find it by.
    #[serde(default)]
    tags: Vec<String>,
    /// Typed values to find it by: texts, numbers and booleans by their keys.
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: serde_json::Map<String, Value>,
    /// The namespace that it belongs to. Default: that of the instance which answers.
    #[serde(default)]
    namespace: Option<String>,
    /// How urgent it is: of the runs that wait for an instance, those with a higher number are taken
    /// first. Its children and successors are as urgent. Default 0.
    #[serde(default)]
    priority: i32,
    /// How long it waits before it begins, in milliseconds. Default 0.
    #[serde(default)]
    delay_ms: u64,
    /// The workflow's argument.
    #[serde(default)]
    input: Value,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

impl StartBody {
    fn check(&self) -> Result<(), Problem> {
        if self.delay_ms > MAX_DELAY_MS {
            return Err(unprocessable("`delay_ms` is more than a year"));
        }
        let is_bad = |tag: &String| tag.is_empty() || tag.len() > MAX_NAME_BYTES;
        if self.tags.len() > MAX_TAGS || self.tags.iter().any(is_bad) {
            let detail =
                format!("`tags` are {MAX_TAGS} at the most, of 1 to {MAX_NAME_BYTES} bytes each");
            return Err(unprocessable(detail));
        }
        Ok(())
    }
}

/// A run that was started or found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Started {
    /// Its id.
    run_id: String,
    /// Where it stands: `pending` if it was just stored.
    status: &'static str,
}

/// Starts a run.
#[utoipa::path(
    post,
    path = "/runs",
    operation_id = "start_run",
    tag = "actions",
    request_body = StartBody,
    responses(
        (status = 202, description = "The run is stored, or one with this id was before.", body = Started),
        (status = 404, description = "This process does not know the workflow.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn start(
    durable: Durable,
    access: Access,
    ApiJson(body): ApiJson<StartBody>,
) -> Result<(StatusCode, Json<Started>), Problem> {
    body.check()?;
    let start = durable.start_named(body.workflow, &body.input);
    let start = start
        .delay(Duration::from_millis(body.delay_ms))
        .priority(body.priority)
        .tags(body.tags)
        .attributes(&body.attributes);
    let start = match body.version {
        Some(version) => start.version(version),
        None => start,
    };
    let start = match body.id.filter(|id| !id.is_empty()) {
        Some(id) => start.id(id),
        None => start,
    };
    let start = match body.namespace.filter(|it| !it.is_empty()) {
        Some(namespace) => start.namespace(namespace),
        None => start,
    };
    let run = start.await?;
    audit(&access, "start", run.id().as_str(), body.reason.as_deref());
    let started = Started {
        run_id: run.id().to_string(),
        status: run.first_status().as_str(),
    };
    Ok((StatusCode::ACCEPTED, Json(started)))
}

/// A signal to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignalBody {
    /// What the waiting run receives.
    #[serde(default)]
    value: Value,
    /// Makes repetitions harmless: a signal under an id that was sent before is not taken again.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uuid")]
    id: Option<uuid::Uuid>,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// What became of a signal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignalSent {
    /// `delivered`: a run was waiting and has it; `buffered`: the next wait for the token gets it;
    /// `duplicate`: the same id was sent before.
    outcome: &'static str,
}

impl From<SignalOutcome> for SignalSent {
    fn from(outcome: SignalOutcome) -> Self {
        let outcome = match outcome {
            SignalOutcome::Delivered => "delivered",
            SignalOutcome::Buffered => "buffered",
            SignalOutcome::Duplicate => "duplicate",
        };
        Self { outcome }
    }
}

/// Sends a signal to whoever waits for the token, or to the next one who does.
#[utoipa::path(
    post,
    path = "/signals/{token}",
    operation_id = "send_signal",
    tag = "actions",
    params(("token" = String, Path, description = "What a run waits for.", example = "approve:7")),
    request_body = SignalBody,
    responses(
        (status = 202, description = "The signal is stored.", body = SignalSent),
        (status = 422, description = "A field or the token is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn signal(
    durable: Durable,
    access: Access,
    ApiPath(token): ApiPath<String>,
    ApiJson(body): ApiJson<SignalBody>,
) -> Result<(StatusCode, Json<SignalSent>), Problem> {
    if token.len() > MAX_NAME_BYTES {
        return Err(unprocessable(format!(
            "the token is longer than {MAX_NAME_BYTES} bytes"
        )));
    }
    let id = body.id.map_or_else(SignalId::generate, SignalId);
    let outcome = durable.signal_once(id, token.as_str(), body.value).await?;
    audit(&access, "signal", &token, body.reason.as_deref());
    Ok((StatusCode::ACCEPTED, Json(outcome.into())))
}

/// Sends a signal to a token of one run, for a wait that is run scoped.
#[utoipa::path(
    post,
    path = "/runs/{id}/signals/{token}",
    operation_id = "send_signal_to_run",
    tag = "actions",
    params(
        ("id" = String, Path, description = "The run's id."),
        ("token" = String, Path, description = "What the run waits for.", example = "approve"),
    ),
    request_body = SignalBody,
    responses(
        (status = 202, description = "The signal is stored.", body = SignalSent),
        (status = 409, description = "The run has ended.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field or the id is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn signal_run(
    durable: Durable,
    access: Access,
    ApiPath((run, token)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<SignalBody>,
) -> Result<(StatusCode, Json<SignalSent>), Problem> {
    let id = body.id.map_or_else(SignalId::generate, SignalId);
    let signal = durable.signal_once(id, token.as_str(), body.value);
    let outcome = signal.to_run(run.as_str()).await?;
    audit(&access, "signal", &run, body.reason.as_deref());
    Ok((StatusCode::ACCEPTED, Json(outcome.into())))
}

pub(super) fn unprocessable(detail: impl Into<String>) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "invalid-field", "Invalid field", detail)
}
