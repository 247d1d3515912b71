//! A step is one unit of side effect.

#![allow(unused)]

use axum_durable::prelude::*;

#[workflow]
async fn checkout(ctx: &WorkflowCtx) -> Result<u8> {
    ctx.step("outer", async || {
        let inner = ctx.step("inner", async || Ok(1)).await?;
        Ok(inner)
    })
    .await
}

fn main() {}
