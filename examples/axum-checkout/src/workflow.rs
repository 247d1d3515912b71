//! What happens to an order, from reservation to shipment.

use std::{pin::pin, time::Duration};

use axum_durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::providers::{
    BANK_FROM_CENTS, ChargeRequest, Confirmation, Shop, charge_card, refund_charge,
};
use crate::reviews::Shipped;

/// Attempts of a step: with waits from 200 ms up to 30 s it outlives a provider that is away for
/// some minutes.
const ATTEMPTS: u32 = 10;

/// So many pieces go by forklift, and somebody looks at them first.
const FREIGHT_PIECES: u32 = 1_000;

/// How long the customer's bank may think about a large charge.
const BANK_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// Under which name an open order takes another address.
pub(crate) const SET_ADDRESS: &str = "set-address";

/// The event that tells of a delivery.
const DELIVERED: &str = "stock.delivered";

/// Under which key an order publishes how far it is.
pub(crate) const STAGE: &str = "stage";

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
    /// Where the parcel goes. Empty: the customer fetches it.
    #[serde(default)]
    pub(crate) address: String,
}

/// A parcel, as the carrier gets it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Parcel {
    /// The order.
    pub(crate) order_id: String,
    /// What is in it.
    pub(crate) sku: String,
    /// How many pieces.
    pub(crate) pieces: u32,
    /// Where it goes.
    pub(crate) address: String,
}

/// What is missing in the stock.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reorder {
    /// What was ordered from the supplier.
    pub(crate) sku: String,
}

/// What the supplier's lorry has brought.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Delivery {
    /// What.
    pub(crate) sku: String,
    /// How many.
    pub(crate) pieces: u32,
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
    /// The customer's bank refused the charge.
    Declined,
}

/// How long things take. A change counts for waits that begin later: the end of a wait is stored
/// with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How long an order waits for its approval.
    pub(crate) approval_timeout: Duration,
    /// How long a parcel lies ready until the carrier has fetched it.
    pub(crate) settle: Duration,
}

/// The token under which the approval of an order is sent and awaited.
pub(crate) fn approval_token(order: &str) -> String {
    format!("approve:{order}")
}

/// The id of the run that ships an order: one, whoever asks for it.
fn parcel_id(order: &str) -> String {
    format!("parcel-{order}")
}

fn is_address(address: &str) -> Result<(), &'static str> {
    let is_blank = address.trim().is_empty();
    if is_blank {
        Err("the address is empty")
    } else {
        Ok(())
    }
}

/// Sells an order. Every `await` is a place where the process may die: the next one goes on there.
#[workflow(name = "checkout", version = 1, tags = ["shop"])]
#[expect(
    clippy::too_many_lines,
    reason = "the story of an order is best read in one piece"
)]
pub(crate) async fn checkout(
    ctx: &WorkflowCtx,
    mut order: Order,
    State(shop): State<Shop>,
    State(settings): State<Settings>,
) -> Result<Receipt> {
    // Undone by `rollback`, and by every error from here on.
    let (shelf, taken) = (shop.clone(), order.clone());
    ctx.step("reserve-stock", async |step: StepCtx| {
        shop.reserve(&order, &step).await
    })
    .retries(ATTEMPTS)
    .compensate_with("release-stock", move |reservation, step| {
        shelf.clone().release(taken.clone(), reservation, step)
    })
    .compensation_retries(ATTEMPTS)
    .await?;

    // While the order waits, the customer may still move house.
    ctx.set_event(STAGE, "approval")?;
    let approval = ctx.wait_for_signal::<Approval>(approval_token(&order.id));
    let mut approval = pin!(approval.timeout(settings.approval_timeout));
    let approval = loop {
        let update = ctx.on_update::<String, String>(SET_ADDRESS);
        tokio::select! {
            biased;
            approval = &mut approval => break approval,
            update = update.validate(|address| is_address(address)) => {
                let update = update?;
                order.address.clone_from(update.args());
                update.reply(&order.address)?;
            }
        }
    };
    let refusal = match approval {
        Ok(Approval { approved: true, .. }) => None,
        Ok(Approval { by, .. }) => Some(Receipt::Rejected { by }),
        Err(error) if error.is_timeout() => Some(Receipt::TimedOut),
        Err(error) => return Err(error),
    };
    if let Some(refusal) = refusal {
        ctx.rollback().await?;
        return Ok(refusal);
    }

    // Of a large sum the payment provider asks the customer's bank first, and calls back.
    ctx.set_event(STAGE, "payment")?;
    let bank = if order.total_cents >= BANK_FROM_CENTS {
        let once = WebhookOptions::new().label("bank").one_shot();
        Some(ctx.webhook_with::<Confirmation>(once))
    } else {
        None
    };
    let request = ChargeRequest {
        order_id: order.id.clone(),
        total_cents: order.total_cents,
        callback: match &bank {
            Some(bank) => Some(bank.url()?.to_owned()),
            None => None,
        },
    };
    let charge = ctx.remote(charge_card, request).compensate(refund_charge);
    let charge = charge.await?;
    if let Some(bank) = bank {
        let answer = bank.wait().timeout(BANK_TIMEOUT).await?;
        if !answer.confirmed {
            ctx.rollback().await?;
            return Ok(Receipt::Declined);
        }
    }

    ctx.set_event(STAGE, "shipping")?;
    let parcel = Parcel {
        order_id: order.id.clone(),
        sku: order.sku.clone(),
        pieces: order.quantity,
        address: order.address.clone(),
    };
    let (label, receipt) = tokio::try_join!(
        ctx.child(ship, parcel).id(parcel_id(&order.id)),
        ctx.step("send-receipt", async |step: StepCtx| {
            shop.send_receipt(&order, &charge, &step).await
        })
        .retries(ATTEMPTS),
    )?;

    ctx.step("finish-order", async |step: StepCtx| {
        shop.finish(&order, &step).await
    })
    .retries(ATTEMPTS)
    .await?;
    // The shop's own books: the row and the checkpoint are one commit.
    ctx.transaction("book-sale", async |tx| Shop::book(&order, &tx).await)
        .retries(ATTEMPTS)
        .await?;
    // Goes out with the end of this run. Who wants to hear of it says so himself: see `reviews`.
    let shipped = Shipped {
        order_id: order.id,
        email: order.email,
    };
    ctx.emit("order.shipped", &shipped)?;
    Ok(Receipt::Shipped {
        charge,
        label,
        receipt,
    })
}

/// Waits for a delivery of an article, whoever announces it, and puts it into the stock.
#[workflow(name = "restock", version = 1, tags = ["stock"])]
pub(crate) async fn restock(
    ctx: &WorkflowCtx,
    reorder: Reorder,
    State(shop): State<Shop>,
) -> Result<u32> {
    let delivery = ctx
        .wait_for_event::<Delivery>(DELIVERED)
        .matching("sku", &reorder.sku)
        .await?;
    ctx.step("put-on-shelf", async |step: StepCtx| {
        shop.restock(&delivery, &step).await
    })
    .retries(ATTEMPTS)
    .await?;
    Ok(delivery.pieces)
}

/// Ships a parcel, as a run of its own: whoever packs looks at this one and not at the payment.
#[workflow(name = "ship", version = 1, tags = ["shop"])]
pub(crate) async fn ship(
    ctx: &WorkflowCtx,
    parcel: Parcel,
    State(shop): State<Shop>,
    State(settings): State<Settings>,
) -> Result<String> {
    if parcel.pieces >= FREIGHT_PIECES {
        ctx.breakpoint("look at the freight").await;
    }
    let label = ctx
        .step("create-label", async |step: StepCtx| {
            shop.create_label(&parcel, &step).await
        })
        .retries(ATTEMPTS)
        .await?;
    ctx.sleep(settings.settle).await;
    Ok(label)
}
