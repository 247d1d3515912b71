//! The steps that execute now, which nothing stored tells of.

use axum_durable::{MemoryStore, RunStatus};
use serde_json::{Value, json};

use super::app::{self, App, Events, endless, local, stubborn, until};

async fn follow(app: &App, run: &str) -> Events {
    let path = format!("/durable/api/stream?topic=run:{run}");
    Events::open(&app.router, local("GET", &path)).await
}

/// What the stream says of steps under way, once `test` says yes to it.
async fn told(events: &mut Events, test: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = events.next().await.expect("the stream goes on");
        if event.data["kind"] == "under_way" && test(&event.data["data"]) {
            return event.data["data"].clone();
        }
    }
}

fn names(under_way: &Value) -> Vec<&str> {
    let steps = under_way["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_step_that_executes_is_shown_though_nothing_of_it_is_stored() {
    let app = App::new().await;
    app.durable.start(endless, ()).id("e").await.unwrap();
    let mut events = follow(&app, "e").await;
    let under_way = told(&mut events, |it| !names(it).is_empty()).await;
    assert_eq!(names(&under_way), ["endless"]);
    let step = &under_way["steps"][0];
    assert_eq!([&step["seq"], &step["attempt"]], [&json!(0), &json!(1)]);
    assert_eq!(under_way["is_here"], true);
    let began_at = step["began_at"].as_i64().unwrap();
    assert!(began_at <= under_way["at"].as_i64().unwrap());
    assert!(step["started_at"].as_i64().unwrap() <= began_at);
    let detail = app.get("/durable/api/runs/e").await.json();
    assert_eq!(detail["timeline"], json!([]));
    assert_eq!(detail["under_way"]["steps"], under_way["steps"]);
    assert_eq!(detail["under_way"]["instance"], detail["run"]["owner"]);
    // And no longer once it was cut off.
    app.post("/durable/api/runs/e/cancel").await;
    let over = told(&mut events, |it| it["instance"].is_null()).await;
    assert_eq!(over["steps"], json!([]));
    let detail = app.get("/durable/api/runs/e").await.json();
    assert_eq!(detail["under_way"]["steps"], json!([]));
    assert_eq!(detail["under_way"]["is_here"], false);
}

#[tokio::test]
async fn another_instance_says_that_it_does_not_know() {
    let store = MemoryStore::new();
    let driver = App::of(app::on(store.clone(), true).await);
    let viewer = App::of(app::on(store, false).await);
    driver.durable.start(endless, ()).id("e").await.unwrap();
    let mut here = follow(&driver, "e").await;
    told(&mut here, |it| !names(it).is_empty()).await;
    let mut events = follow(&viewer, "e").await;
    let under_way = told(&mut events, |_| true).await;
    let detail = viewer.get("/durable/api/runs/e").await.json();
    for it in [&under_way, &detail["under_way"]] {
        assert_eq!(it["is_here"], false);
        assert_eq!(it["steps"], json!([]));
        assert_eq!(it["instance"], detail["run"]["owner"]);
    }
    assert!(detail["run"]["owner"].is_string());
}

#[tokio::test]
async fn an_attempt_says_which_it_is_and_what_the_last_one_left_stays() {
    let app = App::new().await;
    app.durable.start(stubborn, ()).id("s").await.unwrap();
    let mut events = follow(&app, "s").await;
    let second = |it: &Value| it["steps"][0]["attempt"] == 2;
    let under_way = told(&mut events, second).await;
    let step = &under_way["steps"][0];
    assert!(step["started_at"].as_i64() <= step["began_at"].as_i64());
    let detail = app.get("/durable/api/runs/s").await.json();
    let stored = &detail["timeline"][0];
    assert_eq!(
        [&stored["status"], &stored["attempt"]],
        [&json!("retrying"), &json!(1)]
    );
    assert_eq!(detail["under_way"]["steps"], under_way["steps"]);
}

#[tokio::test]
async fn the_stream_of_one_run_tells_it_too_and_a_wait_is_no_step() {
    let app = App::new().await;
    app.durable.start(endless, ()).id("e").await.unwrap();
    let path = "/durable/api/runs/e/stream";
    let mut events = Events::open(&app.router, local("GET", path)).await;
    loop {
        let told = events.up_to("under_way").await;
        if names(&told.last().unwrap().data) == ["endless"] {
            break;
        }
    }
    app.patient("p").await;
    until(&app.durable, "p", |run| run.status == RunStatus::Suspended).await;
    let detail = app.get("/durable/api/runs/p").await.json();
    assert_eq!(detail["under_way"]["steps"], json!([]));
}
