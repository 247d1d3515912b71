//! Steps of workers that are undone by workers when their run fails.

use std::sync::Arc;

use axum_durable::{
    RunStatus,
    durable::DurableBuilder,
    model::{CheckpointKind, CheckpointStatus, Undo},
    prelude::*,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{
    crashes::everywhere,
    probes::{Death, Fuse},
    turbo::Turbo,
    world::{App, World, code, flow, in_every_world, message, on_every_server},
};

in_every_world!(
    workers_undo_in_strict_reverse_with_what_went_in_and_came_out,
    a_run_that_ends_well_undoes_nothing,
    an_undo_is_tried_as_its_own_definition_says,
    the_others_run_when_one_fails_and_a_requeue_tries_it_again,
    a_rollback_by_hand_sends_each_undo_once,
    a_result_that_nobody_saw_is_undone,
);

on_every_server!(
    workers_undo_in_strict_reverse_with_what_went_in_and_came_out,
    the_others_run_when_one_fails_and_a_requeue_tries_it_again,
);

/// What the outside world saw, in order.
#[derive(Debug, Clone, Default)]
struct Outside(Arc<Mutex<Vec<String>>>);

impl Outside {
    fn note(&self, effect: impl Into<String>) {
        self.0.lock().push(effect.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    fn count(&self, effect: &str) -> usize {
        self.0.lock().iter().filter(|it| *it == effect).count()
    }
}

#[step]
async fn charge(cents: u32, State(world): State<Outside>) -> Result<String, StepError> {
    world.note(format!("charge {cents}"));
    Ok(format!("c{cents}"))
}

/// Refuses its first two attempts for 13 cents, and all of them for 666.
#[step(name = "refund", retries = 3, backoff = "fixed 100ms")]
async fn refund(
    charge: Undo<u32, String>,
    State(world): State<Outside>,
    step: StepCtx,
) -> Result<(), StepError> {
    let Undo { input, output } = charge;
    world.note(format!("refund {input} {output}"));
    match (input, step.attempt()) {
        (666, _) => Err(StepError::fatal("gone", "the account is gone")),
        (13, 1 | 2) => Err(StepError::retryable("busy", "later")),
        _ => Ok(()),
    }
}

fn all(world: &Outside, builder: DurableBuilder) -> DurableBuilder {
    builder
        .provide(world.clone())
        .register(charge)
        .register(refund)
}

fn fails(ctx: &WorkflowCtx) -> axum_durable::workflow::ops::LocalStep<'static, ()> {
    ctx.step("ship", async || {
        Err::<(), _>(StepError::fatal("sold_out", "none left"))
    })
}

/// Charges some sums, with a local step in between, and fails.
fn shop(seen: &Outside, sums: &'static [u32]) -> Workflow<(), u32> {
    let seen = seen.clone();
    flow("shop", move |ctx, ()| {
        let seen = seen.clone();
        async move {
            for sum in sums {
                let shelf = seen.clone();
                ctx.remote(charge, *sum).compensate(refund).await?;
                ctx.step("reserve", async || Ok::<_, StepError>(*sum))
                    .compensate("release", move |sum: u32| {
                        shelf.note(format!("release {sum}"));
                        async { Ok::<_, StepError>(()) }
                    })
                    .await?;
            }
            fails(&ctx).await?;
            Ok(1)
        }
    })
}

async fn open(world: &World, seen: &Outside, workflow: &Workflow<(), u32>) -> App {
    let (seen, workflow) = (seen.clone(), workflow.clone());
    world
        .open(move |it| all(&seen, it).register(workflow))
        .await
}

async fn workers_undo_in_strict_reverse_with_what_went_in_and_came_out(world: World) {
    let seen = Outside::default();
    let shop = shop(&seen, &[5, 7]);
    let app = open(&world, &seen, &shop).await;
    app.begin(&shop, (), "s").await;
    let ended = app.ended("s").await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Failed, Some("sold_out"))
    );
    assert_eq!(
        seen.all(),
        [
            "charge 5",
            "charge 7",
            "release 7",
            "refund 7 c7",
            "release 5",
            "refund 5 c5"
        ]
    );
    let history = app.record("s").await.history;
    let undos = history
        .iter()
        .filter(|it| it.kind == CheckpointKind::Compensation);
    let undos: Vec<_> = undos.map(|it| (&*it.name, it.status)).collect();
    let done = CheckpointStatus::Completed;
    assert_eq!(
        undos,
        [
            ("release", done),
            ("refund", done),
            ("release", done),
            ("refund", done)
        ]
    );
}

async fn a_run_that_ends_well_undoes_nothing(world: World) {
    let seen = Outside::default();
    let well = flow("well", |ctx, ()| async move {
        ctx.remote(charge, 5).compensate(refund).await?;
        Ok(1)
    });
    let app = open(&world, &seen, &well).await;
    app.begin(&well, (), "s").await;
    assert_eq!(app.output::<u32>("s").await, 1);
    assert_eq!(seen.all(), ["charge 5"]);
}

/// Moves time on until a run has ended.
async fn ended(world: &World, app: &App, run: &str) -> axum_durable::model::Run {
    loop {
        let now = app
            .until(run, |now| {
                now.status.is_terminal() || now.waiting_for.iter().any(|it| it.until.is_some())
            })
            .await;
        if now.status.is_terminal() {
            return app.ended(run).await;
        }
        world.clock.advance(std::time::Duration::from_millis(100));
    }
}

async fn an_undo_is_tried_as_its_own_definition_says(world: World) {
    let seen = Outside::default();
    let shop = shop(&seen, &[13]);
    let app = open(&world, &seen, &shop).await;
    app.begin(&shop, (), "s").await;
    let run = ended(&world, &app, "s").await;
    assert_eq!(run.status, RunStatus::Failed, "{}", message(&run));
    assert_eq!(seen.count("refund 13 c13"), 3);
    // The step itself has one attempt, and the call may say otherwise.
    let strict = flow("strict", |ctx, ()| async move {
        let charge = ctx.remote(charge, 13).compensate(refund);
        charge.compensation_retries(2).await?;
        fails(&ctx).await?;
        Ok(1)
    });
    let other = open(&world, &seen, &strict).await;
    other.begin(&strict, (), "t").await;
    let run = ended(&world, &other, "t").await;
    assert_eq!(run.status, RunStatus::CompensationFailed);
    assert_eq!(seen.count("refund 13 c13"), 5);
}

async fn the_others_run_when_one_fails_and_a_requeue_tries_it_again(world: World) {
    let seen = Outside::default();
    let shop = shop(&seen, &[5, 666, 7]);
    let app = open(&world, &seen, &shop).await;
    app.begin(&shop, (), "s").await;
    let run = app.ended("s").await;
    assert_eq!(
        (run.status, code(&run)),
        (RunStatus::CompensationFailed, Some("compensation_failed"))
    );
    assert!(message(&run).contains("refund"), "{}", message(&run));
    let cause = run.failure.as_ref().unwrap().cause.as_ref().unwrap();
    assert_eq!(cause.code.as_deref(), Some("sold_out"));
    for undo in [
        "refund 7 c7",
        "refund 666 c666",
        "refund 5 c5",
        "release 666",
    ] {
        assert_eq!(seen.count(undo), 1, "{undo}");
    }
    app.requeue("s").await.unwrap();
    app.until("s", |_| seen.count("refund 666 c666") == 2).await;
    let run = app.ended("s").await;
    assert_eq!(run.status, RunStatus::CompensationFailed);
    assert_eq!(seen.count("refund 7 c7"), 1);
}

async fn a_rollback_by_hand_sends_each_undo_once(world: World) {
    let seen = Outside::default();
    let rolls = flow("rolls", |ctx, ()| async move {
        let charged = ctx.remote_named::<String>("charge", 5);
        charged.compensate_named("refund").await?;
        ctx.rollback().await?;
        ctx.remote(charge, 7).compensate(refund).await?;
        fails(&ctx).await?;
        Ok(1)
    });
    let app = open(&world, &seen, &rolls).await;
    app.begin(&rolls, (), "s").await;
    assert_eq!(app.ended("s").await.status, RunStatus::Failed);
    assert_eq!(
        seen.all(),
        ["charge 5", "refund 5 c5", "charge 7", "refund 7 c7"]
    );
}

/// The answer of a worker that comes while the workflow turns away is undone like any other.
async fn a_result_that_nobody_saw_is_undone(world: World) {
    let seen = Outside::default();
    let races = flow("races", |ctx, ()| async move {
        let (one, two) = (ctx.remote(charge, 1), ctx.remote(charge, 2));
        let (one, two) = (one.compensate(refund), two.compensate(refund));
        tokio::try_join!(one, two)?;
        let last = async {
            ctx.remote(charge, 3).compensate(refund).await?;
            fails(&ctx).await
        };
        last.await?;
        Ok(1)
    });
    let app = open(&world, &seen, &races).await;
    app.begin(&races, (), "s").await;
    assert_eq!(app.ended("s").await.status, RunStatus::Failed);
    for undo in ["refund 1 c1", "refund 2 c2", "refund 3 c3"] {
        assert_eq!(seen.count(undo), 1, "{undo}");
    }
}

/// While an undo is at a worker, people see what it was sent and that a worker has it.
#[tokio::test]
async fn an_undo_at_a_worker_is_seen_there() {
    let world = World::memory();
    let slow = || {
        flow("slow", |ctx, ()| async move {
            let charged = ctx.remote_named::<Value>("charge", 5);
            charged
                .compensate_named("nobody serves it")
                .compensation_retries(1)
                .await?;
            fails(&ctx).await?;
            Ok(1)
        })
    };
    let seen = Outside::default();
    let app = open(&world, &seen, &slow()).await;
    app.begin(&slow(), (), "s").await;
    let run = app.ended("s").await;
    assert_eq!(
        run.status,
        RunStatus::CompensationFailed,
        "{}",
        message(&run)
    );
    assert_eq!(run.output, None);
    let undo = app.checkpoint("s", "nobody serves it").await;
    assert!(undo.failure.is_some(), "{undo:?}");
    assert_eq!(json!(undo.kind), json!("compensation"));
}

/// A crash after any commit: each undo is done at least once, in order, and those that had ended are
/// not done again.
#[tokio::test]
async fn a_crash_at_any_commit_undoes_each_once() {
    let seen = Outside::default();
    let shop = shop(&seen, &[5, 7]);
    let (provided, registered) = (seen.clone(), shop.clone());
    let setup = move |it: DurableBuilder| all(&provided, it).register(registered.clone());
    let ended = Mutex::new(0);
    everywhere(8, setup, async |app: &App| {
        app.begin(&shop, (), "s").await;
        let run = app.ended("s").await;
        assert_eq!(
            (run.status, code(&run)),
            (RunStatus::Failed, Some("sold_out"))
        );
        let history = app.record("s").await.history;
        let undos = history
            .iter()
            .filter(|it| it.kind == CheckpointKind::Compensation);
        let undos: Vec<_> = undos.map(|it| (&*it.name, it.status)).collect();
        let done = CheckpointStatus::Completed;
        assert_eq!(
            undos,
            [
                ("release", done),
                ("refund", done),
                ("release", done),
                ("refund", done)
            ]
        );
        // In order, however often each was done, as a crash repeats one that had not ended.
        let mut effects = std::mem::take(&mut *seen.0.lock());
        effects.dedup();
        let undone: Vec<_> = effects
            .iter()
            .filter(|it| !it.starts_with("charge"))
            .collect();
        if undone.len() == 4 {
            assert_eq!(
                undone,
                ["release 7", "refund 7 c7", "release 5", "refund 5 c5"]
            );
        }
        *ended.lock() += 1;
    })
    .await;
    assert!(*ended.lock() > 0);
}

/// The same with an exact count: one crash, between the two undos of workers.
#[tokio::test]
async fn an_undo_that_has_ended_is_not_sent_again() {
    let seen = Outside::default();
    let shop = shop(&seen, &[5, 7]);
    let mut is_over = false;
    for at in 0.. {
        seen.0.lock().clear();
        let world = World::memory_by(Turbo::default());
        let fuse = Fuse::new(at, Death::After);
        let (provided, registered) = (seen.clone(), shop.clone());
        let app = world
            .open_probed(fuse.clone(), move |it| {
                all(&provided, it).register(registered)
            })
            .await;
        let died = tokio::select! {
            () = fuse.died() => true,
            () = async { app.begin(&shop, (), "s").await; app.ended("s").await; } => false,
        };
        app.crash().await;
        if !died {
            is_over = true;
            break;
        }
        let app = open(&world, &seen, &shop).await;
        app.begin(&shop, (), "s").await;
        app.ended("s").await;
        // Only what was under way is repeated, and one thing is at a time.
        let repeated = seen.all().len() - 6;
        assert!(repeated <= 1, "{:?}", seen.all());
        let first = |effect: &str| seen.all().iter().position(|it| it == effect);
        let order = ["release 7", "refund 7 c7", "release 5", "refund 5 c5"].map(first);
        assert!(
            order.is_sorted() && !order.contains(&None),
            "{:?}",
            seen.all()
        );
        app.stop().await;
    }
    assert!(is_over);
}
