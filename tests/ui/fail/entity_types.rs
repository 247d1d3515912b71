//! What entities cannot be made of, and how they are not called.

use axum_durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

struct NotStored;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Cart {
    items: Vec<String>,
}

#[entity]
impl Cart {
    #[on]
    fn add(&mut self, item: String) -> usize {
        self.items.push(item);
        self.items.len()
    }

    #[on]
    fn take(&mut self, thing: NotStored) {}
}

#[workflow]
async fn buy(ctx: &WorkflowCtx) -> Result<usize> {
    let wrong: String = ctx.call_entity("ada", Cart::ADD, "tea".to_owned()).await?;
    ctx.call_entity("ada", Cart::ADD, 7).await
}

fn main() {}
