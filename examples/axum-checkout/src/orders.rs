//! The handlers.

use axum::{
    Json,
    extract::{FromRequest, Path, State},
    http::StatusCode,
    response::IntoResponse,
};
use axum_durable::{Durable, DurableError, Problem};
use serde_json::{Value, json};

use crate::providers::Shop;
use crate::workflow::{Approval, Order, approval_token, checkout};

/// `Json` whose refusal is a problem document.
#[derive(Debug, FromRequest)]
#[from_request(via(Json), rejection(Problem))]
pub(crate) struct Body<T>(T);

fn run_id(order: &str) -> String {
    format!("order-{order}")
}

/// Takes an order. The same id again finds the first order.
pub(crate) async fn place(
    durable: Durable,
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
    Ok(durable.start(checkout, order).id(id).tag("web").await?)
}

/// Approves or rejects an order, also before it waits for that.
pub(crate) async fn approve(
    durable: Durable,
    Path(id): Path<String>,
    Body(approval): Body<Approval>,
) -> Result<impl IntoResponse, Problem> {
    Ok(durable.signal(approval_token(&id), approval).await?)
}

/// Shows an order and how it stands.
pub(crate) async fn show(durable: Durable, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let run = durable.get_run(run_id(&id)).await?;
    let run = run.ok_or_else(|| Problem::not_found(format!("no order `{id}`")))?;
    let explanation = durable.explain(run.id.as_str()).await?;
    let order: Order = run.input.decode().map_err(DurableError::from)?;
    Ok(Json(json!({
        "order": order,
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
    let effects = shop.effects(&id).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "effects not read");
        Problem::unavailable("the database did not answer; try again")
    })?;
    let effects = effects.into_iter().map(|row| {
        json!({
            "effect": row.effect,
            "idempotency_key": row.idempotency_key,
            "executions": row.executions,
        })
    });
    Ok(Json(effects.collect()))
}
