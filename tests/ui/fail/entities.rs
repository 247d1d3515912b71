//! What operations of entities cannot be.

use axum_durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Cart {
    items: Vec<String>,
}

#[entity(name = "shop:cart")]
impl Cart {
    #[on]
    async fn fetch(&mut self) {}

    #[on]
    fn not_mine(item: String) {}

    #[on]
    fn consumed(self) {}

    #[on]
    fn two(&mut self, a: u32, b: u32) {}

    #[on]
    fn borrowed(&mut self, item: &str) {}

    #[on]
    fn contextual(&mut self, ctx: &WorkflowCtx) {}

    #[on]
    fn stateful(&mut self, State(n): State<u32>) {}

    #[on]
    fn generic<T>(&mut self, item: T) {}

    #[on]
    fn some_kind(&mut self, item: impl Into<String>) {}

    #[on]
    fn view(&self) -> &[String] {
        &self.items
    }

    #[on(retries = 3)]
    fn tried(&mut self) {}

    #[on(name = "same")]
    fn one(&mut self) {}

    #[on(name = "same")]
    fn another(&mut self) {}
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Idle;

#[entity]
impl Idle {
    fn nothing(&mut self) {}
}

#[entity]
impl Clone for Idle {
    fn clone(&self) -> Self {
        Self
    }
}

#[entity]
impl<T> Vec<T> {}

#[entity]
fn no_block() {}

fn main() {}
