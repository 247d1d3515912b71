//! Changing and withholding what is shown.

use axum::{Router, http::StatusCode};
use axum_durable::{
    Durable, DurableRouter, MemoryStore, RunStatus, WithDurable as _,
    http::{Exposure, ExposureKind},
    prelude::*,
};
use serde_json::{Value, json};

use super::app::{Events, local, until};
use super::contract::{rights, send, token};

const SECRET: &str = "s3cret-4711";

/// Whatever can be shown of a run holds the secret.
#[workflow]
async fn greet(ctx: &WorkflowCtx, secret: String) -> Result<String> {
    let said = ctx
        .step("say", async |step: StepCtx| {
            step.log(LogLevel::Info, secret.clone());
            Ok(vec![secret.clone()])
        })
        .await?;
    ctx.set_event("greeting", &said)?;
    Ok(secret)
}

#[workflow]
async fn unlucky(ctx: &WorkflowCtx, secret: String) -> Result<()> {
    ctx.step("try", async || {
        let error = StepError::fatal("unlucky", format!("it was {secret}"));
        Err::<(), _>(error.with_details(&json!({"deep": [secret.clone()]})))
    })
    .await
}

/// Waits for a signal; what it has got is in its history while it waits for the next one.
#[workflow]
async fn patient(ctx: &WorkflowCtx, secret: String) -> Result<String> {
    let _: String = ctx
        .wait_for_signal(format!("first:{}", ctx.run_id()))
        .await?;
    let _: Value = ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await?;
    Ok(secret)
}

#[workflow]
async fn guarded(ctx: &WorkflowCtx) -> Result<()> {
    ctx.breakpoint("look").await;
    Ok(())
}

#[workflow]
async fn outsourced(ctx: &WorkflowCtx) -> Result<Value> {
    ctx.task("count", async |_| Ok(())).await
}

/// Replies with the secret, refuses odd numbers and fails at 8 with it.
#[workflow]
async fn halver(ctx: &WorkflowCtx, secret: String) -> Result<()> {
    loop {
        let update = ctx.on_update::<u32, String>("halve");
        let told = secret.clone();
        let update = update.validate(move |n: &u32| {
            n.is_multiple_of(2)
                .then_some(())
                .ok_or_else(|| told.clone())
        });
        let update = update.await?;
        match *update.args() {
            8 => update.fail(StepError::fatal("eight", secret.clone()))?,
            _ => update.reply(&secret)?,
        }
    }
}

/// The secret becomes `…`, wherever it stands in a value; results of steps are withheld.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a redactor takes the value, which it may keep as it is"
)]
fn hide(what: &Exposure<'_>, value: Value) -> Option<Value> {
    if matches!(what.kind, ExposureKind::Result(_)) && what.name == "say" {
        return None;
    }
    let text = value.to_string().replace(SECRET, "…");
    serde_json::from_str(&text).ok()
}

async fn prepared() -> (Durable, [String; 2]) {
    let builder = Durable::builder()
        .store(MemoryStore::new())
        .only_registered();
    let builder = builder.register(greet).register(unlucky).register(patient);
    let builder = builder
        .register(guarded)
        .register(outsourced)
        .register(halver);
    let durable = builder.build().await.unwrap();
    let secret = || SECRET.to_owned();
    for id in ["done", "old"] {
        let run = durable.start(greet, secret()).id(id).tag(SECRET);
        let run = run.attribute("customer", SECRET).await.unwrap();
        run.result().await.unwrap();
    }
    for id in ["failed-1", "failed-2", "failed-3"] {
        let run = durable.start(unlucky, secret()).id(id).await.unwrap();
        run.result().await.unwrap_err();
    }
    let waiting = (1..=5).map(|number| format!("waiting-{number}"));
    for id in waiting.chain(["paused".to_owned(), "paused-2".to_owned()]) {
        durable
            .signal(format!("first:{id}"), secret())
            .await
            .unwrap();
        let run = durable.start(patient, secret()).id(id.as_str());
        run.tag(SECRET).await.unwrap();
        until(&durable, &id, |run| run.status == RunStatus::Suspended).await;
        if id.starts_with("paused") {
            durable.pause(id.as_str()).await.unwrap();
            until(&durable, &id, |run| run.status == RunStatus::Paused).await;
        }
    }
    durable.start(halver, secret()).id("half").await.unwrap();
    durable.start(guarded, ()).id("break").await.unwrap();
    let mut tokens = [String::new(), String::new()];
    for (at, id) in ["task-1", "task-2"].into_iter().enumerate() {
        durable.start(outsourced, ()).id(id).await.unwrap();
        tokens[at] = token(&durable, id).await;
    }
    for id in ["half", "break"] {
        until(&durable, id, |run| run.status == RunStatus::Suspended).await;
    }
    (durable, tokens)
}

fn router(durable: &Durable, routes: DurableRouter) -> Router {
    Router::new()
        .merge(routes.into_router())
        .with_durable(durable.clone())
}

/// What every route and stream says of the runs, as one text.
async fn everything(router: &Router, tokens: &[String; 2]) -> String {
    let document = send(router, "GET", "/openapi.json", None).await.json();
    let body = json!({"action": "retry", "ids": []});
    let batch = send(router, "POST", "/batches", Some(&body)).await;
    let batch = batch.json()["id"].as_str().unwrap().to_owned();
    let mut said = String::new();
    for right in rights(tokens, &batch) {
        let methods = document["paths"].as_object().unwrap().values();
        let methods = methods.flat_map(|it| it.as_object().unwrap());
        let mut methods = methods.filter(|(_, it)| it["operationId"] == right.operation);
        let method = methods.next().unwrap().0.to_uppercase();
        if right.operation == "follow" {
            let path = format!("/durable/api{}", right.path);
            let mut events = Events::open(router, local("GET", &path)).await;
            // Two runs, and the operation of each.
            for _ in 0..4 {
                for event in events.up_to("ev").await {
                    said += &event.data.to_string();
                }
            }
            continue;
        }
        let answer = send(router, &method, &right.path, right.body.as_ref()).await;
        assert_eq!(
            answer.status.as_u16(),
            right.status,
            "{}: {answer:?}",
            right.path
        );
        said += std::str::from_utf8(&answer.body).unwrap();
    }
    for args in [7, 8] {
        let body = json!({"args": args});
        let answer = send(router, "POST", "/runs/half/updates/halve", Some(&body)).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        said += std::str::from_utf8(&answer.body).unwrap();
    }
    said
}

#[tokio::test]
async fn no_route_tells_what_is_redacted() {
    let (durable, tokens) = prepared().await;
    let router = router(&durable, DurableRouter::new().redact(hide));
    let said = everything(&router, &tokens).await;
    let found: Vec<_> = said.match_indices(SECRET).map(|(at, _)| at).collect();
    let around = |at: usize| said.get(at.saturating_sub(200)..at + 40);
    let found: Vec<_> = found.into_iter().map(around).collect();
    assert_eq!(found, Vec::<Option<&str>>::new());
    assert!(said.contains("it was …"));
}

#[tokio::test]
async fn what_is_not_redacted_would_be_found() {
    let (durable, tokens) = prepared().await;
    let said = everything(&router(&durable, DurableRouter::new()), &tokens).await;
    for shown in [
        "it was s3cret-4711\"",
        "\"deep\":[\"s3cret-4711\"]",
        "\"tags\":[\"s3cret-4711\"]",
        "\"reply\":\"s3cret-4711\"",
        "\"message\":\"s3cret-4711\"",
        "\"value\":[\"s3cret-4711\"]",
        "\"input\":\"s3cret-4711\"",
        "\"output\":\"s3cret-4711\"",
        "\"result\":\"s3cret-4711\"",
        "update `halve` failed: s3cret-4711",
        "s3cret-4711\",\"type\":\"log\"",
    ] {
        assert!(said.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn what_is_withheld_is_marked_and_the_rest_stays_as_it_was() {
    let (durable, _) = prepared().await;
    let router = router(&durable, DurableRouter::new().redact(hide));
    let step = send(&router, "GET", "/runs/done/steps/0", None).await;
    assert_eq!(step.status, StatusCode::OK);
    assert_eq!(step.json()["result"], json!({"hidden": true, "bytes": 15}));
    assert_eq!(step.json()["events"][0]["message"], "…");
    let run = send(&router, "GET", "/runs/failed-1", None).await.json();
    assert_eq!(run["run"]["reason"], "step `try` failed: it was …");
    assert_eq!(run["run"]["error"]["details"], json!({"deep": ["…"]}));
    let failures = send(&router, "GET", "/failures", None).await.json();
    assert_eq!(
        failures["groups"][0]["sample"],
        "step `try` failed: it was …"
    );
    // The engine itself reads what was stored.
    let input = durable.get_run("done").await.unwrap().unwrap().input;
    assert_eq!(input.decode::<String>().unwrap(), SECRET);
}
