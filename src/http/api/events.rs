//! Publishing events.

use std::time::Duration;

use axum::{Json, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    body::{ApiJson, audit},
    params::ApiPath,
    start::unprocessable,
};
use crate::durable::Durable;
use crate::engine::EventOutcome;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::id::MAX_NAME_BYTES;

/// The longest that an event is kept: a month. What is to be found for longer is a run's input.
const MAX_KEEP_MS: u64 = 31 * 24 * 60 * 60 * 1_000;

/// An event to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventBody {
    /// What the waiting runs receive, and are matched with.
    #[serde(default)]
    payload: Value,
    /// Makes repetitions harmless: an event of this name under an id that was published within the
    /// last week is not published again.
    #[serde(default)]
    id: Option<String>,
    /// How long runs that begin to wait later may take it, in milliseconds: a month at the most, 0
    /// for those alone who wait already. Default: as the process is set up, an hour as a rule.
    #[serde(default)]
    keep_ms: Option<u64>,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPublished {
    /// `published`, or `duplicate`: the same id was published before.
    outcome: &'static str,
    /// How many runs were waiting for it and have it.
    runs: usize,
    /// How many runs it has started.
    started: usize,
}

impl From<EventOutcome> for EventPublished {
    fn from(outcome: EventOutcome) -> Self {
        let (outcome, runs, started) = match outcome {
            EventOutcome::Published { runs, started } => ("published", runs, started),
            EventOutcome::Duplicate => ("duplicate", 0, 0),
        };
        Self {
            outcome,
            runs,
            started,
        }
    }
}

/// Publishes an event to all runs that wait for it, and to those that soon will.
#[utoipa::path(
    post,
    path = "/events/{name}",
    operation_id = "publish_event",
    tag = "actions",
    params(("name" = String, Path, description = "What runs wait for.", example = "order.paid")),
    request_body = EventBody,
    responses(
        (status = 202, description = "The event is stored.", body = EventPublished),
        (status = 422, description = "A field or the name is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn publish(
    durable: Durable,
    access: Access,
    ApiPath(name): ApiPath<String>,
    ApiJson(body): ApiJson<EventBody>,
) -> Result<(StatusCode, Json<EventPublished>), Problem> {
    if body.keep_ms.is_some_and(|length| length > MAX_KEEP_MS) {
        return Err(unprocessable("`keep_ms` is more than a month"));
    }
    if body.id.as_ref().is_some_and(|id| id.len() > MAX_NAME_BYTES) {
        let detail = format!("`id` is longer than {MAX_NAME_BYTES} bytes");
        return Err(unprocessable(detail));
    }
    let mut event = durable.publish_event(name.as_str(), &body.payload);
    if let Some(id) = body.id {
        event = event.id(id);
    }
    if let Some(length) = body.keep_ms {
        event = event.keep_for(Duration::from_millis(length));
    }
    let outcome = event.await?;
    audit(&access, "publish_event", &name, body.reason.as_deref());
    Ok((StatusCode::ACCEPTED, Json(outcome.into())))
}
