//! Where the routes may be, and what is missing without the layer.

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use axum_durable::{
    Durable, DurableError, DurableLayer, DurableRouter, MemoryStore, WithDurable as _,
    durable_router,
};
use serde_json::json;

use super::app::{self, App, ask, local};

#[tokio::test]
async fn without_the_layer_the_answer_says_nothing_of_us() {
    let handler = |durable: Durable| async move { durable.engine().instance().to_string() };
    // The layer covers only routes that were added before it.
    let durable = app::on(MemoryStore::new(), true).await;
    let router: Router = Router::new().with_durable(durable).route("/", get(handler));
    let answer = ask(&router, local("GET", "/")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.problem().to_string().contains("Layer"));
    let router: Router = durable_router();
    let answer = ask(&router, local("GET", "/durable/api/runs")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_routes_are_where_the_base_path_says() {
    let durable = app::on(MemoryStore::new(), true).await;
    for (given, path) in [
        ("/durable", "/durable"),
        ("/ops/durable", "/ops/durable"),
        ("ops/durable/", "/ops/durable"),
        ("/", ""),
    ] {
        let router = DurableRouter::new().base_path(given);
        let router: Router = Router::new().merge(router.into_router());
        let router = router.layer(durable.layer().base_path(given));
        let answer = ask(&router, local("GET", &format!("{path}/api/runs"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{given}");
        let answer = ask(&router, local("GET", &format!("{path}/api/openapi.json"))).await;
        assert_eq!(answer.json()["servers"][0]["url"], format!("{path}/api"));
    }
}

async fn place(
    durable: Durable,
    State(id): State<&'static str>,
) -> Result<impl IntoResponse, DurableError> {
    let start = durable.start_named("greet", &json!("Ada"));
    start.id(id).await
}

#[tokio::test]
async fn a_started_run_says_where_it_is() {
    let durable = app::on(MemoryStore::new(), true).await;
    let router = Router::new()
        .nest("/orders", Router::new().route("/place", get(place)))
        .merge(durable_router())
        .layer(DurableLayer::new(durable.clone()))
        .with_state("order 7/8");
    let first = ask(&router, local("GET", "/orders/place")).await;
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(
        first.json(),
        json!({"run_id": "order 7/8", "status": "pending"})
    );
    let location = first.header("location");
    assert_eq!(location, "/durable/api/runs/order%207%2F8");
    let run = ask(&router, local("GET", location)).await;
    assert_eq!(run.json()["run"]["id"], "order 7/8");

    // The same app below another one.
    durable.wait_for_run("order 7/8").unwrap().await.unwrap();
    let outer: Router = Router::new().nest("/svc", router);
    let again = ask(&outer, local("GET", "/svc/orders/place")).await;
    assert_eq!(again.json()["status"], "completed");
    let location = again.header("location");
    assert_eq!(location, "/svc/durable/api/runs/order%207%2F8");
    let run = ask(&outer, local("GET", location)).await;
    assert_eq!(run.status, StatusCode::OK);
}

#[tokio::test]
async fn unknown_routes_of_the_api_are_problems_and_not_pages_of_the_host() {
    let durable = app::on(MemoryStore::new(), true).await;
    let router: Router = Router::new()
        .merge(durable_router())
        .fallback(|| async { "a page" })
        .with_durable(durable);
    for path in ["/durable/api", "/durable/api/", "/durable/api/no/such"] {
        let answer = ask(&router, local("GET", path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answer.problem();
    }
    let answer = ask(&router, local("DELETE", "/durable/api/runs")).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    answer.problem();
    assert_eq!(ask(&router, local("GET", "/else")).await.body, "a page");
}

#[tokio::test]
async fn a_signal_says_what_became_of_it() {
    let app = App::new().await;
    app.patient("p").await;
    let outcome = app.durable.signal("go:p", 1).await.unwrap();
    let response = outcome.into_response();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let body = axum::body::to_bytes(response.into_body(), 1_000).await;
    assert_eq!(body.unwrap(), r#"{"outcome":"delivered"}"#);
}
