//! Following a run by server-sent events.

use std::{collections::BTreeMap, time::Duration};

use axum::http::StatusCode;
use axum_durable::MemoryStore;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::app::{App, Events, Sent, ask, local, on};

const STREAM: &str = "/durable/api/runs/p/stream";

async fn finished(app: &App) {
    app.patient("p").await;
    app.go("p").await;
    app.durable.wait_for_run("p").unwrap().await.unwrap();
}

fn checkpoints(events: &[Sent]) -> Vec<&Value> {
    let checkpoints = events.iter().filter(|event| event.event == "checkpoint");
    checkpoints.map(|event| &event.data).collect()
}

#[tokio::test]
async fn a_stream_tells_the_whole_run_and_ends_with_it() {
    let app = App::new().await;
    finished(&app).await;
    let events = Events::open(&app.router, local("GET", STREAM))
        .await
        .rest()
        .await;
    let kinds: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    let all = [
        "checkpoint",
        "checkpoint",
        "checkpoint",
        "checkpoint",
        "run",
        "end",
    ];
    assert_eq!(kinds, all);
    let detail = app.get("/durable/api/runs/p").await.json();
    let mut seen = checkpoints(&events);
    seen.sort_by_key(|checkpoint| checkpoint["seq"].as_u64());
    assert_eq!(json!(seen), detail["timeline"]);
    assert_eq!(events[4].data, detail["run"]);
    assert_eq!(events[4].id, detail["run"]["rev"].as_u64());
    assert_eq!(events[5].data, json!({"status": "completed"}));
    let ids: Vec<_> = events.iter().filter_map(|event| event.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn a_client_goes_on_after_any_event_without_gap_or_double() {
    let app = App::new().await;
    finished(&app).await;
    let whole = Events::open(&app.router, local("GET", STREAM))
        .await
        .rest()
        .await;
    let ids = whole.iter().filter_map(|event| event.id);
    for id in [0].into_iter().chain(ids) {
        let rest = checkpoints(&whole).into_iter();
        let rest: Vec<_> = rest.filter(|it| it["rev"].as_u64() > Some(id)).collect();
        let request = local("GET", STREAM).header("last-event-id", id);
        let resumed = Events::open(&app.router, request).await.rest().await;
        assert_eq!(checkpoints(&resumed), rest, "after {id}");
        let request = local("GET", &format!("{STREAM}?after={id}"));
        assert_eq!(
            Events::open(&app.router, request).await.rest().await,
            resumed
        );
    }
}

#[tokio::test]
async fn what_happens_while_a_client_is_away_comes_when_it_is_back() {
    let app = App::new().await;
    app.patient("p").await;
    let mut first = Events::open(&app.router, local("GET", STREAM)).await;
    let before = first.up_to("run").await;
    assert_eq!(before.last().unwrap().data["status"], "suspended");
    let last = before.iter().rev().find_map(|event| event.id).unwrap();
    drop(first);
    app.go("p").await;
    app.durable.wait_for_run("p").unwrap().await.unwrap();
    let request = local("GET", STREAM).header("last-event-id", last);
    let after = Events::open(&app.router, request).await.rest().await;
    let names = |events: &[Sent]| -> Vec<String> {
        let names = checkpoints(events).into_iter();
        names
            .map(|it| format!("{} {}", it["name"], it["status"]))
            .collect()
    };
    let expected = [r#""one" "completed""#, r#""go:p" "waiting""#];
    assert_eq!(names(&before), expected);
    let expected = [
        r#""go:p" "completed""#,
        r#""two" "completed""#,
        r#""three" "completed""#,
    ];
    assert_eq!(names(&after), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_breaks_off_again_and_again_sees_a_busy_run_whole() {
    const PAIRS: u32 = 300;
    let app = App::new().await;
    app.busy("b", PAIRS).await;
    let mut seen = BTreeMap::<u64, Value>::new();
    let mut last = 0;
    let mut has_ended = false;
    while !has_ended {
        let request = local("GET", "/durable/api/runs/b/stream").header("last-event-id", last);
        let mut events = Events::open(&app.router, request).await;
        // Broken off in the middle of what one look at the store gave.
        for _ in 0..7 {
            let Some(event) = events.next().await else {
                break;
            };
            has_ended |= event.event == "end";
            if event.event == "checkpoint" {
                let (seq, rev) = (event.data["seq"].as_u64(), event.data["rev"].as_u64());
                let before = seen.insert(seq.unwrap(), event.data);
                // Later news of an operation, or the rest of a revision that was broken off.
                let before = before.and_then(|before| before["rev"].as_u64());
                assert!(
                    before <= rev && rev > Some(last),
                    "{before:?} {rev:?} {last}"
                );
            }
            last = event.id.unwrap_or(last);
        }
    }
    let detail = app.get("/durable/api/runs/b").await.json();
    let rest = app.get("/durable/api/runs/b?from_seq=500").await.json();
    assert_eq!(detail["timeline_next"], 500);
    let pages = [&detail["timeline"], &rest["timeline"]];
    let timeline: Vec<_> = pages
        .iter()
        .flat_map(|page| page.as_array().unwrap())
        .collect();
    assert_eq!(timeline.len(), 2 * PAIRS as usize);
    assert_eq!(seen.values().collect::<Vec<_>>(), timeline);
}

#[tokio::test]
async fn an_open_stream_tells_what_happens_meanwhile() {
    let app = App::new().await;
    app.patient("p").await;
    let mut events = Events::open(&app.router, local("GET", STREAM)).await;
    events.up_to("run").await;
    app.go("p").await;
    let rest = events.rest().await;
    assert_eq!(rest.last().unwrap().event, "end");
    let last = checkpoints(&rest);
    let last = last.iter().find(|it| it["name"] == "three");
    assert_eq!(last.unwrap()["result"], 7);
}

#[tokio::test]
async fn a_run_that_executes_elsewhere_can_be_followed() {
    let store = MemoryStore::new();
    let driver = App::of(on(store.clone(), true).await);
    let api = App::of(on(store, false).await);
    driver.patient("p").await;
    let mut events = Events::open(&api.router, local("GET", STREAM)).await;
    events.up_to("run").await;
    driver.go("p").await;
    assert_eq!(
        events.rest().await.last().unwrap().data["status"],
        "completed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_executes_elsewhere_is_followed_without_delay() {
    let store = MemoryStore::new();
    let driver = App::of(on(store.clone(), true).await);
    let api = App::of(on(store, false).await);
    driver.patient("p").await;
    let mut events = Events::open(&api.router, local("GET", STREAM)).await;
    events.up_to("run").await;
    // Shortly after a look at the store, by a clock that stands still while anything happens.
    tokio::time::timeout(Duration::from_millis(20_100), events.next())
        .await
        .unwrap_err();
    let begun = Instant::now();
    driver.go("p").await;
    let end = events.rest().await;
    assert_eq!(end.last().unwrap().data["status"], "completed");
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(200), "it polled: {took:?}");
}

#[tokio::test]
async fn a_cancel_from_outside_ends_the_stream() {
    let app = App::new().await;
    app.patient("p").await;
    let mut events = Events::open(&app.router, local("GET", STREAM)).await;
    events.up_to("run").await;
    app.post("/durable/api/runs/p/cancel").await;
    let rest = events.rest().await;
    assert_eq!(rest.last().unwrap().data, json!({"status": "cancelled"}));
}

#[tokio::test]
async fn a_stopping_instance_says_good_bye() {
    let app = App::new().await;
    app.patient("p").await;
    let mut events = Events::open(&app.router, local("GET", STREAM)).await;
    events.up_to("run").await;
    app.durable.shutdown().await;
    let rest = events.rest().await;
    assert_eq!(rest.last().unwrap().event, "bye");
}

#[tokio::test]
async fn a_position_that_is_none_is_refused() {
    let app = App::new().await;
    app.patient("p").await;
    let request = local("GET", STREAM).header("last-event-id", "yesterday");
    let answer = ask(&app.router, request).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.problem();
}
