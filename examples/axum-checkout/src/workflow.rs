//! What happens to an order, from reservation to shipment.

use std::time::Duration;

use axum_durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::providers::{ChargeRequest, Shop, charge_card};

/// Attempts of a step: with waits from 200 ms up to 30 s it outlives a provider that is away for
/// some minutes.
const ATTEMPTS: u32 = 10;

/// An order as it is placed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Order {
    /// Its id, given by the customer.
    pub(crate) id: String,
    /// What is bought.
    pub(crate) sku: String,
    /// How many.
    pub(crate) quantity: u32,
    /// The price of all.
    pub(crate) total_cents: u64,
    /// Where the receipt goes.
    pub(crate) email: String,
}

/// What a person decides about an order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Approval {
    /// Whether it may be charged and shipped.
    pub(crate) approved: bool,
    /// Who decided.
    #[serde(default)]
    pub(crate) by: String,
}

/// How an order ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Receipt {
    /// It was charged and shipped.
    Shipped {
        /// The charge.
        charge: String,
        /// The label of its parcel.
        label: String,
        /// The mail with the receipt.
        receipt: String,
    },
    /// A person rejected it.
    Rejected {
        /// Who.
        by: String,
    },
    /// Nobody decided in time.
    TimedOut,
}

/// How long things take. A change counts for waits that begin later: the end of a wait is stored
/// with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How long an order waits for its approval.
    pub(crate) approval_timeout: Duration,
    /// How long a shipped order settles before it is finished.
    pub(crate) settle: Duration,
}

/// The token under which the approval of an order is sent and awaited.
pub(crate) fn approval_token(order: &str) -> String {
    format!("approve:{order}")
}

/// Sells an order. Every `await` is a place where the process may die: the next one goes on there.
#[workflow(name = "checkout", version = 1, tags = ["shop"])]
pub(crate) async fn checkout(
    ctx: &WorkflowCtx,
    order: Order,
    State(shop): State<Shop>,
    State(settings): State<Settings>,
) -> Result<Receipt> {
    let reservation = ctx
        .step("reserve-stock", async |step: StepCtx| {
            shop.reserve(&order, &step).await
        })
        .retries(ATTEMPTS)
        .await?;

    let approval = ctx
        .wait_for_signal::<Approval>(approval_token(&order.id))
        .timeout(settings.approval_timeout)
        .await;
    let refusal = match approval {
        Ok(Approval { approved: true, .. }) => None,
        Ok(Approval { by, .. }) => Some(Receipt::Rejected { by }),
        Err(error) if error.is_timeout() => Some(Receipt::TimedOut),
        Err(error) => return Err(error),
    };
    if let Some(refusal) = refusal {
        ctx.step("release-stock", async |step: StepCtx| {
            shop.release(&order, &reservation, &step).await
        })
        .retries(ATTEMPTS)
        .await?;
        return Ok(refusal);
    }

    let request = ChargeRequest {
        order_id: order.id.clone(),
        total_cents: order.total_cents,
    };
    let charge = ctx.remote(charge_card, request).await?;

    let (label, receipt) = tokio::try_join!(
        ctx.step("create-label", async |step: StepCtx| shop
            .create_label(&order, &step)
            .await)
            .retries(ATTEMPTS),
        ctx.step("send-receipt", async |step: StepCtx| {
            shop.send_receipt(&order, &charge, &step).await
        })
        .retries(ATTEMPTS),
    )?;

    ctx.sleep(settings.settle).await;
    ctx.step("finish-order", async |step: StepCtx| {
        shop.finish(&order, &step).await
    })
    .retries(ATTEMPTS)
    .await?;
    Ok(Receipt::Shipped {
        charge,
        label,
        receipt,
    })
}
