//! The handlers.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequest, Path, State},
    http::StatusCode,
    response::IntoResponse,
};
use axum_durable::{Durable, DurableError, Problem};
use sea_orm::DbErr;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::providers::Shop;
use crate::workflow::{Approval, Order, SET_ADDRESS, STAGE, approval_token, checkout};

/// How long a customer waits for the answer to a change of the address. Somebody may approve the
/// order meanwhile, and then the answer is that it is too late.
const ANSWER: Duration = Duration::from_secs(5);

/// `Json` whose refusal is a problem document.
#[derive(Debug, FromRequest)]
#[from_request(via(Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

pub(crate) fn run_id(order: &str) -> String {
    format!("order-{order}")
}

/// Takes an order: its row and its run are there together, or neither is. The same id again finds
/// the first order.
pub(crate) async fn place(
    durable: Durable,
    State(shop): State<Shop>,
    Body(order): Body<Order>,
) -> Result<impl IntoResponse, Problem> {
    if order.quantity == 0 {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let detail = "`quantity` is 0; order at least one";
        return Err(Problem::new(
            status,
            "invalid-order",
            "Invalid order",
            detail,
        ));
    }
    let id = run_id(&order.id);
    let tx = shop.take_order(&order).await.map_err(away)?;
    let start = durable.start(checkout, order).id(id).tag("web");
    let run = start.in_transaction(&tx).await?;
    tx.commit().await.map_err(away)?;
    Ok(run)
}

/// Approves or rejects an order, also before it waits for that.
pub(crate) async fn approve(
    durable: Durable,
    Path(id): Path<String>,
    Body(approval): Body<Approval>,
) -> Result<impl IntoResponse, Problem> {
    Ok(durable.signal(approval_token(&id), approval).await?)
}

/// Another address for an order.
#[derive(Debug, Deserialize)]
pub(crate) struct Readdress {
    address: String,
}

/// Sends an order elsewhere, as long as it waits for its approval.
pub(crate) async fn readdress(
    durable: Durable,
    Path(id): Path<String>,
    Body(to): Body<Readdress>,
) -> Result<Json<Value>, Problem> {
    let update = durable.update(run_id(&id), SET_ADDRESS, to.address);
    let address: String = update.within(ANSWER).await?;
    Ok(Json(json!({"address": address})))
}

/// Shows an order and how it stands.
pub(crate) async fn show(durable: Durable, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let run = durable.get_run(run_id(&id)).await?;
    let run = run.ok_or_else(|| Problem::not_found(format!("no order `{id}`")))?;
    let explanation = durable.explain(run.id.as_str()).await?;
    let stage: Option<String> = durable.get_event(run.id.as_str(), STAGE).await?;
    let order: Order = run.input.decode().map_err(DurableError::from)?;
    Ok(Json(json!({
        "order": order,
        "stage": stage,
        "run": {
            "id": run.id,
            "status": run.status,
            "output": run.output,
            "error": run.failure,
            "waiting_for": explanation.waiting_for,
        },
    })))
}

/// Shows what was done for an order in the outside world, and how often.
pub(crate) async fn effects(
    State(shop): State<Shop>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let effects = shop.effects(&id).await.map_err(away)?;
    let effects = effects.into_iter().map(|row| {
        json!({
            "effect": row.effect,
            "idempotency_key": row.idempotency_key,
            "executions": row.executions,
        })
    });
    Ok(Json(effects.collect()))
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` gives it away")]
fn away(error: DbErr) -> Problem {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "the database failed"
    );
    Problem::unavailable("the database did not answer; try again")
}
