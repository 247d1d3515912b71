//! Ends asked for from outside, and ways on from an end.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    DurableError, RunStatus,
    engine::{CancelOutcome, SignalOutcome},
    model::CheckpointStatus,
    prelude::*,
    store::StoreError,
    workflow::{BoxFuture, States},
};
use tokio::sync::Notify;

use crate::support::{
    ledger::Ledger,
    world::{World, code, flow, in_every_world, soon},
};

in_every_world!(
    a_waiting_run_is_cancelled_and_its_wait_withdrawn,
    a_run_that_nobody_holds_is_cancelled_at_once,
    cancelling_drops_a_step_where_it_stands,
    what_a_body_has_begun_elsewhere_learns_that_it_is_over,
    the_late_answer_of_a_worker_is_refused,
    a_request_to_cancel_outlives_a_crash,
    an_ended_run_cannot_be_cancelled,
    a_cancelled_run_can_be_requeued,
    a_requeue_tries_the_failed_step_again_and_no_other,
);

/// Reserves, waits for `go`, finishes.
fn order(ledger: &Ledger) -> Workflow<(), u32> {
    let ledger = ledger.clone();
    flow("order", move |ctx, ()| {
        let ledger = ledger.clone();
        async move {
            let step = ctx.step("reserve", async || {
                Ok::<_, StepError>(ledger.note("reserve"))
            });
            step.await?;
            let n: u32 = ctx.wait_for_signal("go").await?;
            let step = ctx.step("finish", async || Ok::<_, StepError>(ledger.note("finish")));
            step.await?;
            Ok(n)
        }
    })
}

async fn a_waiting_run_is_cancelled_and_its_wait_withdrawn(world: World) {
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(&ledger), (), "a").await;
    app.waits_for("a", "go").await;
    app.cancel("a").await.unwrap();
    let ended = app.ended("a").await;
    assert_eq!(code(&ended), Some("cancelled"));
    assert_eq!((ended.status, ended.owner), (RunStatus::Cancelled, None));
    assert_eq!(app.send("go", 1).await, SignalOutcome::Buffered);
    assert_eq!(ledger.count("finish"), 0);
    let why = app.explain("a").await.unwrap();
    assert_eq!(why.reason, "cancelled");
}

async fn a_run_that_nobody_holds_is_cancelled_at_once(world: World) {
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(&ledger), (), "a").await;
    app.waits_for("a", "go").await;
    app.stop().await;
    let api = world.api().await;
    assert_eq!(api.cancel("a").await.unwrap(), CancelOutcome::Cancelled);
    let ended = api.ended("a").await;
    assert_eq!(ended.status, RunStatus::Cancelled);
    assert_eq!(code(&ended), Some("cancelled"));
    assert_eq!(api.send("go", 1).await, SignalOutcome::Buffered);
}

/// Tells when it is dropped.
struct Tell(Arc<Notify>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn cancelling_drops_a_step_where_it_stands(world: World) {
    let [begun, dropped]: [Arc<Notify>; 2] = Default::default();
    let endless = {
        let (begun, dropped) = (Arc::clone(&begun), Arc::clone(&dropped));
        flow("endless", move |ctx, is_spawned: bool| {
            let (begun, dropped) = (Arc::clone(&begun), Arc::clone(&dropped));
            async move {
                let body = move || {
                    let (begun, tell) = (Arc::clone(&begun), Tell(Arc::clone(&dropped)));
                    async move {
                        let _tell = tell;
                        begun.notify_one();
                        std::future::pending::<Result<u32, StepError>>().await
                    }
                };
                let step = ctx.step("endless", body);
                if is_spawned {
                    step.spawn().await
                } else {
                    step.await
                }
            }
        })
    };
    let register = endless.clone();
    let app = world.open(|it| it.register(register)).await;
    for (run, is_spawned) in [("a", false), ("b", true)] {
        app.begin(&endless, is_spawned, run).await;
        soon("the step", begun.notified()).await;
        assert_eq!(app.cancel(run).await.unwrap(), CancelOutcome::Requested);
        soon("its end", dropped.notified()).await;
        let ended = app.ended(run).await;
        assert_eq!(
            (ended.status, code(&ended)),
            (RunStatus::Cancelled, Some("cancelled"))
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a task that an author has begun, of which the engine knows nothing"
)]
async fn what_a_body_has_begun_elsewhere_learns_that_it_is_over(world: World) {
    const MINUTE: Duration = Duration::from_secs(60);
    let [begun, over]: [Arc<Notify>; 2] = Default::default();
    let endless = {
        let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
        flow("endless", move |ctx, ()| {
            let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
            async move {
                let step = ctx.step("endless", move |step: StepCtx| {
                    let (begun, over) = (Arc::clone(&begun), Arc::clone(&over));
                    assert!(!step.is_cancelled());
                    // A task of its own outlives the body.
                    tokio::spawn(async move {
                        begun.notify_one();
                        step.cancelled().await;
                        assert!(step.is_cancelled());
                        over.notify_one();
                    });
                    std::future::pending::<Result<u32, StepError>>()
                });
                step.timeout(MINUTE).await
            }
        })
    };
    let register = endless.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&endless, (), "cancelled").await;
    soon("the step", begun.notified()).await;
    app.cancel("cancelled").await.unwrap();
    soon("its end", over.notified()).await;
    app.begin(&endless, (), "too long").await;
    soon("the step", begun.notified()).await;
    world.clock.advance(MINUTE);
    soon("its end", over.notified()).await;
}

/// A worker that answers when it is told to.
#[derive(Debug, Clone, Default)]
struct Slow {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    done: Arc<Notify>,
}

fn slow(_: (), states: States, _step: StepCtx) -> BoxFuture<'static, Result<u32, StepError>> {
    Box::pin(async move {
        let slow: Slow = states.get().unwrap();
        slow.begun.notify_one();
        slow.go_on.notified().await;
        slow.done.notify_one();
        Ok(1)
    })
}

async fn the_late_answer_of_a_worker_is_refused(world: World) {
    let caller = || {
        flow("caller", |ctx, ()| async move {
            let step = Step::new("slow", slow);
            ctx.remote(&step, ()).await
        })
    };
    let state = Slow::default();
    let provided = state.clone();
    let app = world
        .open(move |it| {
            let it = it.register(caller()).register(Step::new("slow", slow));
            it.provide(provided)
        })
        .await;
    app.begin(&caller(), (), "a").await;
    soon("the worker", state.begun.notified()).await;
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    state.go_on.notify_one();
    soon("the answer", state.done.notified()).await;
    // A second call of the same worker goes on after the first one was answered and refused.
    state.go_on.notify_one();
    app.begin(&caller(), (), "b").await;
    assert_eq!(app.output::<u32>("b").await, 1);
    let record = app.record("a").await;
    assert_eq!(record.run.status, RunStatus::Cancelled);
    assert!(record.inbox.is_empty(), "{:?}", record.inbox);
    assert_eq!(record.history[0].status, CheckpointStatus::Waiting);
}

async fn a_request_to_cancel_outlives_a_crash(world: World) {
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(&ledger), (), "a").await;
    app.waits_for("a", "go").await;
    let api = world.api().await;
    // From another process, and the owner dies at that moment or a little later.
    api.cancel("a").await.unwrap();
    app.crash().await;
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    assert_eq!((ledger.count("reserve"), ledger.count("finish")), (1, 0));
}

async fn an_ended_run_cannot_be_cancelled(world: World) {
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.send("go", 4).await;
    app.begin(&order(&ledger), (), "a").await;
    assert_eq!(app.output::<u32>("a").await, 4);
    let refused = app.cancel("a").await.unwrap_err();
    let is_ended = matches!(
        refused,
        DurableError::Store(StoreError::WrongStatus {
            status: RunStatus::Completed,
            ..
        })
    );
    assert!(is_ended, "{refused:?}");
    let refused = app.requeue("a").await.unwrap_err();
    assert!(
        refused.to_string().contains("cannot be requeued"),
        "{refused}"
    );
    assert!(app.cancel("nobody").await.unwrap_err().is_not_found());
    assert_eq!(app.output::<u32>("a").await, 4);
}

async fn a_cancelled_run_can_be_requeued(world: World) {
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(&ledger), (), "a").await;
    app.waits_for("a", "go").await;
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    app.requeue("a").await.unwrap();
    app.until("a", |now| !now.status.is_terminal()).await;
    app.send("go", 9).await;
    assert_eq!(app.output::<u32>("a").await, 9);
    assert_eq!((ledger.count("reserve"), ledger.count("finish")), (1, 1));
}

async fn a_requeue_tries_the_failed_step_again_and_no_other(world: World) {
    let ledger = Ledger::default();
    let moody = {
        let ledger = ledger.clone();
        flow("moody", move |ctx, ()| {
            let ledger = ledger.clone();
            async move {
                let once = |name: &'static str, succeeds: u32| {
                    let ledger = ledger.clone();
                    ctx.step(name, move || {
                        let times = ledger.note(name);
                        async move {
                            match times < succeeds {
                                true => Err(StepError::fatal(name, "not yet")),
                                false => Ok(times),
                            }
                        }
                    })
                };
                let caught = once("caught", 2).await.is_err();
                let (left, right) = tokio::join!(once("left", 1), once("right", 2));
                Ok((caught, left?, right?))
            }
        })
    };
    let register = moody.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&moody, (), "a").await;
    let failed = app.ended("a").await;
    assert_eq!(
        (failed.status, code(&failed)),
        (RunStatus::Failed, Some("right"))
    );
    app.requeue("a").await.unwrap();
    app.until("a", |now| now.status != RunStatus::Failed).await;
    assert_eq!(app.output::<(bool, u32, u32)>("a").await, (true, 1, 2));
    let counts = ["caught", "left", "right"].map(|name| ledger.count(name));
    assert_eq!(counts, [1, 1, 2]);
}
