//! Some days after a shipment the customer is asked how the goods are.

use std::time::Duration;

use axum_durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::providers::Shop;

/// Long enough for the goods to be in use.
const IN_USE: Duration = Duration::from_secs(5 * 86_400);

/// The event `order.shipped`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Shipped {
    /// The order.
    pub(crate) order_id: String,
    /// Where the question goes.
    pub(crate) email: String,
}

/// Started by each shipment, in the commit that ends its order. The checkout knows nothing of it.
#[workflow(name = "ask-for-review", version = 1, tags = ["shop"], on_event = "order.shipped")]
pub(crate) async fn ask_for_review(
    ctx: &WorkflowCtx,
    shipped: Shipped,
    State(shop): State<Shop>,
) -> Result<String> {
    ctx.sleep(IN_USE).await;
    ctx.step("send-question", async |step: StepCtx| {
        shop.ask_for_review(&shipped, &step).await
    })
    .retries(10)
    .await
}
