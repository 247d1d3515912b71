//! Workflows that events start.

#![deny(warnings, unused_qualifications, missing_docs)]

use axum_durable::{model::Trigger, prelude::*};

/// For each.
#[workflow(on_event = "order.placed")]
pub async fn pack(_ctx: &WorkflowCtx, _order: u32) -> Result<()> {
    Ok(())
}

/// For several, at rest.
#[workflow(name = "index", on_event = ["page.edited", "page.moved"], debounce = "500ms")]
pub async fn reindex(_ctx: &WorkflowCtx, _page: String) -> Result<()> {
    Ok(())
}

/// For many at once.
#[workflow(on_event = "order.placed", batch = 100, within = "1d", tags = ["reports"])]
pub async fn report(_ctx: &WorkflowCtx, orders: Vec<u32>) -> Result<usize> {
    Ok(orders.len())
}

/// What is charged.
#[step]
pub async fn charge(cents: u32) -> Result<String, StepError> {
    Ok(cents.to_string())
}

/// What takes that back.
#[step(retries = 10)]
pub async fn refund(charge: Undo<u32, String>) -> Result<(), StepError> {
    let Undo { input, output } = charge;
    println!("{input} {output}");
    Ok(())
}

/// Undone at a worker.
#[workflow]
pub async fn sell(ctx: &WorkflowCtx, cents: u32) -> Result<String> {
    let undone = ctx.remote(charge, cents).retries(3).compensate(refund);
    let paid = undone.compensation_retries(5).await?;
    ctx.remote_named::<()>("py.tell", &paid).compensate_named("py.tell-not").await?;
    Ok(paid)
}

fn main() {
    let large = Trigger::new("order.placed").matching("cents", 5);
    assert_eq!(pack().on_event(large).name(), "pack");
}
