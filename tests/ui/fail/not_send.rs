//! A run moves between threads, so what lives across an await is `Send`.

#![allow(unused)]

use std::{rc::Rc, time::Duration};

use axum_durable::prelude::*;

#[workflow]
async fn checkout(ctx: &WorkflowCtx) -> Result<()> {
    let count = Rc::new(1);
    ctx.sleep(Duration::from_secs(*count)).await;
    drop(count);
    Ok(())
}

fn main() {}
