//! The order in which a `select!` polls is random unless it is biased.

#![allow(unused)]

use std::time::Duration;

use axum_durable::prelude::*;

#[workflow]
async fn checkout(ctx: &WorkflowCtx) -> Result<()> {
    tokio::select! {
        signal = ctx.wait_for_signal::<()>("approve") => signal,
        () = ctx.sleep(Duration::from_secs(5)) => Ok(()),
    }
}

fn main() {}
