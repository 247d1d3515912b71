//! What is known of a workflow before it runs.

use std::time::Duration;

use axum_durable::{Durable, MemoryStore, prelude::*, workflow::ops::Update};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Approval {
    /// Whether it may go on.
    approved: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Address {
    street: String,
}

/// Has no schema.
#[derive(Debug, Serialize, Deserialize)]
struct Secret(u8);

#[derive(Debug, Serialize, JsonSchema)]
enum Stage {
    Waiting,
}

#[workflow(name = "described")]
async fn order(ctx: &WorkflowCtx, cents: u64) -> Result<()> {
    ctx.set_event::<Stage>("stage", &Stage::Waiting)?;
    if cents > 10_000 {
        let approval = ctx.wait_for_signal::<Approval>("approve").await?;
        if !approval.approved {
            return Ok(());
        }
    }
    let again: Approval = ctx
        .wait_for_signal(format!("approve:{cents}"))
        .timeout(Duration::from_secs(60))
        .await?;
    let update = ctx.on_update("set-address");
    let update: Result<Update<Address, bool>> = update.await;
    update?.reply(&again.approved)?;
    for _ in 0..2 {
        let update = ctx.on_update::<_, bool>("move");
        update
            .await
            .and_then(|update: Update<Address, bool>| update.reply(&true))?;
        let update = ctx.on_update("move").validate(|to: &Address| check(to));
        update
            .await
            .and_then(|update: Update<Address, bool>| update.reply(&true))?;
    }
    let _: Secret = ctx.wait_for_signal("secret").await?;
    let _approval: Approval = ctx
        .wait_for_event("approved")
        .matching("cents", cents)
        .await?;
    ctx.wait_for_signal("approve").await.map(|_: Approval| ())
}

fn check(to: &Address) -> std::result::Result<(), &'static str> {
    if to.street.is_empty() {
        Err("it is empty")
    } else {
        Ok(())
    }
}

async fn described() -> Value {
    let durable = Durable::builder().store(MemoryStore::new());
    let durable = durable.only_registered().build().await.unwrap();
    let told = serde_json::to_value(durable.describe(order)).unwrap();
    durable.shutdown().await;
    told
}

/// The name and what is required of it, for each schema.
fn short(messages: &Value, schema: &str) -> Vec<(String, Value)> {
    let messages = messages.as_array().unwrap().iter();
    let short = messages.map(|it| {
        let required = it[schema]["required"][0].clone();
        (it["name"].as_str().unwrap().to_owned(), required)
    });
    short.collect()
}

#[tokio::test]
async fn signals_updates_and_events_have_the_types_that_are_written() {
    let told = described().await;
    let named = |name: &str, of: Value| (name.to_owned(), of);
    assert_eq!(
        short(&told["signals"], "schema"),
        [
            // The second wait for it, whose type is not written, says nothing against the first.
            named("approve", json!("approved")),
            named(r#"format!("approve:{cents}")"#, json!("approved")),
            named("secret", Value::Null),
        ]
    );
    assert_eq!(told["signals"][2]["schema"], Value::Null);
    assert_eq!(
        short(&told["updates"], "args_schema"),
        [
            named("set-address", Value::Null),
            named("move", Value::Null),
            named("move", json!("street")),
        ]
    );
    let replies: Vec<_> = told["updates"].as_array().unwrap().iter().collect();
    let replies: Vec<_> = replies
        .iter()
        .map(|it| &it["reply_schema"]["type"])
        .collect();
    assert_eq!(replies, [&Value::Null, &json!("boolean"), &Value::Null]);
    assert_eq!(
        short(&told["events"], "schema"),
        [named("approved", json!("approved"))]
    );
    assert_eq!(told["published"][0]["schema"]["enum"], json!(["Waiting"]));
}

#[tokio::test]
async fn the_flow_has_each_schema_at_its_operation() {
    let told = described().await;
    let flow = told["flow"].as_array().unwrap();
    let wait = &flow[1]["arms"][0]["nodes"][0];
    assert_eq!(wait["name"], "approve");
    let description = &wait["payload_schema"]["properties"]["approved"]["description"];
    assert_eq!(description, "Whether it may go on.");
    assert!(
        wait.get("reply_schema").is_none(),
        "nobody waits for an answer"
    );
    let update = flow.iter().find(|it| it["kind"] == "on_update").unwrap();
    assert_eq!(update["payload_schema"], Value::Null);
    assert!(update.get("reply_schema").is_some());
}
