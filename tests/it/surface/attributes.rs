//! What runs are looked for by.

use axum_durable::model::RunQuery;
use serde_json::{Value, json};

use super::stage::{Entry, Stage, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(search_attributes, search_attributes_of_the_next_run);

async fn attributes(it: &Stage<'_>, run: &str) -> Value {
    let found = it.app.attributes::<Value>(run).await.unwrap();
    found.unwrap()
}

/// How many runs of the trial have stage 3 or a later one.
async fn late(it: &Stage<'_>) -> usize {
    let mut query = RunQuery::default();
    query.id_prefix = Some(it.run.into());
    query.attributes = vec!["stage:gte:3".parse().unwrap()];
    it.app.list_runs(&query).await.unwrap().runs.len()
}

fn search_attributes() -> Entry {
    let staged = |it: &Ledger| {
        noting("staged", it, |ctx, ledger, ()| async move {
            ctx.upsert_search_attributes(&json!({"stage": 1, "region": "eu"}))?;
            effect(&ctx, &ledger, "first", ()).await?;
            ctx.upsert_search_attributes(&json!({"stage": 2, "region": null}))?;
            let go: bool = ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await?;
            ctx.upsert_search_attributes(&json!({"stage": 3, "go": go}))
        })
    };
    Entry::new("staged", move |it, ledger| it.register(staged(ledger)))
        .play(|it| Box::pin(async { it.signal("go", true).await }))
        .gives(Value::Null)
        .does("first")
        .then(|it| {
            Box::pin(async {
                let all = json!({"stage": 3, "go": true});
                assert_eq!(attributes(it, it.run).await, all);
                assert_eq!(late(it).await, 1);
            })
        })
}

fn search_attributes_of_the_next_run() -> Entry {
    let rounds = |it: &Ledger| {
        noting("rounds", it, |ctx, ledger, n: u32| async move {
            ctx.upsert_search_attributes(&json!({"stage": n, "first": n == 1}))?;
            effect(&ctx, &ledger, "round", n).await?;
            if n == 3 {
                return Ok(n);
            }
            match ctx.continue_as_new(n + 1).await? {}
        })
    };
    Entry::new("rounds", move |it, ledger| it.register(rounds(ledger)))
        .input(1)
        .gives(3)
        .does_times("round", 3, 1)
        .then(|it| {
            Box::pin(async {
                let first = json!({"stage": 1, "first": true});
                assert_eq!(attributes(it, it.run).await, first);
                let last = format!("{}~2", it.run);
                assert_eq!(attributes(it, &last).await["stage"], 3);
                assert_eq!(late(it).await, 1);
            })
        })
}
