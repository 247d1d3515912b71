//! Steps: one after the other, side by side, tried again, at a worker, in a transaction.

use std::time::Duration;

use axum_durable::{
    prelude::*,
    workflow::{BoxFuture, States, ops::StepTransaction},
};
use sea_orm::ConnectionTrait as _;

use super::stage::{Entry, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    steps_one_after_the_other,
    steps_side_by_side,
    a_step_that_is_tried_again,
    a_failure_that_is_caught,
    an_attempt_that_takes_too_long,
    a_race_of_steps,
    a_step_at_a_worker,
    a_step_in_a_transaction,
    captured_values,
);

const MINUTE: Duration = Duration::from_secs(60);
const AGAIN: Backoff = Backoff::Fixed { every: MINUTE };

fn steps_one_after_the_other() -> Entry {
    let row = |it: &Ledger| {
        noting("row", it, |ctx, ledger, n: u32| async move {
            let a = effect(&ctx, &ledger, "a", n).await?;
            let b = effect(&ctx, &ledger, "b", a + 1).await?;
            effect(&ctx, &ledger, "c", b + 1).await
        })
    };
    Entry::new("row", move |it, ledger| it.register(row(ledger)))
        .input(1)
        .gives(3)
        .does("a")
        .does("b")
        .does("c")
}

fn steps_side_by_side() -> Entry {
    let wide = |it: &Ledger| {
        noting("wide", it, |ctx, ledger, ()| async move {
            let (a, b) = (
                effect(&ctx, &ledger, "a", 1_u32),
                effect(&ctx, &ledger, "b", 2_u32).spawn(),
            );
            let rest = (0..3_u32).map(|n| effect(&ctx, &ledger, "c", n));
            let rest = futures_util::future::try_join_all(rest);
            let (a, b, rest) = tokio::try_join!(a, b, rest)?;
            Ok((a, b, rest))
        })
    };
    Entry::new("wide", move |it, ledger| it.register(wide(ledger)))
        .gives(serde_json::json!([1, 2, [0, 1, 2]]))
        .does("a")
        .does("b")
        .does_times("c", 3, 1)
}

/// Fails until its third attempt.
fn stubborn(ledger: &Ledger, step: &StepCtx) -> Result<u32, StepError> {
    ledger.note_keyed("stubborn", step);
    match step.attempt() {
        3 => Ok(3),
        attempt => Err(StepError::retryable("busy", format!("attempt {attempt}"))),
    }
}

fn a_step_that_is_tried_again() -> Entry {
    let again = |it: &Ledger| {
        noting("again", it, |ctx, ledger, ()| async move {
            let step = ctx.step("stubborn", |step: StepCtx| {
                let result = stubborn(&ledger, &step);
                async { result }
            });
            let tries = step.retries(3).backoff(AGAIN).await?;
            effect(&ctx, &ledger, "after", tries).await
        })
    };
    Entry::new("again", move |it, ledger| it.register(again(ledger)))
        .gives(3)
        .does_times("stubborn", 1, 3)
        .does("after")
}

fn a_failure_that_is_caught() -> Entry {
    let caught = |it: &Ledger| {
        noting("caught", it, |ctx, ledger, ()| async move {
            let step = ctx.step("charge", |step: StepCtx| {
                ledger.note_keyed("charge", &step);
                async { Err::<u32, _>(StepError::fatal("declined", "no")) }
            });
            let code = match step.await {
                Ok(_) => String::new(),
                Err(error) => error.code().unwrap_or_default().to_owned(),
            };
            effect(&ctx, &ledger, "apologize", code).await
        })
    };
    Entry::new("caught", move |it, ledger| it.register(caught(ledger)))
        .gives("declined")
        .does("charge")
        .does("apologize")
}

fn an_attempt_that_takes_too_long() -> Entry {
    let slow = |it: &Ledger| {
        noting("slow", it, |ctx, ledger, ()| async move {
            // The first attempt fails, because time stands still while a body runs.
            let step = ctx.step("slow", |step: StepCtx| {
                ledger.note_keyed("slow", &step);
                async move {
                    match step.attempt() {
                        1 => Err(StepError::retryable("slow", "not yet")),
                        attempt => Ok(attempt),
                    }
                }
            });
            let step = step.retries(2).timeout(MINUTE).backoff(AGAIN);
            Ok(step.await? > 1)
        })
    };
    Entry::new("slow", move |it, ledger| it.register(slow(ledger)))
        .gives(true)
        .does_times("slow", 1, 2)
}

fn a_race_of_steps() -> Entry {
    let race = |it: &Ledger| {
        noting("race", it, |ctx, ledger, ()| async move {
            let token = format!("never:{}", ctx.run_id());
            let winner = tokio::select! {
                biased;
                value = ctx.wait_for_signal::<u32>(token) => value?,
                value = effect(&ctx, &ledger, "wins", 7_u32) => value?,
            };
            effect(&ctx, &ledger, "after", winner).await
        })
    };
    Entry::new("race", move |it, ledger| it.register(race(ledger)))
        .gives(7)
        .does("wins")
        .does("after")
}

/// Fails its first attempt.
fn handle(n: u32, states: States, step: StepCtx) -> BoxFuture<'static, Result<u32, StepError>> {
    Box::pin(async move {
        let ledger: Ledger = states.get().unwrap();
        ledger.note_keyed("remote", &step);
        match step.attempt() {
            1 => Err(StepError::retryable("reset", "reset by peer")),
            _ => Ok(n * 2),
        }
    })
}

fn a_step_at_a_worker() -> Entry {
    let step = || Step::new("remote", handle);
    let caller = move |it: &Ledger| {
        noting("caller", it, move |ctx, ledger, n: u32| async move {
            let doubled: u32 = ctx.remote(&step(), n).retries(3).backoff(AGAIN).await?;
            effect(&ctx, &ledger, "after", doubled).await
        })
    };
    let setup = move |it: axum_durable::durable::DurableBuilder, ledger: &Ledger| {
        let it = it.register(caller(ledger)).register(step());
        it.provide(ledger.clone())
    };
    Entry::new("caller", setup)
        .input(21)
        .gives(42)
        .does_times("remote", 1, 2)
        .does("after")
}

/// Writes a row of its own; the outcome says how many there are of this run.
async fn book(tx: &StepTransaction, run: &str) -> Result<u64, StepError> {
    // Another attempt of the same transaction finds nothing of an earlier one.
    let table = "CREATE TABLE IF NOT EXISTS booked (entry VARCHAR(64) NOT NULL)";
    tx.execute_unprepared(table).await?;
    let insert = format!("INSERT INTO booked VALUES ('{run}')");
    Ok(tx.execute_unprepared(&insert).await?.rows_affected())
}

fn a_step_in_a_transaction() -> Entry {
    let booking = |it: &Ledger| {
        noting("booking", it, |ctx, ledger, ()| async move {
            let run = ctx.run_id().to_string();
            let booked = ctx.transaction("book", |tx| {
                let run = run.clone();
                async move { book(&tx, &run).await }
            });
            let booked = booked.retries(3).await?;
            effect(&ctx, &ledger, "after", booked).await
        })
    };
    Entry::new("booking", move |it, ledger| it.register(booking(ledger)))
        .on_sql()
        .gives(1)
        .does("after")
}

fn captured_values() -> Entry {
    let captures = |it: &Ledger| {
        noting("captures", it, |ctx, ledger, ()| async move {
            let drawn: u64 = ctx.random();
            let first = (ctx.now(), ctx.uuid(), drawn);
            let read = ctx.side_effect("read", rand::random::<u32>)?;
            // Whoever replays has the same values, or the step before the wait would differ.
            let text = format!("{first:?} {read}");
            let said = effect(&ctx, &ledger, "say", text.clone()).await?;
            ctx.sleep(MINUTE).await;
            let again = effect(&ctx, &ledger, "say again", text).await?;
            Ok(said == again)
        })
    };
    Entry::new("captures", move |it, ledger| it.register(captures(ledger)))
        .gives(true)
        .does("say")
        .does("say again")
}
