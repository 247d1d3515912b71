//! Problem documents: how errors are told over HTTP.

use axum::{
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// An error as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) has it, sent as
/// `application/problem+json`.
///
/// ```json
/// {"type": "urn:axum-durable:unknown-run", "title": "Unknown run", "status": 404,
///  "detail": "no run `order-7`"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct Problem {
    /// Names the kind of problem; stable.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    #[serde(skip)]
    #[schema(ignore)]
    retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem of the kind `urn:axum-durable:<slug>`.
    #[must_use]
    pub fn new(
        status: StatusCode,
        slug: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("urn:axum-durable:{slug}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            retry_after_seconds: None,
        }
    }

    /// The request is wrong in itself.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        let title = "Bad request";
        Self::new(StatusCode::BAD_REQUEST, "bad-request", title, detail)
    }

    /// Whoever asks may not.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    /// What was asked for does not exist.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// Something is wrong here that is none of the client's business; it belongs in the log.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "the request could not be answered; the log says why";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal", "Internal error", detail)
    }

    /// Says when to come back.
    pub(super) const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The same request may succeed in a moment.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(status, "unavailable", "Unavailable", detail)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Four texts and a number always have a JSON form.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        match self.retry_after_seconds {
            Some(seconds) => {
                let wait = [(header::RETRY_AFTER, seconds.to_string())];
                (status, kind, wait, body).into_response()
            }
            None => (status, kind, body).into_response(),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        rejected(rejection.status(), rejection.body_text())
    }
}

/// A request that an extractor of axum refused; its text quotes only what the client has sent.
fn rejected(status: StatusCode, detail: String) -> Problem {
    if status.is_server_error() {
        return Problem::internal();
    }
    Problem::new(status, "bad-request", "Bad request", detail)
}
