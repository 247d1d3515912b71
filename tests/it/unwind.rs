//! Cancels that undo what a run has done.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    engine::CancelOutcome,
    model::{CheckpointKind, CheckpointStatus, OnCancel},
    prelude::*,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::support::{
    probes::{Death, Fuse},
    turbo::Turbo,
    world::{App, World, code, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    a_waiting_run_undoes_its_steps_and_is_cancelled,
    a_step_that_is_under_way_is_dropped_and_the_others_undone,
    a_run_that_has_not_begun_executes_nothing,
    a_run_that_nobody_holds_undoes_its_steps_once_it_is_held,
    a_paused_run_undoes_its_steps,
    a_failed_undo_shows_and_is_tried_again,
    a_second_request_does_not_cut_the_undos_off,
    children_undo_their_steps_too,
    a_child_undoes_its_steps_though_its_parent_does_not,
    a_run_that_cannot_replay_says_so,
    a_crash_at_any_commit_undoes_what_was_done,
);

on_every_server!(
    a_waiting_run_undoes_its_steps_and_is_cancelled,
    a_run_that_has_not_begun_executes_nothing,
    a_run_that_nobody_holds_undoes_its_steps_once_it_is_held,
    a_paused_run_undoes_its_steps,
    a_failed_undo_shows_and_is_tried_again,
    a_second_request_does_not_cut_the_undos_off,
    children_undo_their_steps_too,
    a_child_undoes_its_steps_though_its_parent_does_not,
    a_run_that_cannot_replay_says_so,
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

    /// Does a step that the undo `no <name>` takes back.
    fn does(
        &self,
        ctx: &WorkflowCtx,
        name: &'static str,
    ) -> axum_durable::workflow::ops::LocalStep<'static, String> {
        let (done, undone) = (self.clone(), self.clone());
        let body = move || {
            done.note(name);
            async move { Ok::<_, StepError>(name.to_owned()) }
        };
        let undo = move |output: String| {
            undone.note(format!("no {output}"));
            async { Ok::<_, StepError>(()) }
        };
        ctx.step(name, body).compensate(format!("no {name}"), undo)
    }
}

/// Two steps, a wait for "go", and one more.
fn trip(log: &Log) -> Workflow<(), u32> {
    let log = log.clone();
    flow("trip", move |ctx, ()| {
        let log = log.clone();
        async move {
            log.does(&ctx, "hotel").await?;
            log.does(&ctx, "train").await?;
            let go = ctx.wait_for_signal::<u32>("go").await?;
            log.does(&ctx, "car").await?;
            Ok(go)
        }
    })
}

async fn open(world: &World, trip: &Workflow<(), u32>) -> App {
    let register = trip.clone();
    world.open(|it| it.register(register)).await
}

async fn waiting(world: &World, log: &Log) -> App {
    let app = open(world, &trip(log)).await;
    app.begin(&trip(log), (), RUN).await;
    app.waits_for(RUN, "go").await;
    app
}

const UNDONE: [&str; 4] = ["hotel", "train", "no train", "no hotel"];

async fn a_waiting_run_undoes_its_steps_and_is_cancelled(world: World) {
    let log = Log::default();
    let app = waiting(&world, &log).await;
    let cancel = app.cancel(RUN).compensate().by("ada");
    assert_eq!(cancel.await.unwrap(), CancelOutcome::Requested);
    let ended = app.ended(RUN).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Cancelled, Some("cancelled"))
    );
    assert_eq!(log.all(), UNDONE);
    assert_eq!(
        &*app.audit(RUN).await.unwrap()[0].action,
        "cancel_compensate"
    );
    let record = app.record(RUN).await;
    let kinds: Vec<_> = record
        .history
        .iter()
        .map(|it| (it.kind, it.status))
        .collect();
    let expected = [
        (CheckpointKind::Step, CheckpointStatus::Completed),
        (CheckpointKind::Step, CheckpointStatus::Completed),
        (CheckpointKind::Signal, CheckpointStatus::Abandoned),
        (CheckpointKind::Cancel, CheckpointStatus::Completed),
        (CheckpointKind::Compensation, CheckpointStatus::Completed),
        (CheckpointKind::Compensation, CheckpointStatus::Completed),
    ];
    assert_eq!(kinds, expected);
    // A signal that comes late is for nobody.
    assert_eq!(
        app.send("go", 7).await,
        axum_durable::engine::SignalOutcome::Buffered
    );
    // A requeue finds everything undone.
    app.requeue(RUN).await.unwrap();
    assert_eq!(app.ended(RUN).await.status, RunStatus::Cancelled);
    assert_eq!(log.all(), UNDONE);
}

async fn a_step_that_is_under_way_is_dropped_and_the_others_undone(world: World) {
    let log = Log::default();
    let (seen, begun) = (log.clone(), Arc::new(Notify::new()));
    let tell = Arc::clone(&begun);
    let trip = flow("trip", move |ctx, ()| {
        let (log, begun) = (seen.clone(), Arc::clone(&tell));
        async move {
            log.does(&ctx, "hotel").await?;
            let endless = ctx.step("endless", move || {
                begun.notify_one();
                std::future::pending::<Result<u32, StepError>>()
            });
            endless.await
        }
    });
    let app = open(&world, &trip).await;
    app.begin(&trip, (), RUN).await;
    soon("the step", begun.notified()).await;
    app.cancel(RUN).compensate().await.unwrap();
    assert_eq!(app.ended(RUN).await.status, RunStatus::Cancelled);
    assert_eq!(log.all(), ["hotel", "no hotel"]);
    let endless = app.checkpoint(RUN, "endless").await;
    assert_eq!(endless.status, CheckpointStatus::Abandoned);
}

async fn a_run_that_has_not_begun_executes_nothing(world: World) {
    let log = Log::default();
    let register = trip(&log);
    let api = world.open(|it| it.register(register).drive(false)).await;
    let start = api.start(trip(&log), ()).id(RUN);
    start.delay(Duration::from_secs(3_600)).await.unwrap();
    let asked = api.cancel(RUN).compensate().await.unwrap();
    assert_eq!(asked, CancelOutcome::Requested);
    let app = open(&world, &trip(&log)).await;
    assert_eq!(app.ended(RUN).await.status, RunStatus::Cancelled);
    assert_eq!(log.all(), [""; 0]);
    assert!(app.record(RUN).await.history.is_empty());
}

async fn a_run_that_nobody_holds_undoes_its_steps_once_it_is_held(world: World) {
    let log = Log::default();
    let app = waiting(&world, &log).await;
    app.stop().await;
    let api = world.api().await;
    let asked = api.cancel(RUN).compensate().await.unwrap();
    assert_eq!(asked, CancelOutcome::Requested);
    let app = open(&world, &trip(&log)).await;
    assert_eq!(app.ended(RUN).await.status, RunStatus::Cancelled);
    assert_eq!(log.all(), UNDONE);
}

async fn a_paused_run_undoes_its_steps(world: World) {
    let log = Log::default();
    let app = waiting(&world, &log).await;
    app.pause(RUN).await.unwrap();
    app.until(RUN, |now| now.status == RunStatus::Paused).await;
    app.cancel(RUN).compensate().await.unwrap();
    assert_eq!(app.ended(RUN).await.status, RunStatus::Cancelled);
    assert_eq!(log.all(), UNDONE);
}

/// A step whose undo fails as long as the log has seen it less than `enough` times.
fn stubborn(log: &Log, enough: usize) -> Workflow<(), u32> {
    let log = log.clone();
    flow("trip", move |ctx, ()| {
        let log = log.clone();
        async move {
            log.does(&ctx, "hotel").await?;
            let seen = log.clone();
            let undo = move |room: String| {
                seen.note(format!("try {room}"));
                let tries = seen.all().iter().filter(|it| it.starts_with("try")).count();
                async move {
                    if tries < enough {
                        return Err(StepError::retryable("busy", "nobody answers"));
                    }
                    Ok(())
                }
            };
            let train = ctx.step("train", async || Ok::<_, StepError>("train".to_owned()));
            let minute = Backoff::Fixed {
                every: Duration::from_secs(60),
            };
            let train = train.compensate("no train", undo).compensation_retries(2);
            train.compensation_backoff(minute).await?;
            ctx.wait_for_signal("go").await
        }
    })
}

async fn a_failed_undo_shows_and_is_tried_again(world: World) {
    let log = Log::default();
    let trip = stubborn(&log, 3);
    let app = open(&world, &trip).await;
    app.begin(&trip, (), RUN).await;
    app.waits_for(RUN, "go").await;
    app.cancel(RUN).compensate().await.unwrap();
    app.waits_for(RUN, "no train").await;
    world.clock.advance(Duration::from_secs(60));
    let ended = app.ended(RUN).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::CompensationFailed, Some("compensation_failed"))
    );
    let cause = ended.failure.as_ref().unwrap().cause.as_ref().unwrap();
    assert_eq!(cause.code.as_deref(), Some("cancelled"));
    assert_eq!(log.all(), ["hotel", "try train", "try train", "no hotel"]);
    app.crash().await;
    let app = open(&world, &trip).await;
    app.requeue(RUN).await.unwrap();
    let ended = app.ended(RUN).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Cancelled, Some("cancelled"))
    );
    assert_eq!(log.all()[4..], ["try train"]);
}

async fn a_second_request_does_not_cut_the_undos_off(world: World) {
    let log = Log::default();
    let trip = stubborn(&log, 2);
    let app = open(&world, &trip).await;
    app.begin(&trip, (), RUN).await;
    app.waits_for(RUN, "go").await;
    app.cancel(RUN).compensate().await.unwrap();
    app.waits_for(RUN, "no train").await;
    app.cancel(RUN).await.unwrap();
    app.crash().await;
    // Nobody holds it for a moment, with half of it undone.
    let api = world.api().await;
    api.cancel(RUN).await.unwrap();
    let app = open(&world, &trip).await;
    app.cancel(RUN).await.unwrap();
    app.until(RUN, |now| now.wakes.contains("holds it")).await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(app.ended(RUN).await.status, RunStatus::Cancelled);
    assert_eq!(log.all(), ["hotel", "try train", "try train", "no hotel"]);
}

async fn a_child_undoes_its_steps_though_its_parent_does_not(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let parent = flow("parent", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "plan").await?;
            let child = ctx.child(trip(&log), ()).id("child");
            child.on_cancel(OnCancel::Request).await
        }
    });
    let (one, two) = (parent.clone(), trip(&log));
    let app = world.open(|it| it.register(one).register(two)).await;
    app.begin(&parent, (), "parent").await;
    app.waits_for("child", "go").await;
    app.cancel("parent").await.unwrap();
    assert_eq!(app.ended("parent").await.status, RunStatus::Cancelled);
    assert_eq!(app.ended("child").await.status, RunStatus::Cancelled);
    assert_eq!(
        log.all(),
        ["plan", "hotel", "train", "no train", "no hotel"]
    );
}

async fn children_undo_their_steps_too(world: World) {
    let log = Log::default();
    let seen = log.clone();
    let parent = flow("parent", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "plan").await?;
            let left = ctx.child(trip(&log), ()).id("left");
            left.on_cancel(OnCancel::Abandon).start().await?;
            let child = ctx.child(trip(&log), ()).id("child").await?;
            Ok(child)
        }
    });
    let (one, two) = (parent.clone(), trip(&log));
    let app = world.open(|it| it.register(one).register(two)).await;
    app.begin(&parent, (), "parent").await;
    app.waits_for("child", "go").await;
    app.waits_for("left", "go").await;
    app.cancel("parent").compensate().await.unwrap();
    assert_eq!(app.ended("parent").await.status, RunStatus::Cancelled);
    assert_eq!(app.ended("child").await.status, RunStatus::Cancelled);
    let mut all = log.all();
    all.retain(|it| it.starts_with("no"));
    all.sort_unstable();
    assert_eq!(all, ["no hotel", "no plan", "no train"]);
    assert_eq!(
        app.send("go", 3).await,
        axum_durable::engine::SignalOutcome::Delivered
    );
    assert_eq!(app.output::<u32>("left").await, 3);
}

async fn a_run_that_cannot_replay_says_so(world: World) {
    let log = Log::default();
    let app = waiting(&world, &log).await;
    app.stop().await;
    let seen = log.clone();
    let other = flow("trip", move |ctx, ()| {
        let log = seen.clone();
        async move {
            log.does(&ctx, "flight").await?;
            ctx.wait_for_signal("go").await
        }
    });
    let api = world.api().await;
    api.cancel(RUN).compensate().await.unwrap();
    let app = open(&world, &other).await;
    let ended = app.ended(RUN).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::CompensationFailed, Some("compensation_failed"))
    );
    let cause = ended.failure.as_ref().unwrap().cause.as_ref().unwrap();
    assert!(cause.message.contains("flight"), "{cause:?}");
    assert_eq!(log.all(), ["hotel", "train"]);
}

/// A trip that asks to be cancelled itself, so that each commit on the way may be the last one.
fn fickle(log: &Log) -> Workflow<(), u32> {
    let log = log.clone();
    flow("trip", move |ctx, ()| {
        let log = log.clone();
        async move {
            for name in ["hotel", "train", "car"] {
                log.does(&ctx, name).await?;
            }
            ctx.sleep(Duration::from_millis(5)).await;
            ctx.wait_for_signal("go").await
        }
    })
}

async fn a_crash_at_any_commit_undoes_what_was_done(world: World) {
    if !world.is_memory() {
        // The real database adds nothing but time here.
        return;
    }
    for death in [Death::Before, Death::After] {
        let mut at = 0;
        loop {
            let evicts = world.evicts;
            let world = World::memory_by(Turbo::default());
            let world = if evicts { world.evicting() } else { world };
            let log = Log::default();
            let trip = fickle(&log);
            let fuse = Fuse::new(at, death);
            let register = trip.clone();
            let app = world
                .open_probed(fuse.clone(), |it| it.register(register))
                .await;
            let place = async |app: &App| {
                app.begin(&trip, (), RUN).await;
                app.until(RUN, |now| {
                    now.status == RunStatus::Suspended && now.reason.contains("go")
                        || now.status.is_terminal()
                        || now.status == RunStatus::Cancelling
                })
                .await;
                // It may have ended by the request of the process that has died.
                drop(app.cancel(RUN).compensate().await);
                app.ended(RUN).await
            };
            let died = tokio::select! {
                () = fuse.died() => true,
                _ = place(&app) => false,
            };
            app.crash().await;
            let app = open(&world, &trip).await;
            let ended = place(&app).await;
            let why = format!("death {death:?} at {at}: {:?}", log.all());
            assert_eq!(
                (ended.status, code(&ended)),
                (RunStatus::Cancelled, Some("cancelled")),
                "{why}"
            );
            // Each once, but for the one that was cut off, and always the latest first.
            let mut undone = log.all();
            undone.retain(|it| it.starts_with("no "));
            assert!(undone.len() <= 4, "{why}");
            undone.dedup();
            assert_eq!(undone, ["no car", "no train", "no hotel"], "{why}");
            app.stop().await;
            if !died {
                break;
            }
            at += 1;
        }
        assert!(at >= 9, "only {at} commits");
    }
}
