//! Steps that are undone when their run fails.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    model::{CheckpointKind, CheckpointStatus, Run},
    prelude::*,
    testing::Scenario,
};
use parking_lot::Mutex;

use crate::support::{
    probes::{Death, Fuse},
    turbo::Turbo,
    world::{App, World, code, flow, in_every_world, message},
};

in_every_world!(
    a_failed_run_is_undone_in_reverse,
    a_run_that_succeeds_undoes_nothing,
    a_failed_undo_is_tried_again_by_its_own_policy,
    the_other_undos_run_when_one_fails_and_a_requeue_tries_it_again,
    a_rollback_by_hand_is_not_repeated,
    a_run_whose_rollback_failed_does_not_end_well,
    a_requeue_of_an_undone_run_does_nothing_again,
    a_step_that_was_dropped_unseen_is_undone,
    an_outcome_that_nobody_looked_at_is_undone,
    a_rollback_that_was_dropped_is_made_up_for,
    an_undo_has_a_key_of_its_own,
    a_request_to_cancel_waits_for_the_undos,
    a_crash_at_any_commit_undoes_each_step_once,
);

const RUN: &str = "trip";

/// What the outside world saw, in order.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, effect: impl Into<String>) {
        self.0.lock().push(effect.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    fn count(&self, effect: &str) -> usize {
        self.0.lock().iter().filter(|it| *it == effect).count()
    }

    /// Does a step that the undo `no <name>` takes back.
    fn does<'a>(
        &self,
        ctx: &WorkflowCtx,
        name: &'static str,
    ) -> axum_durable::workflow::ops::LocalStep<'a, String> {
        let (done, undone) = (self.clone(), self.clone());
        let body = move || {
            done.note(name);
            async move { Ok::<_, StepError>(format!("{name}-7")) }
        };
        let undo = move |output: String| {
            undone.note(format!("no {output}"));
            async { Ok::<_, StepError>(()) }
        };
        ctx.step(name, body).compensate(format!("no {name}"), undo)
    }
}

fn fails(ctx: &WorkflowCtx) -> axum_durable::workflow::ops::LocalStep<'static, ()> {
    ctx.step("pay", async || {
        Err::<(), _>(StepError::fatal("declined", "card declined"))
    })
}

async fn run(world: &World, trip: &Workflow<(), u32>) -> (App, Run) {
    let register = trip.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(trip, (), RUN).await;
    let ended = app.ended(RUN).await;
    (app, ended)
}

async fn a_failed_run_is_undone_in_reverse(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "hotel").await?;
            let (train, car) = (log.does(&ctx, "train"), log.does(&ctx, "car"));
            tokio::try_join!(train, car)?;
            let caught = ctx.step("flight", async || {
                Err::<(), _>(StepError::fatal("full", "no"))
            });
            assert!(caught.await.is_err());
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let (app, ended) = run(&world, &trip).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Failed, Some("declined"))
    );
    assert_eq!(message(&ended), "step `pay` failed: card declined");
    // `try_join!` decides which of the two comes first.
    let all = log.all();
    let (done, undone) = all.split_at(3);
    let latest_first = done.iter().rev().map(|name| format!("no {name}-7"));
    assert_eq!(undone, latest_first.collect::<Vec<_>>());
    assert_eq!(done[0], "hotel");
    let undo = app.checkpoint(RUN, "no hotel").await;
    assert_eq!(undo.kind, CheckpointKind::Compensation);
    assert_eq!(undo.status, CheckpointStatus::Completed);
}

async fn a_run_that_succeeds_undoes_nothing(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "hotel").await?;
            log.does(&ctx, "car").await?;
            Ok(2)
        }
    });
    let (app, ended) = run(&world, &trip).await;
    assert_eq!(ended.status, RunStatus::Completed);
    assert_eq!(log.all(), ["hotel", "car"]);
    assert_eq!(app.record(RUN).await.history.len(), 2);
}

/// An undo that succeeds once `log` has seen `enough` attempts of it.
fn stubborn(log: &Log, enough: usize) -> impl Fn(String) -> UndoFuture + Send + Sync + 'static {
    let log = log.clone();
    move |output| {
        let log = log.clone();
        Box::pin(async move {
            log.note(format!("try {output}"));
            if log.count(&format!("try {output}")) < enough {
                return Err(StepError::retryable("busy", "the hotel does not answer"));
            }
            Ok(())
        })
    }
}

type UndoFuture = axum_durable::workflow::BoxFuture<'static, Result<(), StepError>>;

const NOW: Backoff = Backoff::Fixed {
    every: Duration::ZERO,
};

async fn a_failed_undo_is_tried_again_by_its_own_policy(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            let room = ctx.step("hotel", async || Ok::<_, StepError>("room".to_owned()));
            // Five attempts unless told otherwise.
            let room = room.compensate("no hotel", stubborn(&log, 5));
            room.compensation_backoff(NOW).await?;
            let car = ctx.step("car", async || Ok::<_, StepError>("car".to_owned()));
            let car = car.compensate("no car", |car: String| async move {
                assert!(car.is_empty(), "undos may panic");
                Ok::<_, StepError>(())
            });
            car.compensation_retries(2)
                .compensation_backoff(NOW)
                .await?;
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let (app, ended) = run(&world, &trip).await;
    assert_eq!(ended.status, RunStatus::CompensationFailed);
    assert_eq!(log.count("try room"), 5);
    let hotel = app.checkpoint(RUN, "no hotel").await;
    assert_eq!(
        (hotel.attempt, hotel.status),
        (5, CheckpointStatus::Completed)
    );
    let car = app.checkpoint(RUN, "no car").await;
    assert_eq!((car.attempt, car.status), (2, CheckpointStatus::Failed));
    assert_eq!(car.failure.unwrap().code.as_deref(), Some("panic"));
}

async fn the_other_undos_run_when_one_fails_and_a_requeue_tries_it_again(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "train").await?;
            for (name, enough) in [("hotel", 3), ("car", 2)] {
                let step = ctx.step(name, async || Ok::<_, StepError>(name.to_owned()));
                let step = step.compensate(format!("no {name}"), stubborn(&log, enough));
                step.compensation_retries(1).await?;
            }
            log.does(&ctx, "flight").await?;
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let (app, ended) = run(&world, &trip).await;
    assert_eq!(ended.status, RunStatus::CompensationFailed);
    let text = "undo `no car` failed: the hotel does not answer; \
                undo `no hotel` failed: the hotel does not answer";
    assert_eq!(
        (message(&ended), code(&ended)),
        (text, Some("compensation_failed"))
    );
    let cause = ended.failure.as_ref().unwrap().cause.as_ref().unwrap();
    assert_eq!(
        cause.code.as_deref(),
        Some("declined"),
        "the first error is kept"
    );
    let first = [
        "train",
        "flight",
        "no flight-7",
        "try car",
        "try hotel",
        "no train-7",
    ];
    assert_eq!(log.all(), first);

    // The car answers now, the hotel with the next requeue.
    app.requeue(RUN).await.unwrap();
    let ended = app.ended(RUN).await;
    assert_eq!(
        message(&ended),
        "undo `no hotel` failed: the hotel does not answer"
    );
    app.crash().await;
    let register = trip.clone();
    let app = world.open(|it| it.register(register)).await;
    app.requeue(RUN).await.unwrap();
    let ended = app.ended(RUN).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Failed, Some("declined"))
    );
    assert_eq!(
        log.all()[first.len()..],
        ["try car", "try hotel", "try hotel"]
    );
}

async fn a_rollback_by_hand_is_not_repeated(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            ctx.rollback().await?;
            log.does(&ctx, "hotel").await?;
            ctx.rollback().await?;
            ctx.rollback().await?;
            log.does(&ctx, "car").await?;
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let (_app, ended) = run(&world, &trip).await;
    assert_eq!(ended.status, RunStatus::Failed);
    assert_eq!(log.all(), ["hotel", "no hotel-7", "car", "no car-7"]);
}

async fn a_run_whose_rollback_failed_does_not_end_well(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            let room = ctx.step("hotel", async || Ok::<_, StepError>("room".to_owned()));
            let room = room.compensate("no hotel", stubborn(&log, 2));
            room.compensation_retries(1).await?;
            match ctx.rollback().await {
                Err(WorkflowError::Compensation { undos, .. }) if undos.len() == 1 => {}
                other => panic!("{other:?}"),
            }
            log.does(&ctx, "car").await?;
            Ok(7)
        }
    });
    let (app, ended) = run(&world, &trip).await;
    assert_eq!(ended.status, RunStatus::CompensationFailed);
    assert_eq!(ended.output, None);
    assert_eq!(log.all(), ["try room", "car"]);
    app.requeue(RUN).await.unwrap();
    assert_eq!(app.output::<u32>(RUN).await, 7);
    assert_eq!(log.all(), ["try room", "car", "try room"]);
}

async fn a_requeue_of_an_undone_run_does_nothing_again(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "hotel").await?;
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let (app, first) = run(&world, &trip).await;
    app.requeue(RUN).await.unwrap();
    let second = app.ended(RUN).await;
    assert_eq!(second.status, RunStatus::Failed);
    assert_eq!(second.failure, first.failure);
    assert_eq!(log.all(), ["hotel", "no hotel-7"]);
}

/// Ends a first time, is requeued in another process, and ends again in the same way.
async fn ends_alike_after_a_requeue(world: &World, trip: &Workflow<(), u32>, log: &Log) {
    let (app, first) = run(world, trip).await;
    assert_eq!(first.status, RunStatus::Failed, "{:?}", first.failure);
    let before = log.all();
    app.crash().await;
    let register = trip.clone();
    let app = world.open(|it| it.register(register)).await;
    app.requeue(RUN).await.unwrap();
    let second = app.ended(RUN).await;
    assert_eq!(
        (second.status, &second.failure),
        (first.status, &first.failure)
    );
    assert_eq!(log.all(), before);
}

async fn a_step_that_was_dropped_unseen_is_undone(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            // Both end in the same poll; the failure is handed over first and drops the other.
            tokio::try_join!(fails(&ctx), log.does(&ctx, "hotel"))?;
            Ok(1)
        }
    });
    ends_alike_after_a_requeue(&world, &trip, &log).await;
    assert_eq!(log.all(), ["hotel", "no hotel-7"]);
}

async fn an_outcome_that_nobody_looked_at_is_undone(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            let mut hotel = log.does(&ctx, "hotel");
            tokio::select! {
                biased;
                _ = log.does(&ctx, "car") => {}
                _ = &mut hotel => {}
            }
            ctx.sleep(Duration::ZERO).await;
            fails(&ctx).await?;
            drop(hotel);
            Ok(1)
        }
    });
    ends_alike_after_a_requeue(&world, &trip, &log).await;
    let all = log.all();
    assert_eq!(all[..2], ["car", "hotel"]);
    assert!(all[2..].contains(&"no hotel-7".to_owned()), "{all:?}");
    assert!(all[2..].contains(&"no car-7".to_owned()), "{all:?}");
    assert_eq!(all.len(), 4, "{all:?}");
}

async fn a_rollback_that_was_dropped_is_made_up_for(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "car").await?;
            let room = ctx.step("hotel", async || Ok::<_, StepError>("room".to_owned()));
            let hour = Backoff::Fixed {
                every: Duration::from_secs(3_600),
            };
            let room = room.compensate("no hotel", stubborn(&log, 2));
            room.compensation_backoff(hour).await?;
            tokio::select! {
                biased;
                done = ctx.rollback() => done?,
                go = ctx.wait_for_signal::<()>("go") => go?,
            }
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let register = trip.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&trip, (), RUN).await;
    app.waits_for(RUN, "no hotel").await;
    app.waits_for(RUN, "go").await;
    app.crash().await;
    let register = trip.clone();
    let app = world.open(|it| it.register(register)).await;
    app.send("go", ()).await;
    let ended = app.ended(RUN).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Failed, Some("declined"))
    );
    assert_eq!(log.all(), ["car", "try room", "try room", "no car-7"]);
}

async fn an_undo_has_a_key_of_its_own(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            let hotel = ctx.step("hotel", async || Ok::<_, StepError>(1_u32));
            let undo = move |n: u32, step: StepCtx| {
                let log = log.clone();
                async move {
                    log.note(format!("{n} {}", step.idempotency_key()));
                    step.log(LogLevel::Info, "undoing");
                    match step.attempt() {
                        1 => Err(StepError::retryable("busy", "busy")),
                        _ => Ok(()),
                    }
                }
            };
            hotel
                .compensate_with("no hotel", undo)
                .compensation_backoff(NOW)
                .await?;
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let (app, _) = run(&world, &trip).await;
    assert_eq!(log.all(), ["1 trip:2", "1 trip:2"]);
    assert_eq!(app.checkpoint(RUN, "no hotel").await.events.len(), 2);
}

async fn a_request_to_cancel_waits_for_the_undos(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let trip = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "car").await?;
            let room = ctx.step("hotel", async || Ok::<_, StepError>("room".to_owned()));
            let minute = Backoff::Fixed {
                every: Duration::from_secs(60),
            };
            let room = room.compensate("no hotel", stubborn(&log, 2));
            room.compensation_backoff(minute).await?;
            fails(&ctx).await?;
            Ok(1)
        }
    });
    let register = trip.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&trip, (), RUN).await;
    app.waits_for(RUN, "no hotel").await;
    app.cancel(RUN).await.unwrap();
    app.until(RUN, |now| now.status == RunStatus::Cancelling)
        .await;
    app.crash().await;
    // Nor does the next owner cut it off.
    let register = trip.clone();
    let app = world.open(|it| it.register(register)).await;
    app.until(RUN, |now| now.wakes.contains("holds it")).await;
    assert_eq!(log.all(), ["car", "try room"]);
    world.clock.advance(Duration::from_secs(60));
    let ended = app.ended(RUN).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Failed, Some("declined"))
    );
    assert_eq!(log.all(), ["car", "try room", "try room", "no car-7"]);
}

fn long_trip(log: &Log) -> Workflow<(), u32> {
    let log = log.clone();
    flow("trip", move |ctx, ()| {
        let log = log.clone();
        async move {
            for name in ["hotel", "train", "car"] {
                log.does(&ctx, name).await?;
            }
            ctx.sleep(Duration::from_millis(5)).await;
            fails(&ctx).await?;
            Ok(1)
        }
    })
}

async fn a_crash_at_any_commit_undoes_each_step_once(world: World) {
    if !world.is_memory() {
        // The real database adds nothing but time here; `crash.rs` has it.
        return;
    }
    for death in [Death::Before, Death::After] {
        let mut at = 0;
        loop {
            let evicts = world.evicts;
            let world = World::memory_by(Turbo::default());
            let world = if evicts { world.evicting() } else { world };
            let log = Log::default();
            let trip = long_trip(&log);
            let fuse = Fuse::new(at, death);
            let register = trip.clone();
            let app = world
                .open_probed(fuse.clone(), |it| it.register(register))
                .await;
            let place = async |app: &App| {
                app.begin(&trip, (), RUN).await;
                app.ended(RUN).await
            };
            let died = tokio::select! {
                () = fuse.died() => true,
                _ = place(&app) => false,
            };
            app.crash().await;
            let register = trip.clone();
            let app = world.open(|it| it.register(register)).await;
            let ended = place(&app).await;
            let why = format!("death {death:?} at {at}: {:?}", log.all());
            assert_eq!(
                (ended.status, code(&ended)),
                (RunStatus::Failed, Some("declined")),
                "{why}"
            );
            // Each once, but for the one that was cut off, and always the latest first.
            let mut undone = log.all();
            undone.retain(|it| it.starts_with("no "));
            assert!(undone.len() <= 4, "{why}");
            undone.dedup();
            assert_eq!(undone, ["no car-7", "no train-7", "no hotel-7"], "{why}");
            app.stop().await;
            if !died {
                break;
            }
            at += 1;
        }
        assert!(at >= 8, "only {at} commits");
    }
}

#[tokio::test]
async fn a_saga_survives_trouble_of_every_kind() {
    let scenario = Scenario::of(long_trip(&Log::default()), ())
        .with(axum_durable::durable::DurableBuilder::only_registered);
    let report = scenario.crash_everywhere().await;
    assert_eq!(report.status, RunStatus::Failed);
    scenario.simulate(0..15).await;
}
