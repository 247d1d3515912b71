//! Search attributes and namespaces over HTTP.

use axum::{Router, http::StatusCode};
use axum_durable::{
    Durable, DurableRouter, MemoryStore, RunStatus, WithDurable as _,
    http::{Exposure, ExposureKind},
    prelude::*,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::{App, ask, local, until};

const RUNS: &str = "/durable/api/runs";

#[derive(Deserialize, JsonSchema)]
struct Sale {
    #[expect(dead_code, reason = "read by serde")]
    region: String,
}

#[workflow(search_attributes = Sale)]
async fn sale(_ctx: &WorkflowCtx) -> Result<()> {
    Ok(())
}

async fn app() -> App {
    let builder = Durable::builder().store(MemoryStore::new());
    let durable = builder.only_registered().register(sale);
    let app = App::of(durable.build().await.unwrap());
    for (id, total) in [("one", 5), ("two", 50)] {
        let attributes = json!({"region": "eu:west", "total": total, "vip": total > 9});
        let body = json!({"workflow": "sale", "id": id, "attributes": attributes});
        let answer = app.send("POST", RUNS, &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        until(&app.durable, id, |run| run.status == RunStatus::Completed).await;
    }
    app
}

async fn found(app: &App, query: &str) -> Vec<String> {
    let list = app.get(&format!("{RUNS}?{query}")).await.json();
    let runs = list["runs"].as_array().unwrap().iter();
    runs.map(|run| run["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn runs_are_listed_by_their_attributes() {
    let app = app().await;
    let detail = app.get(&format!("{RUNS}/one")).await.json();
    let expected = json!({"region": "eu:west", "total": 5, "vip": false});
    assert_eq!(detail["run"]["attributes"], expected);
    assert_eq!(detail["run"]["namespace"], "default");
    for (query, expected) in [
        ("attr=total:gte:5&attr=total:lt:50", &["one"][..]),
        ("attr=region:eq:eu:west&attr=vip:eq:true", &["two"]),
        ("attr=region%3Aeq%3Aeu%3Awest&limit=1", &["two"]),
        ("attr=&attr=total:gt:0&workflow=sale", &["two", "one"]),
        ("attr=total:eq:%225%22", &[]),
        ("attr=total:gt:0&namespace=shop", &[]),
        ("namespace=default&attr=total:ne:5", &["two"]),
    ] {
        assert_eq!(found(&app, query).await, expected, "{query}");
    }
    let list = app.get(&format!("{RUNS}?attr=total:eq:5")).await.json();
    assert_eq!(list["runs"][0]["attributes"]["total"], 5);
}

#[tokio::test]
async fn a_condition_that_cannot_be_read_is_refused() {
    let app = app().await;
    let many = "attr=a:eq:1&".repeat(17);
    let long = format!("attr=a:eq:{}", "x".repeat(3_000));
    for query in [
        "attr=total",
        "attr=total:is:5",
        "attr=:eq:5",
        "attr=to%20tal:eq:5",
        &many,
        &long,
    ] {
        let answer = app.get(&format!("{RUNS}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        answer.problem();
    }
    // What else is wrong is found beside a right condition.
    for query in ["attr=a:eq:1&limit=0", "attr=a:eq:1&colour=red"] {
        let answer = app.get(&format!("{RUNS}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_start_with_wrong_attributes_is_refused() {
    let app = app().await;
    for attributes in [
        json!({"region": 7}),
        json!({"total": 7}),
        json!({"a": []}),
        json!(7),
    ] {
        let body = json!({"workflow": "sale", "id": "bad", "attributes": attributes});
        let answer = app.send("POST", RUNS, &body).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{attributes}"
        );
        answer.problem();
    }
    let answer = app.get(&format!("{RUNS}/bad")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn many_runs_are_acted_on_by_their_attributes() {
    let app = app().await;
    let body = json!({"action": "retry", "dry_run": true, "attr": ["total:gt:5"]});
    let counted = app.send("POST", "/durable/api/batches", &body).await.json();
    assert_eq!(counted["matching"], 1, "{counted}");
}

#[tokio::test]
async fn workflows_show_the_type_of_their_attributes() {
    let app = app().await;
    let list = app.get("/durable/api/workflows").await.json();
    let schema = &list["workflows"][0]["versions"][0]["attributes_schema"];
    assert!(schema["properties"]["region"].is_object(), "{list}");
}

#[tokio::test]
async fn attributes_are_changed_or_withheld_before_they_are_shown() {
    let app = app().await;
    let hide = |what: &Exposure<'_>, value: Value| match (what.kind, what.name) {
        (ExposureKind::Attribute, "region") => None,
        (ExposureKind::Attribute, "total") => Some(json!("some")),
        _ => Some(value),
    };
    let routes = DurableRouter::default().redact(hide).into_router();
    let router = Router::new()
        .merge(routes)
        .with_durable(app.durable.clone());
    for path in [format!("{RUNS}/one"), format!("{RUNS}?attr=total:eq:5")] {
        let answer = ask(&router, local("GET", &path)).await.json();
        let run = answer.get("run").unwrap_or_else(|| &answer["runs"][0]);
        let expected = json!({"total": "some", "vip": false});
        assert_eq!(run["attributes"], expected, "{path}");
    }
}
