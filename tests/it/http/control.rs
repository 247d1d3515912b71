//! What operators do to a run over HTTP.

use axum::{
    Router,
    http::{StatusCode, request::Parts},
};
use axum_durable::{Access, DurableRouter, MemoryStore, RunStatus, WithDurable as _};
use serde_json::{Value, json};

use super::app::{self, Answer, App, ask_with, local, until};

const RUNS: &str = "/durable/api/runs";

async fn act(app: &App, id: &str, verb: &str, body: Value) -> Answer {
    app.send("POST", &format!("{RUNS}/{id}/{verb}"), &body)
        .await
}

async fn stands(app: &App, id: &str, status: RunStatus) {
    until(&app.durable, id, |run| run.status == status).await;
}

#[tokio::test]
async fn a_run_is_paused_and_resumed() {
    let app = App::new().await;
    app.patient("p").await;
    let paused = act(&app, "p", "pause", json!({"reason": "stock is counted"})).await;
    assert_eq!(paused.status, StatusCode::ACCEPTED);
    assert_eq!(
        paused.json(),
        json!({"run_id": "p", "outcome": "requested"})
    );
    stands(&app, "p", RunStatus::Paused).await;
    let row = app.get(&format!("{RUNS}?status=paused")).await.json();
    assert_eq!(row["runs"][0]["display"], "paused");
    assert_eq!(
        row["runs"][0]["reason"],
        "paused by unnamed: stock is counted"
    );
    let again = act(&app, "p", "pause", json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    again.problem();
    let resumed = app.post(&format!("{RUNS}/p/resume")).await;
    assert_eq!(resumed.json()["outcome"], "resumed");
    app.go("p").await;
    stands(&app, "p", RunStatus::Completed).await;
    let log = app.get(&format!("{RUNS}/p/audit")).await.json();
    let actions: Vec<_> = log["lines"].as_array().unwrap().iter().collect();
    assert_eq!(actions[0]["action"], "resume");
    assert_eq!(
        (&actions[1]["actor"], &actions[1]["reason"]),
        (&json!("unnamed"), &json!("stock is counted"))
    );
}

#[tokio::test]
async fn a_retry_and_a_cancel_leave_lines_too() {
    let app = App::new().await;
    app.patient("p").await;
    act(&app, "p", "cancel", json!({"reason": "no more"})).await;
    stands(&app, "p", RunStatus::Cancelled).await;
    act(&app, "p", "retry", json!({"reason": "after all"})).await;
    let log = app.get(&format!("{RUNS}/p/audit")).await.json();
    assert_eq!(log["lines"][0]["action"], "requeue");
    assert_eq!(log["lines"][1]["reason"], "no more");
    let none = app.get(&format!("{RUNS}/nobody/audit")).await.json();
    assert_eq!(none, json!({"run_id": "nobody", "lines": []}));
}

#[tokio::test]
async fn a_run_is_retried_with_another_input() {
    let app = App::new().await;
    app.unlucky("u").await;
    let body = json!({"input": "other", "reason": "a typo"});
    let answer = act(&app, "u", "retry-with-input", body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["outcome"], "restarted");
    let run = app.durable.get_run("u").await.unwrap().unwrap();
    assert_eq!(run.input.decode::<String>().unwrap(), "other");
    app.greet("g").await;
    let refused = act(&app, "g", "retry-with-input", json!({"input": 1})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.problem();
    let wrong = act(&app, "u", "retry-with-input", json!({"reason": 1})).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.problem();
}

#[tokio::test]
async fn a_fork_is_looked_at_first_and_then_made() {
    let app = App::new().await;
    app.patient("p").await;
    app.go("p").await;
    stands(&app, "p", RunStatus::Completed).await;
    let body = json!({"from_seq": 1, "results": [{"seq": 0, "value": 100}], "dry_run": true});
    let plan = act(&app, "p", "fork", body).await;
    assert_eq!(plan.status, StatusCode::OK);
    let plan = plan.json();
    assert_eq!(plan["run_id"], Value::Null);
    assert_eq!(plan["kept"].as_array().unwrap().len(), 1);
    assert_eq!(
        plan["again"][0],
        json!({"seq": 1, "kind": "signal", "name": "go:p", "status": "completed"})
    );
    let body = json!({"from_seq": 1, "results": [{"seq": 0, "value": 100}], "id": "q"});
    let made = act(&app, "p", "fork", body.clone()).await;
    assert_eq!(made.status, StatusCode::ACCEPTED);
    assert_eq!(made.json()["run_id"], "q");
    app.go("q").await;
    stands(&app, "q", RunStatus::Completed).await;
    let run = app.durable.get_run("q").await.unwrap().unwrap();
    assert_eq!(run.output.unwrap().decode::<u32>().unwrap(), 106);
    let taken = act(&app, "p", "fork", body).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert_eq!(taken.problem()["type"], "urn:axum-durable:refused");
    let null = json!({"from_seq": 0, "input": null});
    assert_eq!(
        act(&app, "p", "fork", null).await.status,
        StatusCode::ACCEPTED
    );
    for (body, status) in [
        (json!({"from_seq": -1}), 422),
        (
            json!({"results": vec![json!({"seq": 0, "value": 1}); 101]}),
            422,
        ),
        (json!({"results": [{"seq": 7, "value": 1}]}), 409),
        (json!({"id": "x".repeat(500)}), 422),
    ] {
        let answer = act(&app, "p", "fork", body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        answer.problem();
    }
}

#[tokio::test]
async fn a_step_is_skipped_and_a_run_made_to_fail() {
    let app = App::new().await;
    app.patient("p").await;
    let answer = act(&app, "p", "skip-step", json!({"seq": 1, "value": 9})).await;
    assert_eq!(answer.json()["outcome"], "skipped");
    stands(&app, "p", RunStatus::Completed).await;
    app.patient("q").await;
    let refused = act(&app, "q", "skip-step", json!({"seq": 0, "value": 9})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.problem()["type"], "urn:axum-durable:refused");
    let wordless = act(&app, "q", "force-fail", json!({})).await;
    assert_eq!(wordless.status, StatusCode::UNPROCESSABLE_ENTITY);
    wordless.problem();
    let failed = act(&app, "q", "force-fail", json!({"reason": "a test"})).await;
    assert_eq!(failed.json()["outcome"], "failed");
    let run = app.get(&format!("{RUNS}/q")).await.json();
    assert_eq!(run["run"]["reason"], "a test");
}

#[tokio::test]
async fn an_ended_run_is_deleted() {
    let app = App::new().await;
    app.patient("p").await;
    let path = format!("{RUNS}/p");
    let refused = app.send("DELETE", &path, &json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.problem();
    app.go("p").await;
    stands(&app, "p", RunStatus::Completed).await;
    let body = json!({"reason": "asked to forget"});
    let deleted = app.send("DELETE", &path, &body).await;
    assert_eq!(deleted.status, StatusCode::OK);
    assert_eq!(deleted.json()["outcome"], "deleted");
    assert_eq!(app.get(&path).await.status, StatusCode::NOT_FOUND);
    let log = app.get(&format!("{path}/audit")).await.json();
    assert_eq!(log["lines"][0]["reason"], "asked to forget");
}

#[tokio::test]
async fn many_runs_are_paused_and_resumed() {
    let app = App::new().await;
    for id in ["p0", "p1"] {
        app.patient(id).await;
    }
    let body = json!({"action": "pause", "id_prefix": "p", "reason": "maintenance"});
    let begun = app.send("POST", "/durable/api/batches", &body).await;
    assert_eq!(begun.json()["eligible"], 2);
    for id in ["p0", "p1"] {
        stands(&app, id, RunStatus::Paused).await;
    }
    let body = json!({"action": "resume", "status": "paused"});
    app.send("POST", "/durable/api/batches", &body).await;
    for id in ["p0", "p1"] {
        until(&app.durable, id, |run| run.status != RunStatus::Paused).await;
        app.go(id).await;
        stands(&app, id, RunStatus::Completed).await;
    }
}

/// What a router with the given access answers.
async fn ask_as(access: Access, method: &str, path: &str, body: Value) -> Answer {
    let durable = app::on(MemoryStore::new(), true).await;
    let check = move |_: Parts| {
        let access = access.clone();
        async move { Ok::<_, StatusCode>(access) }
    };
    let router = Router::new().merge(DurableRouter::default().auth(check));
    let router = router.with_durable(durable);
    let request = local(method, path).header("content-type", "application/json");
    ask_with(&router, request, body.to_string()).await
}

#[tokio::test]
async fn what_bends_the_past_takes_a_right_of_its_own() {
    let clerk = || Access::viewer().with_actions().actor("clerk");
    let chief = || Access::viewer().with_administration().actor("chief");
    let none = format!("{RUNS}/none");
    let edits = json!({"results": [{"seq": 0, "value": 1}]});
    for (method, path, body, clerk_may) in [
        ("DELETE", none.clone(), json!({}), false),
        (
            "POST",
            format!("{none}/skip-step"),
            json!({"seq": 0}),
            false,
        ),
        (
            "POST",
            format!("{none}/force-fail"),
            json!({"reason": "x"}),
            false,
        ),
        ("POST", format!("{none}/fork"), edits, false),
        ("POST", format!("{none}/fork"), json!({}), true),
        (
            "POST",
            format!("{none}/retry-with-input"),
            json!({"input": 1}),
            true,
        ),
        ("POST", format!("{none}/pause"), json!({}), true),
        ("POST", format!("{none}/resume"), json!({}), true),
    ] {
        let by_chief = ask_as(chief(), method, &path, body.clone()).await;
        assert_eq!(by_chief.status, StatusCode::NOT_FOUND, "{path}");
        by_chief.problem();
        let by_clerk = ask_as(clerk(), method, &path, body.clone()).await;
        let expected = if clerk_may { 404 } else { 403 };
        assert_eq!(by_clerk.status.as_u16(), expected, "{path}");
        by_clerk.problem();
        let by_viewer = ask_as(Access::viewer(), method, &path, body).await;
        assert_eq!(by_viewer.status, StatusCode::FORBIDDEN, "{path}");
    }
    let meta = ask_as(clerk(), "GET", "/durable/api/meta", json!(null)).await;
    assert_eq!(
        (
            &meta.json()["access"]["act"],
            &meta.json()["access"]["administer"]
        ),
        (&json!(true), &json!(false))
    );
}
