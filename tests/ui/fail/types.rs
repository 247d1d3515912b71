//! Types that cannot be stored or do not fit.

#![allow(unused)]

use axum_durable::prelude::*;
use serde::Deserialize;

#[derive(Deserialize, schemars::JsonSchema)]
struct Label(String);

struct Declined;

#[step]
async fn not_serialized() -> Result<Label, StepError> {
    Ok(Label(String::new()))
}

#[workflow]
async fn no_conversion(_ctx: &WorkflowCtx) -> Result<(), Declined> {
    Err(Declined)
}

#[workflow]
async fn no_result(_ctx: &WorkflowCtx) -> u32 {
    1
}

#[step]
async fn charge(cents: u64) -> Result<u64, StepError> {
    Ok(cents)
}

#[workflow]
async fn wrong_input(ctx: &WorkflowCtx) -> Result<u64> {
    ctx.remote(charge, "five").await
}

#[workflow]
async fn local_step(ctx: &WorkflowCtx) -> Result<()> {
    ctx.step("label", async || Ok(Label(String::new()))).await?;
    Ok(())
}

#[workflow]
async fn no_body(ctx: &WorkflowCtx) -> Result<()> {
    ctx.step("not a result", async || 1).await?;
    ctx.step("no error", async || Err::<(), Declined>(Declined)).await
}

fn main() {}
