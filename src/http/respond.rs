//! What handles and outcomes look like as responses.

use std::fmt::Write as _;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::durable::RunHandle;
use crate::engine::SignalOutcome;

impl<O> IntoResponse for RunHandle<O> {
    /// `202 Accepted` with the run's place in the API as `Location`.
    fn into_response(self) -> Response {
        let base = self.durable().base_path();
        let location = format!("{base}/api/runs/{}", path_segment(self.id().as_str()));
        let body = json!({"run_id": self.id(), "status": self.first_status()});
        let location = [(header::LOCATION, location)];
        (StatusCode::ACCEPTED, location, Json(body)).into_response()
    }
}

impl IntoResponse for SignalOutcome {
    /// `202 Accepted` with `{"outcome": "delivered"}` or the like.
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(json!({"outcome": self}))).into_response()
    }
}

/// A text as one segment of a path: everything but the unreserved characters of
/// [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.3) is escaped.
fn path_segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_one_segment() {
        assert_eq!(path_segment("order-7"), "order-7");
        assert_eq!(path_segment("a/b ü"), "a%2Fb%20%C3%BC");
    }
}
