//! The route that takes posts.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde::de::IgnoredAny;

use super::verifier::{WebhookDelivery, WebhookVerifier};
use crate::durable::Durable;
use crate::http::problem::Problem;
use crate::payload::Payload;

/// The most bytes of a post: what providers send is far below it, and a post is held in memory
/// until it is stored.
const MAX_BYTES: usize = 256 * 1024;

/// How posts are taken.
#[derive(Debug, Clone)]
pub(in crate::http) struct Webhooks {
    verifiers: BTreeMap<String, WebhookVerifier>,
    max_bytes: usize,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            verifiers: BTreeMap::new(),
            max_bytes: MAX_BYTES,
        }
    }
}

impl Webhooks {
    pub(in crate::http) fn verify_by(&mut self, name: String, verifier: WebhookVerifier) {
        self.verifiers.insert(name, verifier);
    }

    pub(in crate::http) const fn limit(&mut self, bytes: usize) {
        self.max_bytes = bytes;
    }

    pub(in crate::http) fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let limit = DefaultBodyLimit::max(self.max_bytes);
        Router::new()
            .route("/webhooks/{token}", post(take))
            .layer(limit)
            .layer(Extension(Arc::new(self)))
    }
}

/// Takes a post. `202` says that it is stored and survives every crash, and nothing else.
async fn take(
    durable: Durable,
    Extension(webhooks): Extension<Arc<Webhooks>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let webhook = durable.open_webhook(&token).await?;
    let body = body.map_err(|rejection| {
        let detail = "the body cannot be read, or is too large";
        Problem::new(rejection.status(), "bad-request", "Bad request", detail)
    })?;
    let mut message = None;
    if let Some(name) = webhook.verified_by() {
        let Some(verifier) = webhooks.verifiers.get(name) else {
            // Fail closed: a webhook that asks for a check is not taken without it.
            tracing::error!(
                verifier = name,
                "no such webhook verifier; add it to the `DurableRouter`"
            );
            return Err(Problem::internal());
        };
        let delivery = WebhookDelivery {
            headers: &headers,
            body: &body,
            now: durable.engine().clock().now(),
        };
        message = verifier.check(&delivery).map_err(|refused| {
            tracing::warn!(verifier = name, %refused, "webhook refused");
            let status = StatusCode::UNAUTHORIZED;
            let detail = "the post could not be verified";
            Problem::new(status, "not-verified", "Not verified", detail)
        })?;
    }
    let body = as_json(body)?;
    durable.take_post(webhook, message.as_deref(), body).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The body as it is, if it is JSON. An empty one is `null`.
fn as_json(body: Bytes) -> Result<Payload, Problem> {
    if body.is_empty() {
        return Ok(Payload::null());
    }
    let text = std::str::from_utf8(&body).ok();
    let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    if is_json {
        Ok(Payload::from_bytes(body))
    } else {
        Err(Problem::bad_request("the body is no JSON"))
    }
}
