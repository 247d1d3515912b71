//! Errors as problem documents, and the OpenAPI document.

use std::{collections::BTreeSet, io};

use axum::{
    body::to_bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use axum_durable::{DurableError, payload::Payload, store::StoreError};
use serde_json::{Value, json};

use super::app::App;

/// Requests, and the status, kind and words of the problems that answer them.
const WRONG: &[(&str, &str, u16, &str, &str)] = &[
    ("GET", "/runs/none", 404, "unknown-run", "`none`"),
    ("GET", "/runs/none/explain", 404, "unknown-run", "`none`"),
    ("GET", "/runs/none/stream", 404, "unknown-run", "`none`"),
    ("GET", "/runs/none/events/k", 404, "unknown-run", "`none`"),
    ("GET", "/runs/done/events/k", 404, "not-found", "`k`"),
    ("POST", "/runs/none/retry", 404, "unknown-run", "`none`"),
    ("POST", "/runs/none/cancel", 404, "unknown-run", "`none`"),
    ("POST", "/runs/done/retry", 409, "wrong-status", "completed"),
    (
        "POST",
        "/runs/done/cancel",
        409,
        "wrong-status",
        "completed",
    ),
    (
        "GET",
        "/runs/a%0Ab",
        422,
        "invalid-name",
        "control character",
    ),
    (
        "GET",
        "/runs/<long>",
        422,
        "invalid-name",
        "longer than 191",
    ),
    ("GET", "/runs/%ff", 400, "bad-request", "UTF-8"),
    ("GET", "/runs?status=done", 400, "bad-request", "`done`"),
    ("GET", "/runs?limit=0", 400, "bad-request", "`limit`"),
    ("GET", "/runs?limit=201", 400, "bad-request", "200"),
    ("GET", "/runs?limit=many", 400, "bad-request", "limit"),
    ("GET", "/runs?stauts=failed", 400, "bad-request", "stauts"),
    (
        "GET",
        "/runs?after=garbage",
        400,
        "bad-request",
        "`garbage`",
    ),
    ("GET", "/runs?tag=<long>", 400, "bad-request", "`tag`"),
    (
        "GET",
        "/runs/done/stream?after=-1",
        400,
        "bad-request",
        "after",
    ),
];

#[tokio::test]
async fn what_a_request_asks_wrongly_is_named() {
    let app = App::new().await;
    app.greet("done").await;
    for (method, path, status, kind, words) in WRONG {
        let path = format!("/durable/api{path}").replace("<long>", &"x".repeat(192));
        let answer = match *method {
            "GET" => app.get(&path).await,
            _ => app.post(&path).await,
        };
        assert_eq!(answer.status.as_u16(), *status, "{path}");
        let problem = answer.problem();
        assert_eq!(
            problem["type"],
            format!("urn:axum-durable:{kind}"),
            "{path}"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{path}: {detail}");
    }
}

async fn told(response: Response) -> (StatusCode, Option<String>, String) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 10_000).await.unwrap();
    let retry = parts.headers.get("retry-after");
    let retry = retry.map(|it| it.to_str().unwrap().to_owned());
    (
        parts.status,
        retry,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[tokio::test]
async fn clients_are_not_told_what_is_in_the_log() {
    let away = DurableError::Store(StoreError::Backend {
        backend: "sqlite",
        operation: "load a run",
        source: Box::new(io::Error::other("SELECT secret FROM db.internal")),
    });
    let (status, retry, body) = told(away.into_response()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(retry.as_deref(), Some("1"));
    assert!(
        !body.contains("SELECT") && !body.contains("sqlite"),
        "{body}"
    );

    let undecodable = Payload::encode("s3cret").unwrap().decode::<u32>();
    let undecodable = DurableError::Payload(undecodable.unwrap_err());
    let (status, _, body) = told(undecodable.into_response()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!body.contains("u32") && !body.contains("s3cret"), "{body}");

    let app = App::new().await;
    let unknown = app.durable.start_named("nobody", &Value::Null).await;
    let (status, _, body) = told(unknown.unwrap_err().into_response()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(
        body.contains("`nobody`") && !body.contains("greet"),
        "{body}"
    );
}

#[tokio::test]
async fn the_openapi_document_lists_every_route_and_no_other() {
    let app = App::new().await;
    let document = app.get("/durable/api/openapi.json").await.json();
    let mut listed = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            listed.insert(format!("{method} {path}"));
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} names two operations");
        }
    }
    let expected = [
        "delete /batches/{id}",
        "get /batches",
        "get /batches/{id}",
        "get /facets",
        "get /failures",
        "get /meta",
        "get /metrics",
        "get /openapi.json",
        "get /runs",
        "delete /runs/{id}",
        "get /runs/{id}",
        "get /runs/{id}/audit",
        "get /runs/{id}/events/{key}",
        "get /runs/{id}/explain",
        "get /runs/{id}/history",
        "get /runs/{id}/payloads",
        "get /runs/{id}/payloads/{part}",
        "get /runs/{id}/steps/{seq}",
        "get /runs/{id}/steps/{seq}/payload",
        "get /runs/{id}/stream",
        "get /runs/{id}/undo",
        "get /stream",
        "get /survey",
        "get /workers",
        "get /workflows",
        "get /workflows/{name}",
        "get /workflows/{name}/rehearsal",
        "post /batches",
        "post /events/{name}",
        "post /runs",
        "post /runs/{id}/cancel",
        "post /runs/{id}/continue",
        "post /runs/{id}/force-fail",
        "post /runs/{id}/fork",
        "post /runs/{id}/pause",
        "post /runs/{id}/resume",
        "post /runs/{id}/retry",
        "post /runs/{id}/retry-with-input",
        "post /runs/{id}/signals/{token}",
        "post /runs/{id}/skip-step",
        "post /runs/{id}/updates/{name}",
        "post /signals/{token}",
        "post /tasks/{token}/complete",
        "post /tasks/{token}/fail",
    ];
    assert_eq!(listed, expected.map(str::to_owned).into());
    assert_eq!(document["servers"][0]["url"], "/durable/api");
    assert_eq!(unresolved(&document, &document), Vec::<String>::new());
}

/// References of the document that lead nowhere.
fn unresolved(document: &Value, part: &Value) -> Vec<String> {
    match part {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            let path = reference.and_then(|it| it.strip_prefix('#'));
            let missing = path.filter(|path| document.pointer(path).is_none());
            let below = fields.values().flat_map(|it| unresolved(document, it));
            missing
                .map(str::to_owned)
                .into_iter()
                .chain(below)
                .collect()
        }
        Value::Array(items) => items
            .iter()
            .flat_map(|it| unresolved(document, it))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[tokio::test]
async fn answers_are_what_the_openapi_document_says() {
    let app = App::new().await;
    app.greet("g").await;
    app.unlucky("u").await;
    app.patient("p").await;
    let document = app.get("/durable/api/openapi.json").await.json();
    for (route, path) in [
        ("/runs", "/runs"),
        ("/runs/{id}", "/runs/g"),
        ("/runs/{id}", "/runs/u"),
        ("/runs/{id}", "/runs/p"),
        ("/runs/{id}/explain", "/runs/p/explain"),
        ("/runs/{id}/events/{key}", "/runs/g/events/greeting"),
        ("/workflows", "/workflows"),
        (
            "/workflows/{name}/rehearsal",
            "/workflows/patient/rehearsal",
        ),
    ] {
        let answer = app.get(&format!("/durable/api{path}")).await.json();
        let content = &document["paths"][route]["get"]["responses"]["200"]["content"];
        let schema = &content["application/json"]["schema"];
        assert_eq!(
            misfits(&document, schema, &answer, path),
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_not_described_would_be_noticed() {
    let app = App::new().await;
    app.unlucky("u").await;
    let document = app.get("/durable/api/openapi.json").await.json();
    let schema = json!({"$ref": "#/components/schemas/RunDetail"});
    let mut answer = app.get("/durable/api/runs/u").await.json();
    answer["timeline"][0]["error"]["surprise"] = json!(1);
    answer["run"].as_object_mut().unwrap().remove("status");
    let found = misfits(&document, &schema, &answer, "");
    let expected = [".run.status is missing", ".timeline.error.surprise is new"];
    assert_eq!(found, expected);
}

/// Fields that are not described, and described ones of objects that are required and missing.
pub(super) fn misfits(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut properties = serde_json::Map::new();
    let mut required = BTreeSet::new();
    let mut items = None;
    let mut open = vec![schema];
    while let Some(schema) = open.pop() {
        if let Some(path) = schema["$ref"].as_str() {
            open.extend(document.pointer(path.trim_start_matches('#')));
        }
        for kind in ["allOf", "oneOf", "anyOf"] {
            open.extend(schema[kind].as_array().into_iter().flatten());
        }
        if let Some(found) = schema["properties"].as_object() {
            properties.extend(found.clone());
        }
        let names = schema["required"].as_array().into_iter().flatten();
        required.extend(names.filter_map(Value::as_str));
        items = schema.get("items").or(items);
    }
    match value {
        Value::Object(fields) if !properties.is_empty() => {
            let unknown = fields.keys().filter(|name| !properties.contains_key(*name));
            let mut wrong: Vec<_> = unknown.map(|name| format!("{at}.{name} is new")).collect();
            let is_union = required.contains("level") || required.contains("name");
            let missing = required.iter().filter(|name| !fields.contains_key(**name));
            if !is_union {
                wrong.extend(missing.map(|name| format!("{at}.{name} is missing")));
            }
            for (name, value) in fields {
                let schema = properties.get(name).unwrap_or(&Value::Null);
                wrong.extend(misfits(document, schema, value, &format!("{at}.{name}")));
            }
            wrong
        }
        Value::Array(values) => values
            .iter()
            .flat_map(|value| misfits(document, items.unwrap_or(&Value::Null), value, at))
            .collect(),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Vec::new()
        }
    }
}
