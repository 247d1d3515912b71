//! Bodies of requests, within bounds, and what an operator says about an action.

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Request},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::durable::Durable;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::model::By;

/// The longest reason that is logged.
const MAX_REASON_BYTES: usize = 1_000;

/// Bytes of a body beside its payload: names, tags, attributes and a reason, each bounded.
const MAX_BESIDE_PAYLOAD: usize = 128 * 1024;

/// Who acts where the host does not say who asks.
const UNNAMED: &str = "unnamed";

/// `Json` whose refusal is a problem document.
#[derive(Debug)]
pub(super) struct ApiJson<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Problem> {
        // What a body carries is one payload at the most, and what the engine takes it is asked.
        if let Some(durable) = request.extensions().get::<Durable>() {
            let most = durable.engine().config().max_payload;
            let most = most.saturating_add(MAX_BESIDE_PAYLOAD);
            DefaultBodyLimit::max(most).apply(&mut request);
        }
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// Why someone acts. It goes to the log together with who it was.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Why, for the log.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// A [`Reason`] that may be left out together with the whole body.
#[derive(Debug)]
pub(super) struct MaybeReason(pub(super) Reason);

impl<S: Send + Sync> FromRequest<S> for MaybeReason {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|_| Problem::bad_request("the body cannot be read"))?;
        if body.is_empty() {
            return Ok(Self(Reason::default()));
        }
        let reason = serde_json::from_slice(&body);
        let wrong = "the body is neither empty nor `{\"reason\": \"…\"}`";
        let reason = reason.map_err(|_| Problem::bad_request(wrong))?;
        Ok(Self(reason))
    }
}

/// Who acts and why, for the audit log of a run.
pub(super) fn by(access: &Access, reason: Option<&str>) -> By {
    let by = By::program().actor(access.name().unwrap_or(UNNAMED));
    by.reason(reason.unwrap_or_default())
}

/// Logs what was done by whom and why. No payload is ever part of it.
pub(super) fn audit(access: &Access, action: &'static str, target: &str, reason: Option<&str>) {
    let actor = access.name().unwrap_or(UNNAMED);
    let reason: String = reason
        .unwrap_or_default()
        .chars()
        .take(MAX_REASON_BYTES)
        .collect();
    tracing::info!(target: "axum_durable::audit", actor, action, on = target, reason, "operator acted");
}
