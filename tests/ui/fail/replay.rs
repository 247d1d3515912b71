//! What would not replay, and what to write instead; all of it at once.

#![allow(unused)]

use std::time::{Duration, Instant};

use axum_durable::prelude::*;
use uuid::Uuid;

#[workflow]
async fn checkout(ctx: &WorkflowCtx) -> Result<()> {
    let _ = (std::time::SystemTime::now(), Instant::now());
    let _ = Some(Uuid::nil()).unwrap_or_else(Uuid::new_v4);
    let _ = vec![Uuid::now_v7()];
    let _: u8 = rand::random();
    let _ = (rand::rng(), std::env::var("REGION"));
    std::thread::sleep(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _ = tokio::time::timeout(Duration::from_secs(1), ctx.sleep(Duration::from_secs(2))).await;
    tokio::spawn(async {});
    Ok(())
}

fn main() {}
