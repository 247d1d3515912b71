//! A batch that is no `Vec`.

#![allow(unused)]

use axum_durable::prelude::*;

#[workflow(on_event = "said", batch = 10, within = "1m")]
async fn one(ctx: &WorkflowCtx, text: String) -> Result<()> {
    Ok(())
}

fn main() {}
