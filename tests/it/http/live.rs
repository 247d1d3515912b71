//! The one stream that a page follows.

use axum::http::StatusCode;
use axum_durable::{MemoryStore, RunStatus};
use serde_json::Value;

use super::app::{self, App, Events, Sent, local, until};

const STREAM: &str = "/durable/api/stream";

async fn open(app: &App, query: &str) -> Events {
    Events::open(&app.router, local("GET", &format!("{STREAM}?{query}"))).await
}

/// The next `ev` event about which `test` says yes; those before it are left out.
async fn next(events: &mut Events, test: impl Fn(&Value) -> bool) -> Sent {
    loop {
        let event = events.next().await.expect("the stream goes on");
        if event.event == "ev" && test(&event.data) {
            return event;
        }
    }
}

fn is_run(id: &'static str, status: &'static str) -> impl Fn(&Value) -> bool {
    move |data| {
        data["kind"] == "run" && data["data"]["id"] == id && data["data"]["status"] == status
    }
}

#[tokio::test]
async fn the_list_is_told_of_each_run() {
    let app = App::new().await;
    let mut events = open(&app, "topic=runs").await;
    assert_eq!(events.next().await.unwrap().event, "hello");
    app.patient("p").await;
    let waits = next(&mut events, is_run("p", "suspended")).await;
    assert_eq!(waits.data["topic"], "runs");
    assert_eq!(waits.data["data"]["display"], "waiting_signal");
    app.go("p").await;
    let done = next(&mut events, is_run("p", "completed")).await;
    let number = |sent: &Sent| -> u64 {
        let position = sent.position.clone().unwrap();
        position.rsplit_once('-').unwrap().1.parse().unwrap()
    };
    assert!(number(&done) > number(&waits));
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_and_nothing_twice() {
    let app = App::new().await;
    let mut events = open(&app, "topic=runs").await;
    app.patient("a").await;
    let seen = next(&mut events, is_run("a", "suspended")).await;
    drop(events);
    app.patient("b").await;
    app.go("a").await;
    until(&app.durable, "a", |run| run.status == RunStatus::Completed).await;
    let after = seen.position.unwrap();
    let mut events = open(&app, &format!("topic=runs&after={after}")).await;
    let mut told = Vec::new();
    let mut positions = Vec::new();
    loop {
        let event = events.next().await.unwrap();
        assert_ne!(event.event, "resync");
        if event.event != "ev" {
            continue;
        }
        positions.push(event.position.unwrap());
        let run = &event.data["data"];
        told.push((run["id"].to_string(), run["rev"].as_u64().unwrap()));
        let has = |id: &str, status: &str| run["id"] == id && run["status"] == status;
        if has("a", "completed") {
            break;
        }
    }
    assert!(!positions.contains(&after));
    let mut distinct = told.clone();
    distinct.dedup();
    assert_eq!(distinct, told);
}

#[tokio::test]
async fn a_position_that_is_not_known_means_reading_again() {
    let app = App::new().await;
    for after in ["elsewhere-7", "nonsense", "", "-"] {
        let mut events = open(&app, &format!("topic=runs&after={after}")).await;
        assert_eq!(events.next().await.unwrap().event, "hello");
        let resync = events.next().await.unwrap();
        assert_eq!(resync.event, "resync", "{after}");
        assert!(resync.position.is_some());
    }
    // The position of a list is one of the stream.
    let list = app.get("/durable/api/runs").await.json();
    let position = list["event_id"].as_str().unwrap();
    let mut events = open(&app, &format!("topic=runs&after={position}")).await;
    assert_eq!(events.next().await.unwrap().event, "hello");
    app.greet("g").await;
    let event = events.next().await.unwrap();
    assert_eq!(event.event, "ev");
}

#[tokio::test]
async fn a_run_is_followed_after_what_was_seen() {
    let app = App::new().await;
    app.patient("p").await;
    let detail = app.get("/durable/api/runs/p?payloads=false").await.json();
    let rev = detail["run"]["rev"].as_u64().unwrap();
    app.go("p").await;
    until(&app.durable, "p", |run| run.status == RunStatus::Completed).await;
    let mut events = open(&app, &format!("topic=run:p@{rev}")).await;
    let mut steps = Vec::new();
    let run = loop {
        let event = events.next().await.unwrap();
        match (event.event.as_str(), event.data["kind"].as_str()) {
            ("ev", Some("step")) => {
                assert_eq!(event.data["topic"], "run:p");
                assert_ne!(event.data["data"]["result"], 6, "no payloads in streams");
                steps.push(event.data["data"]["seq"].as_u64().unwrap());
            }
            ("ev", Some("run")) => break event.data["data"].clone(),
            _ => {}
        }
    };
    assert_eq!(run["status"], "completed");
    steps.sort_unstable();
    assert_eq!(steps, [1, 2, 3], "what was seen before is not told again");
}

#[tokio::test]
async fn several_topics_share_a_stream() {
    let app = App::new().await;
    app.patient("a").await;
    app.patient("b").await;
    let mut events = open(&app, "topic=runs&topic=run:a@0&topic=run:none").await;
    next(&mut events, |data| {
        data["kind"] == "gone" && data["topic"] == "run:none"
    })
    .await;
    app.go("b").await;
    let event = next(&mut events, is_run("b", "completed")).await;
    assert_eq!(event.data["topic"], "runs");
    app.go("a").await;
    let of_a = |data: &Value| data["topic"] == "run:a" && data["data"]["status"] == "completed";
    next(&mut events, |data| data["kind"] == "run" && of_a(data)).await;
}

#[tokio::test]
async fn an_instance_that_only_answers_shows_what_others_do() {
    let store = MemoryStore::new();
    let driver = App::of(app::on(store.clone(), true).await);
    let viewer = App::of(app::on(store, false).await);
    let mut events = open(&viewer, "topic=runs&topic=run:p").await;
    assert_eq!(events.next().await.unwrap().event, "hello");
    driver.patient("p").await;
    next(&mut events, is_run("p", "suspended")).await;
    driver.go("p").await;
    next(&mut events, is_run("p", "completed")).await;
}

#[tokio::test]
async fn the_stream_ends_with_the_instance() {
    let app = App::new().await;
    let mut events = open(&app, "topic=runs").await;
    assert_eq!(events.next().await.unwrap().event, "hello");
    app.durable.shutdown().await;
    let rest = events.rest().await;
    assert_eq!(rest.last().unwrap().event, "bye");
}

#[tokio::test]
async fn a_wrong_topic_is_refused() {
    let app = App::new().await;
    let many = (0..9)
        .map(|n| format!("topic=run:{n}"))
        .collect::<Vec<_>>()
        .join("&");
    for (query, status) in [
        ("", 400),
        ("after=1", 400),
        ("topic=workers", 400),
        ("topic=runs&colour=red", 400),
        (many.as_str(), 400),
        ("topic=run:", 422),
    ] {
        let answer = app.get(&format!("{STREAM}?{query}")).await;
        assert_eq!(
            answer.status,
            StatusCode::from_u16(status).unwrap(),
            "{query}"
        );
        answer.problem();
    }
}
