//! Tasks: what somebody outside finishes takes effect once, and the token is the same for ever.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    engine::SignalOutcome,
    model::{CheckpointKind, CheckpointStatus},
    prelude::*,
    testing::Scenario,
};
use parking_lot::Mutex;

use crate::support::{
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    a_task_is_handed_out_once_and_waits_for_its_value,
    a_value_that_comes_before_the_wait_is_used,
    a_failed_task_is_an_error_and_a_requeue_waits_anew,
    the_first_outcome_counts,
    a_task_without_an_outcome_times_out,
    a_body_that_fails_leaves_no_wait,
    a_task_survives_the_end_and_the_requeue_of_its_run,
    tasks_side_by_side_are_told_apart,
);

on_every_server!(
    a_task_is_handed_out_once_and_waits_for_its_value,
    a_value_that_comes_before_the_wait_is_used,
    a_failed_task_is_an_error_and_a_requeue_waits_anew,
    the_first_outcome_counts,
    a_task_without_an_outcome_times_out,
    a_body_that_fails_leaves_no_wait,
    a_task_survives_the_end_and_the_requeue_of_its_run,
    tasks_side_by_side_are_told_apart,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// What was handed to the outside.
#[derive(Debug, Clone, Default)]
struct Desk {
    tokens: Arc<Mutex<Vec<TaskToken>>>,
    ledger: Ledger,
}

impl Desk {
    fn take(&self, token: TaskToken) -> u32 {
        self.tokens.lock().push(token);
        self.ledger.note("handed out")
    }

    fn last(&self) -> TaskToken {
        self.tokens.lock().last().unwrap().clone()
    }
}

/// Hands a token to the desk, waits an hour for a number, and then for `go`.
fn ask(desk: &Desk) -> Workflow<(), u32> {
    let desk = desk.clone();
    flow("ask", move |ctx, ()| {
        let desk = desk.clone();
        async move {
            let task = ctx.task("count", async |token| {
                desk.take(token);
                Ok::<_, StepError>(())
            });
            let number: u32 = task.timeout(HOUR).await?;
            let (): () = ctx.wait_for_signal("go").await?;
            Ok(number)
        }
    })
}

async fn open(world: &World, desk: &Desk) -> App {
    let workflow = ask(desk);
    world.open(|it| it.register(workflow)).await
}

/// Waits until the task itself waits, and not the step that hands it out.
async fn waits(app: &App, run: &str) -> String {
    let now = app.until(run, |now| {
        now.waiting_for
            .iter()
            .any(|it| it.kind == CheckpointKind::Task)
    });
    now.await.reason
}

async fn a_task_is_handed_out_once_and_waits_for_its_value(world: World) {
    let desk = Desk::default();
    let app = open(&world, &desk).await;
    app.begin(&ask(&desk), (), "a").await;
    let reason = waits(&app, "a").await;
    assert!(reason.contains("outcome of task `count`"), "{reason}");
    app.crash().await;
    let app = open(&world, &desk).await;
    let api = world.api().await;
    let done = soon("the report", api.complete_task(desk.last(), 7));
    assert_eq!(done.await.unwrap(), SignalOutcome::Delivered);
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<u32>("a").await, 7);
    assert_eq!(desk.ledger.count("handed out"), 1);
    let history = app.record("a").await.history;
    let stored = history.iter().find(|it| it.kind == CheckpointKind::Task);
    let result = stored.unwrap().result.as_ref().unwrap();
    assert_eq!(result.as_text(), Some("7"));
    let late = app.complete_task(desk.last(), 8).await;
    assert!(late.unwrap_err().to_string().contains("completed"));
    let unknown = app.complete_task("nonsense", 8).await.unwrap_err();
    assert!(unknown.is_not_found());
}

async fn a_value_that_comes_before_the_wait_is_used(world: World) {
    let early = |slot: Arc<Mutex<Option<Durable>>>| {
        flow("early", move |ctx, ()| {
            let slot = Arc::clone(&slot);
            async move {
                let task = ctx.task("quick", async |token: TaskToken| {
                    let durable = slot.lock().clone();
                    let sent = durable.unwrap().complete_task(&token, "at once").await;
                    assert_eq!(sent.unwrap(), SignalOutcome::Buffered);
                    Ok::<_, StepError>(())
                });
                task.await
            }
        })
    };
    let slot = Arc::default();
    let workflow: Workflow<(), String> = early(Arc::clone(&slot));
    let app = world
        .open({
            let workflow = workflow.clone();
            |it| it.register(workflow)
        })
        .await;
    *slot.lock() = Some(Durable::clone(&app));
    app.begin(&workflow, (), "a").await;
    assert_eq!(app.output::<String>("a").await, "at once");
    slot.lock().take();
}

async fn a_failed_task_is_an_error_and_a_requeue_waits_anew(world: World) {
    let desk = Desk::default();
    let app = open(&world, &desk).await;
    app.begin(&ask(&desk), (), "a").await;
    waits(&app, "a").await;
    let why = StepError::fatal("refused", "not like this").with_details(&[7]);
    app.fail_task(desk.last(), why).await.unwrap();
    let failed = app.ended("a").await;
    assert_eq!(failed.status, RunStatus::Failed);
    assert_eq!(code(&failed), Some("refused"));

    app.requeue("a").await.unwrap();
    waits(&app, "a").await;
    app.complete_task(desk.last(), 9).await.unwrap();
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<u32>("a").await, 9);
    assert_eq!(desk.ledger.count("handed out"), 1);
}

async fn the_first_outcome_counts(world: World) {
    let desk = Desk::default();
    let app = open(&world, &desk).await;
    app.begin(&ask(&desk), (), "a").await;
    waits(&app, "a").await;
    let token = desk.last();
    assert_eq!(
        app.complete_task(&token, 1).await.unwrap(),
        SignalOutcome::Delivered
    );
    assert_eq!(
        app.complete_task(&token, 1).await.unwrap(),
        SignalOutcome::Duplicate
    );
    app.complete_task(&token, 2).await.unwrap();
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<u32>("a").await, 1);
}

async fn a_task_without_an_outcome_times_out(world: World) {
    let desk = Desk::default();
    let app = open(&world, &desk).await;
    app.begin(&ask(&desk), (), "a").await;
    waits(&app, "a").await;
    world.clock.advance(HOUR);
    let late = app.ended("a").await;
    assert_eq!(code(&late), Some("wait_timeout"));
    let history = app.record("a").await.history;
    let wait = history.iter().find(|it| it.kind == CheckpointKind::Task);
    assert_eq!(wait.unwrap().status, CheckpointStatus::Fatal);
}

async fn a_body_that_fails_leaves_no_wait(world: World) {
    let broken = || {
        flow("broken", |ctx, ()| async move {
            let task = ctx.task("post", async |_| {
                Err::<(), _>(StepError::retryable("away", "the desk is closed"))
            });
            let error = task.await.map(|()| String::new()).unwrap_err();
            let (): () = ctx.wait_for_signal("go").await?;
            Ok(error.code().unwrap_or_default().to_owned())
        })
    };
    let app = world.open(move |it| it.register(broken())).await;
    app.begin(&broken(), (), "a").await;
    let now = app.waits_for("a", "go").await;
    assert_eq!(now.waiting_for.len(), 1, "{now:?}");
    app.send("go", ()).await;
    assert_eq!(app.output::<String>("a").await, "away");
}

async fn a_task_survives_the_end_and_the_requeue_of_its_run(world: World) {
    let desk = Desk::default();
    let app = open(&world, &desk).await;
    app.begin(&ask(&desk), (), "a").await;
    waits(&app, "a").await;
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    app.requeue("a").await.unwrap();
    waits(&app, "a").await;
    app.complete_task(desk.last(), 3).await.unwrap();
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<u32>("a").await, 3);
    assert_eq!(desk.ledger.count("handed out"), 1);
}

async fn tasks_side_by_side_are_told_apart(world: World) {
    let tokens = Arc::<Mutex<BTreeMap<u32, TaskToken>>>::default();
    let both = {
        let tokens = Arc::clone(&tokens);
        flow("both", move |ctx, ()| {
            let tokens = Arc::clone(&tokens);
            async move {
                let one = |n: u32| {
                    let tokens = Arc::clone(&tokens);
                    ctx.task("same name", move |token| {
                        tokens.lock().insert(n, token);
                        async move { Ok::<_, StepError>(()) }
                    })
                };
                let (a, b): (u32, u32) = tokio::try_join!(one(1), one(2))?;
                Ok((a, b))
            }
        })
    };
    let register = both.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&both, (), "a").await;
    app.until("a", |now| now.waiting_for.len() == 2).await;
    let tokens = tokens.lock().clone();
    app.complete_task(&tokens[&2], 20).await.unwrap();
    app.complete_task(&tokens[&1], 10).await.unwrap();
    assert_eq!(app.output::<(u32, u32)>("a").await, (10, 20));
}

#[tokio::test]
async fn a_task_survives_a_crash_at_every_commit() {
    // The body finishes its own task, as a service does that answers at once.
    let scenario = Scenario::of(self_served(), ()).with_fresh(|| {
        let slot = Slot::default();
        move |builder| builder.only_registered().provide(slot.clone())
    });
    let report = scenario.crash_everywhere().await;
    assert_eq!(report.output::<u32>().unwrap(), Some(1));
    assert!(report.crashes >= 8, "{}", report.crashes);
}

/// The tokens that a body was called with, over all lives of a run.
#[derive(Debug, Clone, Default)]
struct Slot(Arc<Mutex<Vec<TaskToken>>>);

/// Counts the different tokens that its body got; its timeout stands for the outside.
fn self_served() -> Workflow<(), usize> {
    Workflow::from_body("self-served", 1, |ctx, ()| {
        Box::pin(async move {
            let slot = ctx.state::<State<Slot>>()?.0;
            let task = ctx.task("ask", async |token| {
                slot.0.lock().push(token);
                Ok::<_, StepError>(())
            });
            let late = task.timeout(HOUR).await.map(|()| 0).unwrap_err();
            assert!(late.is_timeout(), "{late}");
            let tokens = slot.0.lock().clone();
            let first = tokens.first();
            let different = tokens.iter().filter(|it| Some(*it) != first).count();
            ctx.step("count", async || Ok::<_, StepError>(1 + different))
                .await
        })
    })
}
