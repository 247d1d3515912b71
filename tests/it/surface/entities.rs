//! Operations on entities, from workflows and from outside.

use axum_durable::{durable::DurableBuilder, prelude::*};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::stage::{Entry, Stage, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    an_entity_that_is_called,
    an_entity_that_is_told,
    an_entity_that_refuses,
    an_entity_that_is_called_from_outside,
);

/// Keeps what was put in, in its order.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Jar(Vec<u32>);

#[entity]
impl Jar {
    #[on]
    fn put(&mut self, coin: u32) -> Result<usize, StepError> {
        if coin == 13 {
            return Err(StepError::fatal("unlucky", "no such coin"));
        }
        self.0.push(coin);
        Ok(self.0.len())
    }
}

/// A run that uses the jar of its own name.
fn saver<F, Fut>(body: F) -> Entry
where
    F: Fn(WorkflowCtx, Ledger) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<serde_json::Value>> + Send + 'static,
{
    let setup = move |it: DurableBuilder, ledger: &Ledger| {
        let body = body.clone();
        let saver = noting("saver", ledger, move |ctx, ledger, ()| body(ctx, ledger));
        it.register(saver).register(Jar::entity)
    };
    Entry::new("saver", setup)
}

async fn coins(it: &Stage<'_>) -> Vec<u32> {
    let jar = it.app.entity::<Jar>(it.run).unwrap();
    jar.state().await.unwrap().unwrap_or_default().0
}

fn an_entity_that_is_called() -> Entry {
    saver(|ctx, ledger| async move {
        let jar = ctx.run_id().to_string();
        let first = ctx.call_entity(&jar, Jar::PUT, 5).await?;
        effect(&ctx, &ledger, "between", first).await?;
        let second = ctx.call_entity(&jar, Jar::PUT, 7).await?;
        Ok(json!([first, second]))
    })
    .gives(json!([1, 2]))
    .does("between")
    .then(|it| Box::pin(async { assert_eq!(coins(it).await, [5, 7]) }))
}

fn an_entity_that_is_told() -> Entry {
    saver(|ctx, ledger| async move {
        let jar = ctx.run_id().to_string();
        ctx.signal_entity(&jar, Jar::PUT, 1)?;
        effect(&ctx, &ledger, "between", ()).await?;
        ctx.signal_entity(&jar, Jar::PUT, 2)?;
        // What was sent before comes before.
        Ok(json!(ctx.call_entity(&jar, Jar::PUT, 3).await?))
    })
    .gives(3)
    .does("between")
    .then(|it| Box::pin(async { assert_eq!(coins(it).await, [1, 2, 3]) }))
}

fn an_entity_that_refuses() -> Entry {
    saver(|ctx, _| async move {
        let jar = ctx.run_id().to_string();
        let refused = ctx.call_entity(&jar, Jar::PUT, 13).await.unwrap_err();
        let after = ctx.call_entity(&jar, Jar::PUT, 14).await?;
        Ok(json!([refused.code(), after]))
    })
    .gives(json!(["unlucky", 1]))
    .then(|it| Box::pin(async { assert_eq!(coins(it).await, [14]) }))
}

fn an_entity_that_is_called_from_outside() -> Entry {
    saver(|ctx, ledger| async move { Ok(json!(effect(&ctx, &ledger, "pass", 1_u32).await?)) })
        .play(|it| {
            Box::pin(async {
                let jar = it.app.entity::<Jar>(it.run).unwrap();
                // Under the ids by which whoever got no answer repeats them; in no order of theirs.
                for (id, coin) in [("z", 1), ("m", 2), ("a", 3)] {
                    jar.signal(Jar::PUT, coin).id(id).await.unwrap();
                }
                let put = jar.call(Jar::PUT, 4).id("k").await.unwrap();
                assert_eq!(put, 4);
            })
        })
        .gives(1)
        .does("pass")
        .then(|it| Box::pin(async { assert_eq!(coins(it).await, [1, 2, 3, 4]) }))
}
