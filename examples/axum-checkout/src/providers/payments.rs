//! The payment provider: a step that a worker executes. Here the worker is this process; another
//! one could be it without a change of the workflow.

use axum_durable::prelude::*;
use schemars::JsonSchema;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _,
};
use serde::{Deserialize, Serialize};

use super::ledger::Shop;
use crate::entity::charge;

/// From this sum on the provider asks the customer's bank before it charges.
pub(crate) const BANK_FROM_CENTS: u64 = 100_000;

/// What is charged.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ChargeRequest {
    /// The order.
    pub(crate) order_id: String,
    /// The amount.
    pub(crate) total_cents: u64,
    /// Where the provider posts a [`Confirmation`] to, if it asks the bank. Who has it may post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) callback: Option<String>,
}

/// What the provider posts once the customer's bank has answered.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Confirmation {
    /// Whether the bank lets the charge pass. If not, the shop takes it back.
    pub(crate) confirmed: bool,
}

/// Charges the customer's card; gives the id of the charge.
#[step(
    name = "payments.charge-card",
    retries = 10,
    backoff = "exp 200ms..30s"
)]
pub(crate) async fn charge_card(
    request: ChargeRequest,
    State(shop): State<Shop>,
    step: StepCtx,
) -> Result<String, StepError> {
    let Ok(total_cents) = i64::try_from(request.total_cents) else {
        return Err(StepError::fatal(
            "declined",
            "the amount is beyond every card",
        ));
    };
    let key = step.idempotency_key();
    let call = shop.begin(&request.order_id, "charge", &step).await?;
    if call.is_first {
        let row = charge::ActiveModel {
            idempotency_key: Set(key.clone()),
            order_id: Set(request.order_id),
            total_cents: Set(total_cents),
        };
        row.insert(&call.tx).await?;
    }
    call.commit().await?;
    step.log(LogLevel::Info, format!("charged {total_cents} cents"));
    Ok(format!("charge-{key}"))
}

/// Takes a charge back: the undo of [`charge_card`], for whatever reason its order fails.
#[step(
    name = "payments.refund-charge",
    retries = 10,
    backoff = "exp 200ms..30s"
)]
pub(crate) async fn refund_charge(
    charge: Undo<ChargeRequest, String>,
    State(shop): State<Shop>,
    step: StepCtx,
) -> Result<(), StepError> {
    let Undo { input, output } = charge;
    let call = shop.begin(&input.order_id, "refund", &step).await?;
    if call.is_first {
        let charges = charge::Entity::delete_many();
        let charges = charges.filter(charge::Column::OrderId.eq(input.order_id));
        charges.exec(&call.tx).await?;
    }
    call.commit().await?;
    step.log(LogLevel::Info, format!("{output} taken back"));
    Ok(())
}
