//! All routes of the API, and their OpenAPI document.

use std::sync::Arc;

use axum::{Extension, Json, Router, extract::NestedPath, http::StatusCode, routing::any};
use utoipa::{
    OpenApi,
    openapi::{OpenApi as Document, ServerBuilder},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{actions, runs, stream, workflows};
use crate::http::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "axum-durable",
        description = "Runs of durable workflows: how they stand, and what may be done about them.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem)),
    tags(
        (name = "runs", description = "Reading runs."),
        (name = "actions", description = "Changing runs."),
        (name = "workflows", description = "What can be run here."),
        (name = "meta", description = "About this API."),
    )
)]
struct ApiDoc;

/// The routes below `<base>/api`.
pub(in crate::http) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let (router, document) = OpenApiRouter::<S>::with_openapi(ApiDoc::openapi())
        .routes(routes!(runs::list))
        .routes(routes!(runs::detail))
        .routes(routes!(runs::explain))
        .routes(routes!(runs::published))
        .routes(routes!(stream::stream))
        .routes(routes!(actions::retry))
        .routes(routes!(actions::cancel))
        .routes(routes!(workflows::list))
        .routes(routes!(openapi))
        .split_for_parts();
    router
        .route("/", any(no_such_route))
        .route("/{*rest}", any(no_such_route))
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(Arc::new(document)))
}

/// Shows this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "meta",
    responses((status = 200, description = "The OpenAPI document.", body = Object))
)]
async fn openapi(
    base: NestedPath,
    Extension(document): Extension<Arc<Document>>,
) -> Json<Document> {
    // Where the routes are is known only once a request came in: the host may have nested them.
    let mut document = Document::clone(&document);
    let server = ServerBuilder::new().url(base.as_str());
    document.servers = Some(vec![server.build()]);
    Json(document)
}

/// Unknown paths of the API are answered by itself, and not by a page of the host.
pub(in crate::http) async fn no_such_route() -> Problem {
    Problem::not_found("the API has no such route; `openapi.json` lists them")
}

async fn wrong_method() -> Problem {
    let title = "Method not allowed";
    let detail = "the route does not take this method; `openapi.json` lists those that it takes";
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Problem::new(status, "method-not-allowed", title, detail)
}
