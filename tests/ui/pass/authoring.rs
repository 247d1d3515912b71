//! Everything an author may write in one body, under the lints of a strict crate.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub)]

use std::{collections::BTreeMap, time::Duration};

use axum_durable::{
    __private::{self, OutlineArm, OutlineNode, States},
    prelude::*,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    id: String,
    items: Vec<u32>,
}

/// What the customer gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    charge: String,
    labels: Vec<String>,
}

/// A provided value.
#[derive(Clone)]
pub struct Config {
    currency: &'static str,
}

#[derive(Debug)]
struct Declined;

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("declined")
    }
}

impl std::error::Error for Declined {}

async fn label(order: &Order) -> Result<String, Declined> {
    if order.items.is_empty() { Err(Declined) } else { Ok(format!("label-{}", order.id)) }
}

/// Charges the card.
#[step(name = "payments.charge-card", retries = 3, backoff = "exp 200ms..10s", timeout = "30s")]
pub async fn charge_card(
    cents: u64,
    State(config): State<Config>,
    step: StepCtx,
) -> Result<String, StepError> {
    let cents: u32 = cents.try_into()?;
    if cents == 0 {
        return Err(StepError::fatal("nothing", "nothing to charge"));
    }
    Ok(format!("{cents} {} ({})", config.currency, step.attempt()))
}

// Arguments in another order, no input, a domain error.
#[step]
async fn ping(_step: StepCtx, config: State<Config>) -> Result<(), Declined> {
    drop(config);
    Ok(())
}

#[step(name = "bare",)]
async fn bare() -> Result<()> {
    Ok(())
}

/// Ships an order.
#[workflow(name = "shop.checkout", version = 2, tags = ["payments", "web"])]
pub async fn checkout(
    ctx: &WorkflowCtx,
    State(config): State<Config>,
    mut order: Order,
    State(_again): State<Config>,
) -> Result<Receipt> {
    order.items.sort_unstable();
    let order = order;
    // Inline tails, borrowed locals, early returns.
    let reserved = ctx
        .step("reserve", async || {
            let label = label(&order).await?;
            if label.is_empty() {
                return Ok(0);
            }
            match label.len() {
                1 => Err(StepError::fatal("short", "too short")),
                n => Ok(n),
            }
        })
        .retries(5)
        .await?;
    ctx.step("log", async |step: StepCtx| {
        step.log(LogLevel::Info, format!("attempt {}", step.attempt()));
        if reserved > 3 { Ok(()) } else { Ok(()) }
    })
    .await?;
    let flag = ctx.side_effect("flag", || std::env::var("FLAG").is_ok())?;
    let stamp: u128 = ctx
        .step("stamp", async || Ok(std::time::SystemTime::now().elapsed()?.as_nanos()))
        .await?;
    let typed = ctx.step("typed", async || -> Result<u8> { Ok(1) }).await?;
    let named = async || label(&order).await;
    ctx.step("named", named).await?;

    // Combinators.
    let (first, second) = tokio::try_join!(
        ctx.step("first", async || label(&order).await),
        async {
            ctx.sleep(Duration::from_secs(1)).await;
            ctx.step("second", || async { Ok(order.id.clone()) }).await
        },
    )?;
    let (third, ()) = tokio::join!(ctx.step("third", || label(&order)), async {});
    let mut labels = vec![first, second, third?];
    let all = order.items.iter().map(|item| ctx.step("item", async move || Ok(*item)));
    let all = futures_util::future::try_join_all(all).await?;
    let answer = tokio::select! {
        biased;
        answer = ctx.wait_for_signal::<String>(format!("go:{}", order.id)) => answer?,
        () = ctx.sleep(Duration::from_secs(5)) => ctx.step("late", async || Ok("late".to_owned())).await?,
    };
    labels.push(answer);

    // Variables may have the names of definitions.
    let checkout = ctx.run_id().to_string();
    let cents = u64::from(all.into_iter().sum::<u32>());
    let charge = ctx.remote(charge_card, cents).await?;
    ctx.remote(ping, ()).await?;
    let mut seen = BTreeMap::new();
    for label in &labels {
        seen.insert(label.clone(), ctx.uuid());
    }
    let _unused = (config.currency, flag, stamp, typed, checkout, seen, ctx.now(), ctx.random::<u64>());
    Ok(Receipt { charge, labels })
}

// Another error type, no input, no name for the context, names of definitions as variables.
#[workflow]
async fn tiny(_: &WorkflowCtx) -> Result<u8, StepError> {
    let tiny = 1;
    Ok(tiny)
}

#[workflow]
async fn fallible(_ctx: &WorkflowCtx, _input: ()) -> std::result::Result<(), Declined> {
    Err(Declined)
}

// A body sees its own definition, as a child of itself would need.
#[workflow]
async fn parent(_ctx: &WorkflowCtx, depth: u32) -> Result<u32> {
    let this: fn() -> Workflow<u32, u32> = parent;
    Ok(depth + this().version())
}

#[cfg(any())]
#[workflow]
async fn left_out(_ctx: &WorkflowCtx) -> Result<u32> {
    Ok(1)
}

#[workflow]
#[cfg(any())]
async fn left_out_too(_ctx: &WorkflowCtx) -> Result<u32> {
    Ok(1)
}

fn main() {
    let checkout = checkout();
    assert_eq!((checkout.name(), checkout.version()), ("shop.checkout", 2));
    assert_eq!(tiny().name(), "tiny");
    assert_eq!((charge_card().name(), ping().name()), ("payments.charge-card", "ping"));
    let _types: (Workflow<(), ()>, Workflow<u32, u32>) = (fallible(), parent());
    let _step: Step<(), ()> = bare();

    // Each of them registered itself; those that were left out did not.
    let registered = inventory::iter::<__private::Registered>.into_iter();
    assert_eq!(registered.count(), 7);

    // A step's body is callable without an engine.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let states = States::default().with(Config { currency: "EUR" });
    let charged = runtime.block_on(charge_card().call(500, states.clone()));
    assert_eq!(charged.unwrap(), "500 EUR (1)");
    let failure = runtime.block_on(charge_card().call(0, states)).unwrap_err().into_failure();
    assert_eq!(failure.code.as_deref(), Some("nothing"));
    let failure = runtime.block_on(ping().call((), States::default())).unwrap_err();
    assert!(failure.to_string().contains("::Config"), "{failure}");

    let outline = checkout.outline();
    assert!(outline.file.ends_with("authoring.rs"), "{}", outline.file);
    let mut text = String::new();
    print(outline.nodes, 0, &mut text);
    assert_eq!(text, OUTLINE, "{text}");
}

fn print(nodes: &[OutlineNode], depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let (label, arms) = match nodes {
        [] => return,
        [OutlineNode::Operation { kind, name, .. }, ..] => (format!("{kind} {name}"), &[][..]),
        [OutlineNode::Branch { condition, arms, .. }, ..] => (format!("if {condition}"), *arms),
        [OutlineNode::Loop { head, body, .. }, ..] => {
            let arm = OutlineArm { label: "", leaves: false, nodes: body };
            return print_node(head, &[arm], depth, &indent, text, &nodes[1..]);
        }
        [OutlineNode::Join { kind, arms, .. }, ..] => ((*kind).to_owned(), *arms),
    };
    print_node(&label, arms, depth, &indent, text, &nodes[1..]);
}

fn print_node(
    label: &str,
    arms: &[OutlineArm],
    depth: usize,
    indent: &str,
    text: &mut String,
    rest: &[OutlineNode],
) {
    text.push_str(&format!("{indent}{label}\n"));
    for arm in arms {
        text.push_str(&format!("{indent}- {}\n", arm.label));
        print(arm.nodes, depth + 1, text);
    }
    print(rest, depth, text);
}

const OUTLINE: &str = r#"step reserve
step log
side_effect flag
step stamp
step typed
step named
try_join
- 
  step first
- 
  sleep Duration::from_secs(1)
  step second
join
- 
  step third
- 
step item
select
- answer
  wait_for_signal format!("go:{}", order.id)
- ()
  sleep Duration::from_secs(5)
  step late
remote charge_card
remote ping
for label in &labels
- 
  uuid 
now 
random 
"#;
