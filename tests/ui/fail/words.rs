//! Arguments of the attributes that mean nothing.

#![allow(unused)]

use axum_durable::prelude::*;

#[workflow(name = "", version = 0, tag = "web", tags = "web")]
async fn checkout(ctx: &WorkflowCtx) -> Result<()> {
    Ok(())
}

#[workflow(version = 1, version = 2)]
async fn refund(ctx: &WorkflowCtx) -> Result<()> {
    Ok(())
}

#[step(name = 5, retries = 0, backoff = "exp 5s", timeout = "30 seconds")]
async fn charge() -> Result<(), StepError> {
    Ok(())
}

#[step(backoff = "exp 10s..1s", timeout = "30")]
async fn bill() -> Result<(), StepError> {
    Ok(())
}

#[step(name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
async fn long() -> Result<(), StepError> {
    Ok(())
}

#[step("charge")]
async fn positional() -> Result<(), StepError> {
    Ok(())
}

fn main() {}
