//! Starting, signalling, retrying and cancelling over HTTP, one by one and many at once.

use axum::{Router, http::StatusCode};
use axum_durable::{Durable, DurableRouter, MemoryStore, RunStatus, WithDurable as _, id::RunId};
use serde_json::{Value, json};

use super::app::{self, Answer, App, ask_with, guarded, halver, local, outsourced, until};

const RUNS: &str = "/durable/api/runs";

async fn start(app: &App, body: Value) -> Answer {
    app.send("POST", RUNS, &body).await
}

#[tokio::test]
async fn a_run_is_started_by_name() {
    let app = App::new().await;
    let body = json!({"workflow": "greet", "id": "a/b", "input": "Ada", "tags": ["web", "eu"]});
    let answer = start(&app, body.clone()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["run_id"], "a/b");
    until(&app.durable, "a/b", |run| {
        run.status == RunStatus::Completed
    })
    .await;
    let run = app.get(&format!("{RUNS}/a%2Fb")).await.json();
    assert_eq!(run["run"]["output"], "hello, Ada");
    assert_eq!(run["run"]["tags"], json!(["eu", "polite", "web"]));
    // The same id again finds the first run.
    assert_eq!(start(&app, body).await.json()["status"], "completed");
    let delayed = json!({"workflow": "greet", "id": "d", "input": "A", "delay_ms": 3_600_000});
    assert_eq!(start(&app, delayed).await.status, StatusCode::ACCEPTED);
    let row = app.get(&format!("{RUNS}?id_prefix=d")).await.json();
    assert_eq!(row["runs"][0]["display"], "delayed");
    assert!(row["runs"][0]["until"].is_i64());
}

#[tokio::test]
async fn a_run_is_started_with_a_priority() {
    let app = App::new().await;
    for (id, priority) in [
        ("least", Some(i32::MIN)),
        ("more", Some(7)),
        ("usual", None),
    ] {
        let mut body = json!({"workflow": "greet", "id": id, "input": "Ada"});
        if let Some(priority) = priority {
            body["priority"] = priority.into();
        }
        assert_eq!(start(&app, body).await.status, StatusCode::ACCEPTED);
        let detail = app.get(&format!("{RUNS}/{id}")).await.json();
        assert_eq!(detail["run"]["priority"], priority.unwrap_or(0), "{id}");
        let list = app.get(&format!("{RUNS}?id_prefix={id}")).await.json();
        assert_eq!(list["runs"][0]["priority"], priority.unwrap_or(0), "{id}");
    }
}

#[tokio::test]
async fn a_wrong_start_is_refused_with_a_reason() {
    let app = App::new().await;
    let many: Vec<_> = (0..99).map(|n| n.to_string()).collect();
    for (body, status) in [
        (json!({"workflow": "none", "input": 1}), 404),
        (json!({"workflow": "greet", "version": 9}), 404),
        (json!({"input": 1}), 422),
        (json!({"workflow": "greet", "colour": "red"}), 422),
        (json!({"workflow": "greet", "tags": many}), 422),
        (json!({"workflow": "greet", "tags": [""]}), 422),
        (json!({"workflow": "greet", "delay_ms": u64::MAX}), 422),
        (json!({"workflow": "greet", "delay_ms": -1}), 422),
        (json!({"workflow": "greet", "priority": "high"}), 422),
        (json!({"workflow": "greet", "priority": 1.5}), 422),
        (
            json!({"workflow": "greet", "priority": 2_147_483_648_u32}),
            422,
        ),
        (json!({"workflow": "greet", "id": "x".repeat(500)}), 422),
        (json!([1, 2]), 422),
    ] {
        let answer = start(&app, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        answer.problem();
    }
    let broken = local("POST", RUNS).header("content-type", "application/json");
    let answer = ask_with(&app.router, broken, "{\"workflow\": ").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.problem();
    // A form of another site could send text, and never JSON by that name.
    let plain = local("POST", RUNS).header("content-type", "text/plain");
    let answer = ask_with(&app.router, plain, "{\"workflow\": \"greet\"}").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    answer.problem();
    assert_eq!(app.get(RUNS).await.json()["runs"], json!([]));
}

#[tokio::test]
async fn a_signal_is_taken_once() {
    let app = App::new().await;
    app.patient("p").await;
    let path = "/durable/api/signals/go:p";
    let id = "01a1f9d5-4090-7471-8edd-95ee315f65b3";
    let body = json!({"value": 5, "id": id, "reason": "it is time"});
    let sent = app.send("POST", path, &body).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    assert_eq!(sent.json(), json!({"outcome": "delivered"}));
    let again = app.send("POST", path, &body).await;
    assert_eq!(again.json(), json!({"outcome": "duplicate"}));
    until(&app.durable, "p", |run| run.status == RunStatus::Completed).await;
    let early = app
        .send("POST", "/durable/api/signals/go:q", &json!({"value": 1}))
        .await;
    assert_eq!(early.json(), json!({"outcome": "buffered"}));
    for (path, body) in [
        (path, json!({"value": 5, "id": "seven"})),
        (path, json!({"payload": 5})),
    ] {
        let answer = app.send("POST", path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        answer.problem();
    }
    let long = format!("/durable/api/signals/{}", "x".repeat(500));
    let answer = app.send("POST", &long, &json!({"value": 5})).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_event_is_published_once() {
    let app = App::new().await;
    let path = "/durable/api/events/order.paid";
    let body = json!({"payload": {"order": 7}, "id": "one", "reason": "by hand"});
    let sent = app.send("POST", path, &body).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    assert_eq!(
        sent.json(),
        json!({"outcome": "published", "runs": 0, "started": 0})
    );
    let again = app.send("POST", path, &body).await;
    assert_eq!(
        again.json(),
        json!({"outcome": "duplicate", "runs": 0, "started": 0})
    );
    let month = json!({"keep_ms": 32_u64 * 86_400_000});
    let long = format!("/durable/api/events/{}", "x".repeat(500));
    for (path, body) in [
        (path, month),
        (path, json!({"id": "x".repeat(500)})),
        (path, json!({"value": 5})),
        (&*long, json!({"payload": 5})),
    ] {
        let answer = app.send("POST", path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        answer.problem();
    }
    // Who may only look publishes nothing.
    let router: Router = DurableRouter::new().read_only().into_router();
    let router = router.with_durable(app.durable.clone());
    let request = local("POST", path).header("content-type", "application/json");
    let answer = ask_with(&router, request, body.to_string()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_reason_may_be_given_or_left_out() {
    let app = App::new().await;
    for (n, body) in [json!({"reason": "no more"}), json!({})].iter().enumerate() {
        let id = format!("p{n}");
        app.patient(&id).await;
        let answer = app.send("POST", &format!("{RUNS}/{id}/cancel"), body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    app.patient("p").await;
    for body in [json!({"why": "x"}), json!("text"), json!({"reason": 7})] {
        let answer = app.send("POST", &format!("{RUNS}/p/cancel"), &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        answer.problem();
    }
    let run = app.durable.get_run("p").await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Suspended);
}

#[tokio::test]
async fn a_run_goes_on_from_its_breakpoint() {
    let app = App::new().await;
    app.durable.start(guarded, ()).id("g").await.unwrap();
    until(&app.durable, "g", |run| run.status == RunStatus::Suspended).await;
    let row = app.get(RUNS).await.json();
    assert_eq!(row["runs"][0]["display"], "breakpoint");
    assert_eq!(row["runs"][0]["reason"], "look");
    let went = app.post(&format!("{RUNS}/g/continue")).await;
    assert_eq!(went.status, StatusCode::ACCEPTED);
    assert_eq!(went.json()["outcome"], "continued");
    until(&app.durable, "g", |run| run.status == RunStatus::Completed).await;
    let again = app.post(&format!("{RUNS}/g/continue")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(
        again.problem()["type"],
        "urn:axum-durable:not-at-breakpoint"
    );
    let unknown = app.post(&format!("{RUNS}/none/continue")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_task_is_finished_by_its_token() {
    let app = App::new().await;
    let mut outcomes = Vec::new();
    for (id, verb, body) in [
        ("a", "complete", json!({"value": 7, "reason": "done"})),
        ("b", "fail", json!({"code": "no", "message": "not today"})),
    ] {
        app.durable.start(outsourced, ()).id(id).await.unwrap();
        until(&app.durable, id, |run| run.status == RunStatus::Suspended).await;
        let run = RunId::parse(id).unwrap();
        let record = app.durable.control().load(&run).await.unwrap().unwrap();
        let token = record.history[0].result.as_ref().unwrap();
        let token: String = token.decode().unwrap();
        let path = format!("/durable/api/tasks/{token}/{verb}");
        let sent = app.send("POST", &path, &body).await;
        assert_eq!(sent.status, StatusCode::ACCEPTED);
        assert_eq!(sent.json(), json!({"outcome": "delivered"}));
        until(&app.durable, id, |run| run.status.is_terminal()).await;
        outcomes.push(app.durable.get_run(id).await.unwrap().unwrap());
    }
    let [done, failed] = outcomes.as_slice() else {
        panic!("two runs")
    };
    assert_eq!(done.output.as_ref().unwrap().as_text(), Some("7"));
    assert_eq!(failed.failure.as_ref().unwrap().code.as_deref(), Some("no"));
    let none = "/durable/api/tasks/none/complete";
    let unknown = app.send("POST", none, &json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    unknown.problem();
}

#[tokio::test]
async fn an_update_has_its_answer_in_the_answer() {
    let app = App::new().await;
    app.durable.start(halver, ()).id("h").await.unwrap();
    let path = format!("{RUNS}/h/updates/halve");
    for (body, status) in [
        (json!({"args": 6, "id": "x", "reason": "half will do"}), 200),
        (json!({"args": 7}), 422),
        (json!({"args": "text"}), 422),
        (json!({"args": 8}), 409),
        (json!({"args": 6, "within_ms": 90_000}), 422),
        (json!({"value": 6}), 422),
        (json!({"args": 6, "id": "x"}), 200),
    ] {
        let answer = app.send("POST", &path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        if status == 200 {
            assert_eq!(answer.json(), json!({"reply": 3}));
        } else {
            answer.problem();
        }
    }
    let odd = app.send("POST", &path, &json!({"args": 7})).await.problem();
    assert_eq!(odd["type"], "urn:axum-durable:update-rejected");
    assert_eq!(odd["detail"], "update `halve` is refused: it is odd");
    let other = format!("{RUNS}/h/updates/other");
    let late = json!({"args": 6, "within_ms": 1});
    let late = app.send("POST", &other, &late).await;
    assert_eq!(late.status, StatusCode::SERVICE_UNAVAILABLE);
    let unknown = format!("{RUNS}/none/updates/halve");
    let unknown = app.send("POST", &unknown, &json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_signal_may_be_for_one_run() {
    let app = App::new().await;
    app.patient("p").await;
    // The run waits for a token that is not its own.
    let body = json!({"value": 5});
    let path = |run: &str| format!("{RUNS}/{run}/signals/go:p");
    let sent = app.send("POST", &path("p"), &body).await;
    assert_eq!(sent.json(), json!({"outcome": "buffered"}));
    let unknown = app.send("POST", &path("none"), &body).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    app.durable.cancel("p").await.unwrap();
    until(&app.durable, "p", |run| run.status.is_terminal()).await;
    let ended = app.send("POST", &path("p"), &body).await;
    assert_eq!(ended.status, StatusCode::CONFLICT);
}

async fn batch(app: &App, body: Value) -> Answer {
    app.send("POST", "/durable/api/batches", &body).await
}

#[tokio::test]
async fn many_runs_are_counted_first_and_then_acted_on() {
    let app = App::new().await;
    for n in 0..5 {
        app.patient(&format!("p{n}")).await;
    }
    app.greet("g").await;
    let plan = json!({"action": "cancel", "dry_run": true});
    let counted = batch(&app, plan).await;
    assert_eq!(counted.status, StatusCode::OK);
    let counted = counted.json();
    assert_eq!(counted["state"], "counted");
    assert_eq!(
        (&counted["matching"], &counted["eligible"]),
        (&json!(6), &json!(5))
    );
    assert_eq!(
        app.get("/durable/api/batches").await.json()["batches"],
        json!([])
    );

    let narrow = json!({"action": "cancel", "id_prefix": "p", "ids": ["p0", "p1", "none"], "reason": "enough"});
    let begun = batch(&app, narrow).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    for id in ["p0", "p1"] {
        until(&app.durable, id, |run| run.status == RunStatus::Cancelled).await;
    }
    let run = app.durable.get_run("p2").await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Suspended);
    let shown = loop {
        let shown = app.get(&format!("/durable/api/batches/{id}")).await.json();
        if shown["state"] != "running" {
            break shown;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (&shown["state"], &shown["taken"]),
        (&json!("done"), &json!(2))
    );

    let ended = app
        .send("DELETE", &format!("/durable/api/batches/{id}"), &json!({}))
        .await;
    assert_eq!(ended.json()["state"], "done");

    let retried = batch(
        &app,
        json!({"action": "retry", "status": "cancelled,failed"}),
    )
    .await;
    assert_eq!(retried.json()["eligible"], 2);
    for id in ["p0", "p1"] {
        until(&app.durable, id, |run| run.status == RunStatus::Suspended).await;
    }
}

#[tokio::test]
async fn many_runs_are_cancelled_and_undo_what_they_did() {
    let app = App::new().await;
    for id in ["t1", "t2"] {
        app.trip(id).await;
    }
    app.patient("p").await;
    let asked = json!({"action": "cancel", "compensate": true, "q": "workflow:trip newer:1h"});
    let mut plan = asked.clone();
    plan["dry_run"] = json!(true);
    let plan = batch(&app, plan).await;
    assert_eq!(plan.status, StatusCode::OK);
    let plan = plan.json();
    assert_eq!(
        (&plan["eligible"], &plan["compensate"], &plan["state"]),
        (&json!(2), &json!(true), &json!("counted"))
    );
    assert_eq!(batch(&app, asked).await.status, StatusCode::ACCEPTED);
    for id in ["t1", "t2"] {
        until(&app.durable, id, |run| run.status == RunStatus::Cancelled).await;
        let run = app.get(&format!("{RUNS}/{id}")).await.json();
        let steps = run["timeline"].as_array().unwrap().iter();
        let undone = steps.filter(|it| it["kind"] == "compensation");
        let undone: Vec<_> = undone.map(|it| it["name"].as_str().unwrap()).collect();
        let expected = [
            "give up insurance",
            "cancel flight",
            "cancel flight",
            "leave hotel",
        ];
        assert_eq!(undone, expected);
    }
    let other = app.durable.get_run("p").await.unwrap().unwrap();
    assert_eq!(other.status, RunStatus::Suspended);
}

#[tokio::test]
async fn what_a_cancellation_would_undo_is_said_before() {
    let store = MemoryStore::new();
    let app = App::of(app::on(store.clone(), true).await);
    app.trip("t").await;
    let undo = app.get(&format!("{RUNS}/t/undo")).await.json();
    let steps = |kind: &str| -> Vec<(String, Value)> {
        let steps = undo[kind].as_array().unwrap().iter();
        let name = |step: &Value| step["name"].as_str().unwrap().to_owned();
        steps.map(|it| (name(it), it["undo"].clone())).collect()
    };
    let step = |name: &str, undo: &str| (name.to_owned(), json!(undo));
    assert_eq!(
        steps("undone"),
        [
            // A function of the workflow has asked for this one.
            step("insure", "give up insurance"),
            step("flight 2", "cancel flight"),
            step("flight 1", "cancel flight"),
            step("hotel", "leave hotel"),
        ]
    );
    assert_eq!(steps("left"), [("mail".to_owned(), Value::Null)]);
    assert_eq!(steps("unknown"), []);
    // Nothing was done to find out.
    let run = app.durable.get_run("t").await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Suspended);
    // Who does not have the code does not know.
    let other = Durable::builder().store(store).only_registered();
    let other = App::of(other.drive(false).build().await.unwrap());
    let unknown = other.get(&format!("{RUNS}/t/undo")).await.json();
    assert_eq!([&unknown["undone"], &unknown["left"]], [&json!([]); 2]);
    assert_eq!(unknown["unknown"].as_array().unwrap().len(), 5);
    app.durable.cancel("t").compensate().await.unwrap();
    until(&app.durable, "t", |run| run.status == RunStatus::Cancelled).await;
    let undo = app.get(&format!("{RUNS}/t/undo")).await.json();
    assert_eq!(undo["undone"], json!([]));
    let none = app.get(&format!("{RUNS}/none/undo")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wrong_batch_is_refused() {
    let app = App::new().await;
    for (body, status) in [
        (json!({"action": "explode"}), 422),
        (json!({"action": "retry", "status": "done"}), 400),
        (json!({"action": "retry", "compensate": true}), 400),
        (json!({"action": "cancel", "q": "colour:red"}), 400),
        (json!({"action": "cancel", "q": "tag:a", "tag": "b"}), 400),
        (json!({}), 422),
    ] {
        let answer = batch(&app, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        answer.problem();
    }
    let path = "/durable/api/batches/none";
    assert_eq!(app.get(path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        app.send("DELETE", path, &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}
