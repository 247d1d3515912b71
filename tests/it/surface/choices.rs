//! What is recorded without a wait: choices, patches, notes, tags and published values; versions.

use std::time::Duration;

use axum_durable::prelude::*;
use serde_json::json;

use super::stage::{Entry, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    a_choice,
    a_patch,
    notes_tags_and_published_values,
    a_version_beside_a_newer_one,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// The reason of the choice is another one at each call; the choice is not.
fn a_choice() -> Entry {
    let decides = |it: &Ledger| {
        noting("decides", it, |ctx, ledger, ()| async move {
            let is_first = ledger.kept("asked").is_none();
            ledger.keep("asked", "yes");
            let chosen = ctx.switch("first", is_first)?;
            // Which one it is depends on whether a crash left a trace of it; that it is one of
            // both does not.
            effect(&ctx, &ledger, "branch", chosen).await?;
            ctx.sleep(HOUR).await;
            let again = ctx.switch("second", chosen)?;
            Ok(again == chosen)
        })
    };
    Entry::new("decides", move |it, ledger| it.register(decides(ledger)))
        .gives(true)
        .does("branch")
}

fn a_patch() -> Entry {
    let patched = |it: &Ledger| {
        noting("patched", it, |ctx, ledger, ()| async move {
            let mut ways = Vec::new();
            for _ in 0..2 {
                ways.push(ctx.patched("check"));
                effect(&ctx, &ledger, "round", ()).await?;
            }
            ctx.deprecate_patch("never there");
            Ok(ways)
        })
    };
    Entry::new("patched", move |it, ledger| it.register(patched(ledger)))
        .gives(json!([true, true]))
        .does_times("round", 2, 1)
}

fn notes_tags_and_published_values() -> Entry {
    let progress = |it: &Ledger| {
        noting("progress", it, |ctx, ledger, ()| async move {
            ctx.note("begun");
            ctx.add_tag("noted");
            ctx.set_event("percent", &10)?;
            effect(&ctx, &ledger, "work", ()).await?;
            ctx.sleep(HOUR).await;
            ctx.set_event("percent", &100)?;
            ctx.note("done");
            Ok(())
        })
    };
    Entry::new("progress", move |it, ledger| it.register(progress(ledger)))
        .then(|it| {
            Box::pin(async {
                let percent: Option<u32> = it.app.get_event(it.run, "percent").await.unwrap();
                assert_eq!(percent, Some(100));
                let run = it.app.get_run(it.run).await.unwrap().unwrap();
                assert_eq!(run.tags, ["noted".into()]);
            })
        })
        .does("work")
}

fn a_version_beside_a_newer_one() -> Entry {
    let version = |it: &Ledger, version: u32| {
        let name = if version == 1 { "old way" } else { "new way" };
        let ledger = it.clone();
        Workflow::<(), u32>::from_body("versioned", version, move |ctx, ()| {
            let ledger = ledger.clone();
            Box::pin(async move {
                ctx.sleep(HOUR).await;
                effect(&ctx, &ledger, name, version).await
            })
        })
    };
    Entry::new("versioned", move |it, ledger| {
        it.register(version(ledger, 1)).register(version(ledger, 2))
    })
    .version(1)
    .gives(1)
    .does("old way")
}
