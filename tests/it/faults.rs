//! One bad run harms nobody else, says what is wrong, and goes on once that is mended.

use std::{sync::Arc, time::Duration};

use axum_durable::{RunStatus, prelude::*, testing::StoreCall};
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{
    ledger::Ledger,
    probes::Gate,
    world::{App, World, code, flow, in_every_world, message, soon},
};

in_every_world!(
    a_run_of_an_unknown_workflow_stays_for_a_process_that_has_it,
    an_input_that_cannot_be_decoded_fails_that_run_only,
    a_panic_in_a_step_is_a_failed_attempt,
    a_panic_in_a_body_counts_as_a_recovery,
    a_body_that_always_panics_is_given_up_and_can_be_requeued,
    progress_forgives_earlier_panics,
    a_store_that_is_away_loses_nothing,
    a_run_that_is_cancelled_and_broken_at_once_ends,
);

const MINUTE: Duration = Duration::from_secs(60);

/// A workflow of two steps, to see that other runs are unharmed.
fn healthy() -> Workflow<u32, u32> {
    flow("healthy", |ctx, n: u32| async move {
        let a = ctx.step("a", async || Ok::<_, StepError>(n)).await?;
        let b = ctx.step("b", async || Ok::<_, StepError>(n)).await?;
        Ok(a + b)
    })
}

async fn others_are_well(app: &App) {
    app.begin(&healthy(), 4, "other").await;
    assert_eq!(app.output::<u32>("other").await, 8);
}

async fn a_run_of_an_unknown_workflow_stays_for_a_process_that_has_it(world: World) {
    let rare = || {
        flow("rare", |ctx, ()| async move {
            ctx.sleep(MINUTE).await;
            Ok(3_u32)
        })
    };
    let app = world.open(move |it| it.register(rare())).await;
    app.begin(&rare(), (), "a").await;
    app.until("a", |now| !now.waiting_for.is_empty()).await;
    app.crash().await;
    world.clock.advance(MINUTE);

    let app = world.open(|it| it.register(healthy())).await;
    others_are_well(&app).await;
    let why = app
        .until("a", |now| now.reason.contains("not registered"))
        .await;
    assert!(why.reason.contains("`rare@1`"), "{why:?}");
    assert!(!why.status.is_terminal(), "{why:?}");
    app.crash().await;

    let app = world.open(move |it| it.register(rare())).await;
    assert_eq!(app.output::<u32>("a").await, 3);
}

async fn an_input_that_cannot_be_decoded_fails_that_run_only(world: World) {
    let app = world.open(|it| it.register(healthy())).await;
    let start = app
        .start_named("healthy", &json!({"no": "number"}))
        .id("bad");
    soon("the start", app.run(start.into_future()))
        .await
        .unwrap();
    let failed = app.ended("bad").await;
    assert_eq!(
        (failed.status, code(&failed)),
        (RunStatus::Failed, Some("payload"))
    );
    others_are_well(&app).await;
}

async fn a_panic_in_a_step_is_a_failed_attempt(world: World) {
    let ledger = Ledger::default();
    let shaky = {
        let ledger = ledger.clone();
        flow("shaky", move |ctx, retries: u32| {
            let ledger = ledger.clone();
            async move {
                let run = ctx.run_id().to_string();
                let shake = ctx.step("shake", async || {
                    assert!(ledger.note(run.as_str()) > 1, "shaken");
                    Ok::<_, StepError>(9_u32)
                });
                let backoff = Backoff::Fixed {
                    every: Duration::ZERO,
                };
                shake.retries(retries).backoff(backoff).await
            }
        })
    };
    let register = shaky.clone();
    let app = world
        .open(|it| it.register(register).register(healthy()))
        .await;
    app.begin(&shaky, 2, "retried").await;
    assert_eq!(app.output::<u32>("retried").await, 9);
    app.begin(&shaky, 1, "failed").await;
    let failed = app.ended("failed").await;
    assert_eq!(
        (failed.status, code(&failed)),
        (RunStatus::Failed, Some("panic"))
    );
    assert!(message(&failed).contains("shaken"), "{failed:?}");
    assert_eq!(failed.recoveries, 0);
    others_are_well(&app).await;

    app.requeue("failed").await.unwrap();
    assert_eq!(app.output::<u32>("failed").await, 9);
    assert_eq!(ledger.count("failed"), 2);
}

/// Panics in its body as often as its input says, after a step.
fn panicking(ledger: &Ledger) -> Workflow<u32, u32> {
    let ledger = ledger.clone();
    flow("panicking", move |ctx, panics: u32| {
        let ledger = ledger.clone();
        async move {
            let step = ctx.step("once", async || Ok::<_, StepError>(ledger.note("once")));
            let once = step.await?;
            assert!(ledger.note("body") > panics, "the body is broken");
            Ok(once)
        }
    })
}

/// Moves the time on until a run has ended, as often as it stands still.
async fn passing_time(world: &World, app: &App, run: &str) -> axum_durable::model::Run {
    let mut events = app.subscribe();
    loop {
        let now = app.get_run(run).await.unwrap().unwrap();
        if now.status.is_terminal() || now.status == RunStatus::Blocked {
            return now;
        }
        world.clock.advance(MINUTE);
        drop(soon("an event", events.recv()).await);
    }
}

async fn a_panic_in_a_body_counts_as_a_recovery(world: World) {
    let ledger = Ledger::default();
    let register = panicking(&ledger);
    let app = world
        .open(|it| it.register(register).register(healthy()))
        .await;
    app.begin(&panicking(&ledger), 1, "a").await;
    let why = app
        .until("a", |now| now.reason.contains("the body is broken"))
        .await;
    assert_eq!(why.status, RunStatus::Suspended);
    assert_eq!(app.get_run("a").await.unwrap().unwrap().recoveries, 1);
    others_are_well(&app).await;
    world.clock.advance(MINUTE);
    assert_eq!(app.output::<u32>("a").await, 1);
    assert_eq!(ledger.count("once"), 1);
    let run = app.get_run("a").await.unwrap().unwrap();
    assert!(run.failure.is_none(), "{run:?}");
}

async fn a_body_that_always_panics_is_given_up_and_can_be_requeued(world: World) {
    let ledger = Ledger::default();
    let register = panicking(&ledger);
    let app = world
        .open(|it| {
            it.register(register)
                .register(healthy())
                .max_recovery_attempts(3)
        })
        .await;
    app.begin(&panicking(&ledger), 4, "a").await;
    let dead = passing_time(&world, &app, "a").await;
    assert_eq!((dead.status, code(&dead)), (RunStatus::Dead, Some("panic")));
    assert!(message(&dead).contains("the body is broken"), "{dead:?}");
    assert_eq!(ledger.count("body"), 4);
    others_are_well(&app).await;

    app.requeue("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 1);
    assert_eq!((ledger.count("once"), ledger.count("body")), (1, 5));
}

async fn progress_forgives_earlier_panics(world: World) {
    let ledger = Ledger::default();
    let rocky = {
        let ledger = ledger.clone();
        flow("rocky", move |ctx, ()| {
            let ledger = ledger.clone();
            async move {
                for n in 0..6 {
                    ctx.step(format!("s{n}"), async || Ok::<_, StepError>(()))
                        .await?;
                    assert!(ledger.note(format!("body {n}")) > 1, "rock {n}");
                }
                Ok(())
            }
        })
    };
    let register = rocky.clone();
    let app = world
        .open(|it| it.register(register).max_recovery_attempts(2))
        .await;
    app.begin(&rocky, (), "a").await;
    let run = passing_time(&world, &app, "a").await;
    assert_eq!(run.status, RunStatus::Completed, "{run:?}");
}

async fn a_store_that_is_away_loses_nothing(world: World) {
    let gate = Gate::failing(StoreCall::Commit);
    let app = world
        .open_probed(gate.clone(), |it| it.register(healthy()))
        .await;
    app.begin(&healthy(), 1, "before").await;
    assert_eq!(app.output::<u32>("before").await, 2);
    gate.shut();
    let start = app.start(healthy(), 2).id("during").into_future();
    let start = app.run(start);
    let hit = async {
        gate.hit(2).await;
        gate.open();
    };
    let (started, ()) = soon("the start", async { tokio::join!(start, hit) }).await;
    assert!(started.unwrap().is_new());
    assert_eq!(app.output::<u32>("during").await, 4);
    others_are_well(&app).await;
}

/// Tells when it is dropped.
struct Tell(Arc<Notify>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The run breaks while a commit of it waits for the journal, and the request to cancel it is
/// written together with that commit.
async fn a_run_that_is_cancelled_and_broken_at_once_ends(world: World) {
    let gate = Gate::holding(StoreCall::Commit);
    let [moved, finish, dropped]: [Arc<Notify>; 3] = Default::default();
    let broken = {
        let [moved, finish, dropped] = [&moved, &finish, &dropped].map(Arc::clone);
        flow("broken", move |ctx, ()| {
            let [moved, finish, dropped] = [&moved, &finish, &dropped].map(Arc::clone);
            async move {
                let _tell = Tell(dropped);
                let (ctx, finish) = (&ctx, &finish);
                let slow = ctx.step("slow", async || {
                    finish.notified().await;
                    let _nested = ctx.now();
                    Ok::<_, StepError>(())
                });
                let other = async {
                    ctx.sleep(MINUTE).await;
                    moved.notify_one();
                    ctx.wait_for_signal::<()>("never").await
                };
                tokio::try_join!(slow, other)?;
                Ok(())
            }
        })
    };
    let register = broken.clone();
    let app = world
        .open_probed(gate.clone(), |it| it.register(register))
        .await;
    app.begin(&broken, (), "a").await;
    app.until("a", |now| !now.waiting_for.is_empty()).await;
    gate.shut();
    let hold = async {
        gate.hit(1).await;
        world.clock.advance(MINUTE);
        moved.notified().await;
        app.explain("a").await.unwrap();
        finish.notify_one();
        dropped.notified().await;
        let cancel = app.cancel("a");
        let open = async { gate.open() };
        tokio::join!(biased; cancel, open).0.unwrap();
    };
    soon("the cancellation", async {
        tokio::join!(app.signal("x", 1), hold)
    })
    .await
    .0
    .unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
}
