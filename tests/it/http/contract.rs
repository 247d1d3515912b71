//! Every operation of the OpenAPI document, asked rightly and wrongly.

use std::{collections::BTreeSet, time::Duration};

use axum::{Router, http::StatusCode};
use axum_durable::{Durable, RunStatus, id::RunId};
use serde_json::{Value, json};

use super::app::{self, Answer, App, Events, ask_with, local, until};
use super::problems::misfits;

const API: &str = "/durable/api";

/// A right request for an operation.
pub(super) struct Right {
    pub(super) operation: &'static str,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) status: u16,
}

/// Right requests for all operations, in the order in which they can be sent. They are about runs
/// that have completed (`done`, `old`), failed (`failed-1` to `-3`), wait (`waiting-1` to `-5`) or
/// are paused (`paused`), `half` of which can be updated, `break` at a breakpoint, `task-1` and
/// `task-2`, whose tokens are given, and a batch.
pub(super) fn rights(tokens: &[String; 2], batch: &str) -> Vec<Right> {
    let batch = format!("/batches/{batch}");
    let streams = "/stream?topic=runs&topic=run:done&topic=run:failed-1";
    let last = [
        get("list_batches", "/batches"),
        get("get_batch", &batch),
        ("abort_batch", batch.clone(), None, 200),
        ("delete_run", "/runs/old".to_owned(), None, 200),
        get("follow", streams),
    ];
    let all = reads().into_iter().chain(sent(tokens));
    let all = all.chain(controls()).chain(last);
    let rights = all.map(|(operation, path, body, status)| Right {
        operation,
        path,
        body,
        status,
    });
    rights.collect()
}

type Asked = (&'static str, String, Option<Value>, u16);

fn get(operation: &'static str, path: &str) -> Asked {
    (operation, path.to_owned(), None, 200)
}

fn reads() -> Vec<Asked> {
    let mut all = vec![
        get("get_openapi", "/openapi.json"),
        get("get_meta", "/meta"),
        get("list_workflows", "/workflows"),
        get("get_workflow", "/workflows/halver"),
        get("rehearse_workflow", "/workflows/patient/rehearsal?limit=2"),
        get("list_workers", "/workers"),
        get("get_metrics", "/metrics"),
        get("list_runs", "/runs?limit=200"),
        get(
            "list_runs",
            "/runs?status=failed,dead&workflow=w&since=1&parent=&tag=",
        ),
        get(
            "list_runs",
            "/runs?parent=done&id_prefix=d&until=99999999999999",
        ),
        get("list_runs", "/runs?q=is:broken%20newer:1h"),
        get("get_facets", "/facets"),
        get("get_facets", "/facets?q=workflow:greet&tag=polite"),
        get("get_survey", "/survey"),
        get("list_failures", "/failures"),
        get("follow_run", "/runs/failed-1/stream"),
        get("follow_run", "/runs/done/stream?after=0"),
        get("get_published_value", "/runs/done/events/greeting"),
        get("download_run_payload", "/runs/done/payloads/input"),
        get("download_run_payload", "/runs/done/payloads/output"),
        get("download_step_payload", "/runs/done/steps/0/payload"),
    ];
    for run in ["done", "failed-1", "waiting-1", "half"] {
        for (operation, path) in [
            ("get_run", ""),
            ("get_run", "?from_seq=0&payloads=false"),
            ("explain_run", "/explain"),
            ("get_run_payloads", "/payloads"),
            ("get_step", "/steps/0"),
            ("get_run_history", "/history"),
            ("get_run_audit", "/audit"),
            ("preview_undo", "/undo"),
        ] {
            all.push(get(operation, &format!("/runs/{run}{path}")));
        }
    }
    all
}

fn sent([complete, fail]: &[String; 2]) -> Vec<Asked> {
    let start = json!({"workflow": "greet", "id": "new", "input": "Ada", "tags": ["a"]});
    let dry = json!({"action": "cancel", "status": "suspended", "parent": "done", "dry_run": true});
    let value = || json!({"value": 5});
    asked([
        ("start_run", "/runs", start, 202),
        (
            "fork_run",
            "/runs/done/fork",
            json!({"from_seq": 0, "dry_run": true}),
            200,
        ),
        ("create_batch", "/batches", dry, 200),
        ("send_signal", "/signals/nobody", value(), 202),
        (
            "send_signal_to_run",
            "/runs/waiting-5/signals/go",
            value(),
            202,
        ),
        (
            "update_run",
            "/runs/half/updates/halve",
            json!({"args": 10}),
            200,
        ),
        (
            "complete_task",
            &format!("/tasks/{complete}/complete"),
            value(),
            202,
        ),
        (
            "fail_task",
            &format!("/tasks/{fail}/fail"),
            json!({"message": "no", "code": "no"}),
            202,
        ),
        (
            "publish_event",
            "/events/order.paid",
            json!({"payload": {"order": 7}, "id": "bank-1"}),
            202,
        ),
    ])
}

/// Requests with a body.
fn asked<const N: usize>(table: [(&'static str, &str, Value, u16); N]) -> Vec<Asked> {
    let asked = |(operation, path, body, status): (_, &str, _, _)| {
        (operation, path.to_owned(), Some(body), status)
    };
    table.into_iter().map(asked).collect()
}

fn controls() -> Vec<Asked> {
    let why = || json!({"reason": "to see it"});
    asked([
        ("continue_run", "/runs/break/continue", why(), 202),
        ("retry_run", "/runs/failed-1/retry", why(), 202),
        (
            "retry_run_with_input",
            "/runs/failed-2/retry-with-input",
            json!({"input": "x"}),
            202,
        ),
        (
            "skip_step",
            "/runs/failed-3/skip-step",
            json!({"seq": 0, "value": null}),
            202,
        ),
        ("pause_run", "/runs/waiting-2/pause", why(), 202),
        ("resume_run", "/runs/paused/resume", why(), 202),
        ("cancel_run", "/runs/waiting-3/cancel", why(), 202),
        ("force_fail_run", "/runs/paused-2/force-fail", why(), 202),
    ])
}

async fn prepared() -> (App, Vec<Right>) {
    let app = App::new().await;
    for id in ["done", "old"] {
        app.greet(id).await;
    }
    for id in ["failed-1", "failed-2", "failed-3"] {
        app.unlucky(id).await;
    }
    for number in 1..=5 {
        app.patient(&format!("waiting-{number}")).await;
    }
    for id in ["paused", "paused-2"] {
        app.patient(id).await;
        app.durable.pause(id).await.unwrap();
        until(&app.durable, id, |run| run.status == RunStatus::Paused).await;
    }
    app.durable.start(app::halver, ()).id("half").await.unwrap();
    app.durable
        .start(app::guarded, ())
        .id("break")
        .await
        .unwrap();
    for id in ["half", "break"] {
        until(&app.durable, id, |run| run.status == RunStatus::Suspended).await;
    }
    let mut tokens = [String::new(), String::new()];
    for (at, id) in ["task-1", "task-2"].into_iter().enumerate() {
        app.durable.start(app::outsourced, ()).id(id).await.unwrap();
        tokens[at] = token(&app.durable, id).await;
    }
    let body = json!({"action": "retry", "ids": []});
    let batch = app.send("POST", &format!("{API}/batches"), &body).await;
    let batch = batch.json()["id"].as_str().unwrap().to_owned();
    (app, rights(&tokens, &batch))
}

/// The token that a task has handed out.
pub(super) async fn token(durable: &Durable, id: &str) -> String {
    until(durable, id, |run| run.status == RunStatus::Suspended).await;
    let record = durable.control().load(&RunId::parse(id).unwrap()).await;
    let record = record.unwrap().unwrap();
    record.history[0].result.as_ref().unwrap().decode().unwrap()
}

/// An operation of the document.
struct Operation {
    method: String,
    route: String,
    id: String,
    about: Value,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            all.push(Operation {
                method: method.to_uppercase(),
                route: route.clone(),
                id: about["operationId"].as_str().unwrap().to_owned(),
                about: about.clone(),
            });
        }
    }
    all
}

impl Operation {
    /// Whether the document says that the operation may answer so, with this type and shape.
    fn check(&self, document: &Value, answer: &Answer, asked: &str) {
        let status = answer.status.as_str();
        let told = &self.about["responses"][status];
        assert!(
            told.is_object(),
            "{asked}: {status} is not documented: {answer:?}"
        );
        let Some(contents) = told["content"].as_object() else {
            return;
        };
        let kind = answer.header("content-type");
        let kind = kind.split(';').next().unwrap();
        let content = contents.get(kind);
        let content = content.unwrap_or_else(|| panic!("{asked}: {kind} is not documented"));
        if kind.ends_with("/json") || kind.ends_with("+json") {
            let wrong = misfits(document, &content["schema"], &answer.json(), "");
            assert_eq!(wrong, Vec::<String>::new(), "{asked}");
        }
        if !answer.status.is_success() {
            answer.problem();
        }
    }
}

#[tokio::test]
async fn every_operation_answers_a_right_request_as_the_document_says() {
    let (app, rights) = prepared().await;
    let document = app.get(&format!("{API}/openapi.json")).await.json();
    let operations = operations(&document);
    let asked: BTreeSet<_> = rights.iter().map(|it| it.operation).collect();
    let known: BTreeSet<_> = operations.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(
        asked, known,
        "each operation takes a right request in `rights`"
    );
    for right in &rights {
        let operation = operations.iter().find(|it| it.id == right.operation);
        let operation = operation.unwrap();
        let asked = format!("{} {}", operation.method, right.path);
        if right.operation == "follow" {
            let path = format!("{API}{}", right.path);
            let mut events = Events::open(&app.router, local("GET", &path)).await;
            assert_eq!(events.next().await.unwrap().event, "hello");
            for event in events.up_to("ev").await {
                let shape = match event.data["kind"].as_str() {
                    Some("run") => "RunSummary",
                    Some("step") => "CheckpointView",
                    Some("under_way") => "UnderWayView",
                    other => panic!("{other:?} is not documented"),
                };
                let schema = json!({"$ref": format!("#/components/schemas/{shape}")});
                let wrong = misfits(&document, &schema, &event.data["data"], "");
                assert_eq!(wrong, Vec::<String>::new());
            }
            continue;
        }
        let answer = send(
            &app.router,
            &operation.method,
            &right.path,
            right.body.as_ref(),
        )
        .await;
        assert_eq!(answer.status.as_u16(), right.status, "{asked}: {answer:?}");
        operation.check(&document, &answer, &asked);
    }
}

pub(super) async fn send(
    router: &Router,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let request = local(method, &format!("{API}{path}"));
    match body {
        Some(body) => {
            let request = request.header("content-type", "application/json");
            ask_with(router, request, body.to_string()).await
        }
        None => ask_with(router, request, "").await,
    }
}

#[tokio::test]
async fn every_operation_refuses_a_wrong_request_as_the_document_says() {
    let app = App::new().await;
    app.greet("done").await;
    let document = app.get(&format!("{API}/openapi.json")).await.json();
    for operation in operations(&document) {
        let method = operation.method.as_str();
        let has_body = operation.about["requestBody"].is_object();
        let right = operation
            .route
            .replace("{id}", "done")
            .replace("{seq}", "0");
        let right = right.replace(['{', '}'], "");
        let mut wrong = Vec::new();
        for (name, value) in [
            ("{id}", "none"),
            ("{id}", "a%0Ab"),
            ("{id}", "%ff"),
            ("{seq}", "x"),
        ] {
            if operation.route.contains(name) {
                let path = operation.route.replace(name, value).replace("{id}", "done");
                let path = path.replace("{seq}", "0").replace(['{', '}'], "");
                wrong.push((path, has_body.then_some("{}"), "application/json"));
            }
        }
        let parameters = operation.about["parameters"].as_array();
        let mut parameters = parameters.into_iter().flatten();
        if parameters.any(|it| it["in"] == "query") {
            wrong.push((format!("{right}?surprise=1"), None, ""));
        }
        if has_body {
            for body in ["{", "[]", "{\"surprise\": 1}", "\u{0}"] {
                wrong.push((right.clone(), Some(body), "application/json"));
            }
            if operation.about["requestBody"]["required"] == true {
                wrong.push((right.clone(), Some("{}"), "text/plain"));
                wrong.push((right.clone(), None, ""));
            }
        }
        for (path, body, kind) in wrong {
            let request = local(method, &format!("{API}{path}"));
            let request = if kind.is_empty() {
                request
            } else {
                request.header("content-type", kind)
            };
            let asked = format!("{method} {path} {body:?} {kind}");
            let answer = ask_with(&app.router, request, body.unwrap_or_default());
            // A stream that were opened would not end.
            let answer = tokio::time::timeout(Duration::from_secs(20), answer).await;
            let answer = answer.unwrap_or_else(|_| panic!("{asked}: no end"));
            assert!(!answer.status.is_server_error(), "{asked}: {answer:?}");
            operation.check(&document, &answer, &asked);
        }
        let cross = local(method, &format!("{API}{right}")).header("sec-fetch-site", "cross-site");
        if method != "GET" {
            let answer = ask_with(&app.router, cross, "{}").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            operation.check(&document, &answer, &right);
        }
    }
}
