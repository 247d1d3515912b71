//! Events that start no run, and runs that no event can start.

#![allow(unused)]

use axum_durable::prelude::*;

#[workflow(debounce = "5s")]
async fn nothing_to_hear(ctx: &WorkflowCtx, text: String) -> Result<()> {
    Ok(())
}

#[workflow(on_event = [], debounce = "0s")]
async fn no_event(ctx: &WorkflowCtx, text: String) -> Result<()> {
    Ok(())
}

#[workflow(on_event = "", batch = 0, within = "soon")]
async fn wrong(ctx: &WorkflowCtx, texts: Vec<String>) -> Result<()> {
    Ok(())
}

#[workflow(on_event = "said", batch = 10)]
async fn without_end(ctx: &WorkflowCtx, texts: Vec<String>) -> Result<()> {
    Ok(())
}

#[workflow(on_event = "said", debounce = "5s", batch = 10, within = "1m")]
async fn both(ctx: &WorkflowCtx, texts: Vec<String>) -> Result<()> {
    Ok(())
}

fn main() {}
