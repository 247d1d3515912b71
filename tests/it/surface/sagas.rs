//! Steps that are taken back, and runs that are cancelled.

use axum_durable::{RunStatus, durable::DurableBuilder, model::Undo, prelude::*};

use super::stage::{Entry, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    a_failed_run_is_undone,
    a_failed_undo,
    a_rollback_by_hand,
    a_cancel,
    a_cancel_that_compensates,
    steps_of_workers_are_undone_by_workers,
    a_rollback_that_workers_do,
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
    let setup = |it: DurableBuilder, ledger: &Ledger| {
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

#[step(name = "surface.charge")]
async fn charge(
    cents: u32,
    State(ledger): State<Ledger>,
    step: StepCtx,
) -> Result<String, StepError> {
    ledger.note_keyed("charge", &step);
    Ok(format!("c{cents}"))
}

/// Refuses its first attempt.
#[step(name = "surface.refund", retries = 3, backoff = "fixed 1s")]
async fn refund(
    charge: Undo<u32, String>,
    State(ledger): State<Ledger>,
    step: StepCtx,
) -> Result<(), StepError> {
    let charge = format!("refund {} of {}", charge.output, charge.input);
    ledger.note_keyed(&charge, &step);
    match step.attempt() {
        1 => Err(StepError::retryable("busy", "later")),
        _ => Ok(()),
    }
}

/// Charges twice at workers, and takes both back.
fn charges(ledger: &Ledger) -> Workflow<bool, u32> {
    noting("charges", ledger, |ctx, ledger, fails: bool| async move {
        for cents in [5, 7] {
            ctx.remote(charge, cents).compensate(refund).await?;
        }
        if fails {
            return Err(WorkflowError::failed("sold_out", "none left"));
        }
        ctx.rollback().await?;
        effect(&ctx, &ledger, "apologize", 2).await
    })
}

fn charged(fails: bool) -> Entry {
    let setup = |it: DurableBuilder, ledger: &Ledger| {
        let it = it.register(charges(ledger)).provide(ledger.clone());
        it.register(charge).register(refund)
    };
    Entry::new("charges", setup)
        .input(fails)
        .does_times("charge", 2, 1)
        .does_times("refund c5 of 5", 1, 2)
        .does_times("refund c7 of 7", 1, 2)
}

fn steps_of_workers_are_undone_by_workers() -> Entry {
    charged(true).fails("sold_out")
}

fn a_rollback_that_workers_do() -> Entry {
    charged(false).gives(2).does("apologize")
}
