//! What operators do to runs, and runs that are given up.

use axum_durable::{RunStatus, model::DeadLetter, prelude::*};

use super::stage::{Entry, effect, noting, on_every_store};
use crate::support::ledger::Ledger;

on_every_store!(
    a_pause,
    a_requeue,
    another_input,
    a_fork,
    a_wait_that_is_skipped,
    a_run_that_is_made_to_fail,
    a_letter_of_a_dead_run,
);

/// Takes a step, waits for `go` and takes another one.
fn order(ledger: &Ledger) -> Workflow<u32, u32> {
    noting("order", ledger, |ctx, ledger, n: u32| async move {
        let first = effect(&ctx, &ledger, "first", n).await?;
        let token = match ctx.run_id().as_str().split_once('~') {
            // A fork waits for the same name, or it would not be a replay.
            Some((run, _)) => format!("go:{run}"),
            None => format!("go:{}", ctx.run_id()),
        };
        let go: u32 = ctx.wait_for_signal(token).await?;
        effect(&ctx, &ledger, "last", first + go).await
    })
}

fn ordered() -> Entry {
    Entry::new("order", |it, ledger| it.register(order(ledger)))
        .input(1)
        .does("first")
}

fn a_pause() -> Entry {
    ordered()
        .play(|it| {
            Box::pin(async {
                it.rests().await;
                it.insist(async || match it.status().await {
                    // A life before this one has come so far.
                    Some(RunStatus::Paused) => Ok(()),
                    _ => it.app.pause(it.run).await.map(drop),
                })
                .await;
                it.until(&[RunStatus::Paused]).await;
                it.signal("go", 10).await;
                it.insist(async || it.app.resume(it.run).await).await;
            })
        })
        .gives(11)
        .does("last")
}

/// Fails in its second step until the world is mended, or for every input but 7.
fn picky(ledger: &Ledger) -> Workflow<u32, u32> {
    noting("picky", ledger, |ctx, ledger, n: u32| async move {
        effect(&ctx, &ledger, "first", n).await?;
        let second = ctx.step("second", |step: StepCtx| {
            ledger.note_keyed("second", &step);
            let is_fine = n == 7 || ledger.kept("mended").is_some();
            async move {
                match is_fine {
                    true => Ok(n * 10),
                    false => Err(StepError::fatal("picky", "not like this")),
                }
            }
        });
        second.await
    })
}

fn failing() -> Entry {
    Entry::new("picky", |it, ledger| it.register(picky(ledger))).input(1)
}

fn a_requeue() -> Entry {
    failing()
        .play(|it| {
            Box::pin(async {
                if it.until(&[RunStatus::Failed]).await == RunStatus::Failed {
                    it.ledger.keep("mended", "yes");
                    it.app.requeue(it.run).await.unwrap();
                }
            })
        })
        .gives(10)
        .does("first")
        .does_times("second", 1, 2)
}

fn another_input() -> Entry {
    failing()
        .play(|it| {
            Box::pin(async {
                if it.until(&[RunStatus::Failed]).await == RunStatus::Failed {
                    it.app.retry_with_input(it.run, 7).await.unwrap();
                }
            })
        })
        .forgets()
        .gives(70)
        .does_times("first", 1, 2)
        .does_times("second", 1, 2)
}

fn a_fork() -> Entry {
    ordered()
        .play(|it| {
            Box::pin(async {
                it.signal("go", 10).await;
                it.until(&[]).await;
                let fork = it.app.fork(it.run).from_step(2).edit_result(0, 40);
                // An error where a life before this one has made it.
                drop(fork.id(format!("{}~fork", it.run)).await);
            })
        })
        .gives(11)
        .does_times("last", 2, 1)
}

fn a_wait_that_is_skipped() -> Entry {
    ordered()
        .play(|it| {
            Box::pin(async {
                it.rests().await;
                it.insist(async || it.app.skip_step(it.run, 1, 100).await)
                    .await;
            })
        })
        .gives(101)
        .does("last")
}

fn a_run_that_is_made_to_fail() -> Entry {
    ordered()
        .play(|it| {
            Box::pin(async {
                it.rests().await;
                it.insist(async || it.app.force_fail(it.run, "a test").await)
                    .await;
            })
        })
        .fails("forced")
}

fn a_letter_of_a_dead_run() -> Entry {
    let undertaker = |it: &Ledger| {
        noting(
            "undertaker",
            it,
            |ctx, ledger, dead: DeadLetter| async move {
                effect(&ctx, &ledger, "tell", String::from(dead.run_id.as_str())).await
            },
        )
    };
    let hopeless = move |it: &Ledger| {
        let hopeless = noting("hopeless", it, |ctx, ledger, n: u32| async move {
            effect(&ctx, &ledger, "begin", n).await?;
            if n > 0 {
                panic!("hopeless");
            }
            Ok(n)
        });
        hopeless.with_dead_letter(undertaker(it))
    };
    Entry::new("hopeless", move |it, ledger| {
        let it = it.register(hopeless(ledger)).register(undertaker(ledger));
        it.max_recovery_attempts(2)
    })
    .input(1)
    .ends(RunStatus::Dead)
    .does("begin")
    .does("tell")
}
