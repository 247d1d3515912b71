//! Carts: one entity for each customer, whatever tabs and phones they put things in from.

use axum::{Json, extract::Path, response::IntoResponse};
use axum_durable::{Problem, model::OnCancel, prelude::*};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::orders::{Body, run_id};
use crate::providers::Shop;
use crate::workflow::{Order, checkout};

/// So many different goods fit into a cart, so that it stays small.
const MOST_LINES: usize = 100;

/// What a customer wants to buy.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Cart {
    lines: Vec<Line>,
}

/// Some pieces of one kind.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    sku: String,
    quantity: u32,
    /// The price of a piece.
    cents: u64,
}

#[entity]
impl Cart {
    /// Puts something in, and says how many pieces are in then.
    #[on]
    pub(crate) fn put_in(&mut self, line: Line) -> Result<u32, StepError> {
        if line.quantity == 0 {
            return Err(StepError::fatal("nothing", "put in at least one piece"));
        }
        if let Some(there) = self.lines.iter_mut().find(|it| it.sku == line.sku) {
            there.quantity = there.quantity.saturating_add(line.quantity);
        } else if self.lines.len() >= MOST_LINES {
            return Err(StepError::fatal("full", "the cart is full"));
        } else {
            self.lines.push(line);
        }
        Ok(self.lines.iter().map(|it| it.quantity).sum())
    }

    /// Hands everything over and leaves the cart empty: what is put in from now on is for the next
    /// order.
    #[on]
    pub(crate) fn empty(&mut self) -> Result<Vec<Line>, StepError> {
        if self.lines.is_empty() {
            return Err(StepError::fatal("empty_cart", "the cart is empty"));
        }
        Ok(std::mem::take(&mut self.lines))
    }
}

/// Who checks out, and where to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Checkout {
    id: String,
    email: String,
    #[serde(default)]
    address: String,
    /// From the path.
    #[serde(default)]
    customer: String,
}

/// Makes an order of each line of a cart. The lines leave the cart once, whatever dies.
#[workflow(name = "check-out", version = 1, tags = ["shop"])]
pub(crate) async fn check_out(ctx: &WorkflowCtx, asked: Checkout) -> Result<Vec<String>> {
    let lines = ctx.call_entity(&asked.customer, Cart::EMPTY, ()).await?;
    let mut orders = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let order = Order {
            id: format!("{}-{number}", asked.id),
            sku: line.sku,
            quantity: line.quantity,
            total_cents: line.cents.saturating_mul(line.quantity.into()),
            email: asked.email.clone(),
            address: asked.address.clone(),
        };
        ctx.transaction("take-order", async |tx| Ok(Shop::enter(&order, &tx).await?))
            .await?;
        orders.push(order.id.clone());
        let id = run_id(&order.id);
        let sale = ctx.child(checkout, order).id(id);
        sale.on_cancel(OnCancel::Abandon).start().await?;
    }
    Ok(orders)
}

/// Puts something into a cart.
pub(crate) async fn put_in(
    durable: Durable,
    Path(customer): Path<String>,
    Body(line): Body<Line>,
) -> Result<Json<Value>, Problem> {
    let cart = durable.entity(customer)?;
    let pieces = cart.call(Cart::PUT_IN, line).await?;
    Ok(Json(json!({"pieces": pieces})))
}

/// Shows a cart.
pub(crate) async fn show(
    durable: Durable,
    Path(customer): Path<String>,
) -> Result<Json<Cart>, Problem> {
    let cart = durable.entity::<Cart>(customer)?.state().await?;
    Ok(Json(cart.unwrap_or_default()))
}

/// Places an order for all that is in a cart. The same id again finds the first one.
pub(crate) async fn place(
    durable: Durable,
    Path(customer): Path<String>,
    Body(asked): Body<Checkout>,
) -> Result<impl IntoResponse, Problem> {
    let id = format!("check-out-{}", asked.id);
    let asked = Checkout { customer, ..asked };
    Ok(durable.start(check_out, asked).id(id).await?)
}
