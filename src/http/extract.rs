//! Takes the `Durable` out of a request, for any router state.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::request::Parts,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use crate::durable::Durable;

/// The route has no [`DurableLayer`](super::DurableLayer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`Durable` was extracted on a route without `DurableLayer`; add `.layer(durable.layer())` \
     after the route"
)]
#[non_exhaustive]
pub struct MissingDurableLayer;

impl IntoResponse for MissingDurableLayer {
    fn into_response(self) -> Response {
        // The text names our types: it is for the developer's log, not for a client.
        Problem::internal().into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Durable {
    type Rejection = MissingDurableLayer;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let durable = parts.extensions.get::<Self>();
        durable.cloned().ok_or_else(|| {
            let route = parts.extensions.get::<MatchedPath>();
            let route = route.map_or("unknown", MatchedPath::as_str);
            tracing::error!(route, "{MissingDurableLayer}");
            MissingDurableLayer
        })
    }
}
