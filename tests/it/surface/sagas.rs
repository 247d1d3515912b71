//! Steps that are taken back, and runs that are cancelled.

use axum_durable::{RunStatus, prelude::*};

use super::stage::{Entry, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    a_failed_run_is_undone,
    a_failed_undo,
    a_rollback_by_hand,
    a_cancel,
    a_cancel_that_compensates,
);

/// Does a step that can be taken back.
async fn does(ctx: &WorkflowCtx, ledger: &Ledger, name: &'static str) -> Result<()> {
    let undo = match name {
        "hotel" => "no hotel",
        _ => "no train",
    };
    let (noted, fails) = (ledger.clone(), ledger.kept("undo fails").is_some());
    let step =
        effect(ctx, ledger, name, 7_u32).compensate_with(undo, move |_: u32, step: StepCtx| {
            noted.note_keyed(undo, &step);
            async move {
                if fails && undo == "no train" {
                    return Err(StepError::fatal("closed", "the office is closed"));
                }
                Ok(())
            }
        });
    step.await.map(drop)
}

fn trip(ledger: &Ledger) -> Workflow<String, u32> {
    noting("trip", ledger, |ctx, ledger, how: String| async move {
        does(&ctx, &ledger, "hotel").await?;
        does(&ctx, &ledger, "train").await?;
        match &*how {
            "fails" => Err(WorkflowError::failed("full", "no seats")),
            "rolls back" => {
                ctx.rollback().await?;
                ctx.rollback().await?;
                effect(&ctx, &ledger, "apologize", 1).await
            }
            _ => ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await,
        }
    })
}

fn entry(how: &str) -> Entry {
    Entry::new("trip", |it, ledger| it.register(trip(ledger)))
        .input(how)
        .does("hotel")
        .does("train")
}

fn a_failed_run_is_undone() -> Entry {
    entry("fails")
        .fails("full")
        .does("no train")
        .does("no hotel")
}

fn a_failed_undo() -> Entry {
    let setup = |it: axum_durable::durable::DurableBuilder, ledger: &Ledger| {
        ledger.keep("undo fails", "yes");
        it.register(trip(ledger))
    };
    Entry::new("trip", setup)
        .input("fails")
        .ends(RunStatus::CompensationFailed)
        .does("hotel")
        .does("train")
        .does("no train")
        .does("no hotel")
}

fn a_rollback_by_hand() -> Entry {
    entry("rolls back")
        .gives(1)
        .does("no train")
        .does("no hotel")
        .does("apologize")
}

fn a_cancel() -> Entry {
    entry("waits")
        .play(|it| {
            Box::pin(async {
                it.rests().await;
                it.insist(async || it.app.cancel(it.run).await).await;
            })
        })
        .ends(RunStatus::Cancelled)
}

fn a_cancel_that_compensates() -> Entry {
    entry("waits")
        .play(|it| {
            Box::pin(async {
                it.rests().await;
                it.insist(async || it.app.cancel(it.run).compensate().await)
                    .await;
            })
        })
        .ends(RunStatus::Cancelled)
        .does("no train")
        .does("no hotel")
}
