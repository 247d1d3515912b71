//! All routes of the API, and their OpenAPI document.

use std::sync::Arc;

use axum::{Extension, Json, Router, extract::NestedPath, http::StatusCode, routing::any};
use utoipa::{
    OpenApi,
    openapi::{OpenApi as Document, ServerBuilder},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    actions, batches, control, events, fork, history, hub::Hub, live, meta, meta::Offers,
    refusals::with_refusals, runs, start, stream, surveys, tasks, undo, updates, workers,
    workflows,
};
use crate::http::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "axum-durable",
        description = "Runs of durable workflows: how they stand, and what may be done about them.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Problem, live::LiveEvent)),
    tags(
        (name = "runs", description = "Reading runs."),
        (name = "actions", description = "Changing runs."),
        (name = "workflows", description = "What can be run here."),
        (name = "meta", description = "About this API."),
    )
)]
struct ApiDoc;

/// The routes below `<base>/api`.
pub(in crate::http) fn router<S: Clone + Send + Sync + 'static>(offers: Offers) -> Router<S> {
    let (router, document) = OpenApiRouter::<S>::with_openapi(ApiDoc::openapi())
        .routes(routes!(meta::meta))
        .routes(routes!(runs::list, start::start))
        .routes(routes!(runs::detail, control::delete))
        .routes(routes!(runs::explain))
        .routes(routes!(runs::payloads))
        .routes(routes!(runs::download))
        .routes(routes!(runs::download_step))
        .routes(routes!(runs::step))
        .routes(routes!(runs::published))
        .routes(routes!(history::history))
        .routes(routes!(stream::stream))
        .routes(routes!(live::live))
        .routes(routes!(surveys::survey))
        .routes(routes!(surveys::failures))
        .routes(routes!(surveys::facets))
        .routes(routes!(actions::retry))
        .routes(routes!(actions::cancel))
        .routes(routes!(undo::undo))
        .routes(routes!(actions::go_on))
        .routes(routes!(control::retry_with_input))
        .routes(routes!(control::pause))
        .routes(routes!(control::resume))
        .routes(routes!(control::skip_step))
        .routes(routes!(control::force_fail))
        .routes(routes!(control::audit_log))
        .routes(routes!(fork::fork))
        .routes(routes!(start::signal))
        .routes(routes!(start::signal_run))
        .routes(routes!(events::publish))
        .routes(routes!(tasks::complete))
        .routes(routes!(tasks::fail))
        .routes(routes!(updates::update))
        .routes(routes!(batches::list, batches::create))
        .routes(routes!(batches::show, batches::abort))
        .routes(routes!(workflows::list))
        .routes(routes!(workflows::show))
        .routes(routes!(workflows::rehearse))
        .routes(routes!(workers::list))
        .routes(routes!(workers::metrics))
        .routes(routes!(openapi))
        .split_for_parts();
    let document = with_refusals(document);
    router
        .route("/", any(no_such_route))
        .route("/{*rest}", any(no_such_route))
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(offers))
        .layer(Extension(Hub::default()))
        .layer(Extension(batches::Batches::default()))
        .layer(Extension(surveys::Surveys::default()))
        .layer(Extension(Arc::new(document)))
}

/// Shows this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_openapi",
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
