//! Mistakes that engines of this kind are known for: each has a test that would find it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use axum_durable::{RunStatus, prelude::*, store::StoreError, testing::StoreCall};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::Notify;

use crate::support::{
    ledger::Ledger,
    probes::{Death, Gate},
    world::{World, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    a_signal_between_a_wait_and_its_release_is_not_lost,
    two_turns_of_a_run_never_overlap,
    a_run_that_has_not_failed_is_not_requeued,
    a_wait_is_no_failure_that_could_be_caught,
    a_step_beside_a_wait_runs_once,
    the_end_of_a_child_is_kept_for_nobody,
    many_runs_leave_nothing_behind,
    no_store_rewrites_a_payload,
);

on_every_server!(
    a_signal_between_a_wait_and_its_release_is_not_lost,
    two_turns_of_a_run_never_overlap,
    a_run_that_has_not_failed_is_not_requeued,
    a_wait_is_no_failure_that_could_be_caught,
    a_step_beside_a_wait_runs_once,
    the_end_of_a_child_is_kept_for_nobody,
    many_runs_leave_nothing_behind,
    no_store_rewrites_a_payload,
);

/// Where a step stands, and leave to go on.
#[derive(Debug, Clone, Default)]
struct Slow {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    ledger: Ledger,
}

impl Slow {
    async fn body(&self) -> Result<u32, StepError> {
        self.begun.notify_one();
        self.go_on.notified().await;
        Ok(self.ledger.note("step"))
    }
}

/// A slow step and then a wait.
fn step_and_wait(slow: &Slow) -> Workflow<(), u32> {
    let slow = slow.clone();
    flow("step and wait", move |ctx, ()| {
        let slow = slow.clone();
        async move {
            ctx.step("slow", async || slow.body().await).await?;
            ctx.wait_for_signal::<u32>("go").await
        }
    })
}

/// The signal arrives while the commit that opens the wait and lets the run go is under way: when
/// it was not written yet, and when its process has not learnt that it was.
async fn a_signal_between_a_wait_and_its_release_is_not_lost(world: World) {
    for moment in [Death::Before, Death::After] {
        let slow = Slow::default();
        let (gate, workflow) = (
            Gate::holding_at(StoreCall::Commit, moment),
            step_and_wait(&slow),
        );
        let register = workflow.clone();
        let app = world
            .open_probed(gate.clone(), |it| it.register(register))
            .await;
        let run = format!("{moment:?}");
        app.begin(&workflow, (), &run).await;
        soon("the step", slow.begun.notified()).await;
        gate.shut();
        slow.go_on.notify_one();
        soon("the commit", gate.hit(1)).await;
        let api = world.api().await;
        api.send("go", 7).await;
        gate.open();
        assert_eq!(app.output::<u32>(&run).await, 7, "{moment:?}");
        app.stop().await;
    }
    assert_eq!(world.residue().await, [""; 0]);
}

/// How many turns of a run are under way.
#[derive(Debug, Clone, Default)]
struct Turns {
    now: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
}

impl Turns {
    /// The same future, counted while it is polled.
    async fn count<F: Future>(&self, body: F) -> F::Output {
        let mut body = std::pin::pin!(body);
        std::future::poll_fn(|cx| {
            let now = self.now.fetch_add(1, SeqCst) + 1;
            self.most.fetch_max(now, SeqCst);
            // Whoever comes in between would be seen.
            std::thread::yield_now();
            let polled = body.as_mut().poll(cx);
            self.now.fetch_sub(1, SeqCst);
            polled
        })
        .await
    }
}

/// Signals come from two processes at once, and each may wake the run that is just leaving memory.
async fn two_turns_of_a_run_never_overlap(world: World) {
    const SIGNALS: u32 = 20;
    let turns = Turns::default();
    let counts = {
        let turns = turns.clone();
        flow("counts", move |ctx, ()| {
            let turns = turns.clone();
            async move {
                let body = async {
                    let mut sum = 0;
                    for _ in 0..SIGNALS {
                        sum += ctx.wait_for_signal::<u32>("count").await?;
                    }
                    Ok(sum)
                };
                turns.count(body).await
            }
        })
    };
    let register = counts.clone();
    let app = world.open(|it| it.register(register)).await;
    let api = world.api().await;
    app.begin(&counts, (), "a").await;
    let sent = (0..SIGNALS).map(|n| {
        let from = if n % 2 == 0 { &app } else { &api };
        from.send("count", 1)
    });
    join_all(sent).await;
    assert_eq!(app.output::<u32>("a").await, SIGNALS);
    assert_eq!(turns.most.load(SeqCst), 1);
}

async fn a_run_that_has_not_failed_is_not_requeued(world: World) {
    let slow = Slow::default();
    let workflow = step_and_wait(&slow);
    let register = workflow.clone();
    let app = world.open(|it| it.register(register)).await;
    let refused = async || {
        let error = soon("the answer", app.requeue("a")).await.unwrap_err();
        let is_it = matches!(error, DurableError::Store(StoreError::WrongStatus { .. }));
        assert!(is_it, "{error}");
    };
    app.begin(&workflow, (), "a").await;
    soon("the step", slow.begun.notified()).await;
    refused().await;
    slow.go_on.notify_one();
    app.until("a", |now| now.status == RunStatus::Suspended)
        .await;
    refused().await;
    app.send("go", 7).await;
    assert_eq!(app.output::<u32>("a").await, 7);
    refused().await;
    assert_eq!(slow.ledger.count("step"), 1);
    assert_eq!(app.audit("a").await.unwrap(), []);
}

/// Whatever a workflow does with errors, it sees nothing of a wait but its outcome.
async fn a_wait_is_no_failure_that_could_be_caught(world: World) {
    let ledger = Ledger::default();
    let cautious = {
        let ledger = ledger.clone();
        flow("cautious", move |ctx, ()| {
            let ledger = ledger.clone();
            async move {
                let undone = ledger.clone();
                let undo = move |()| {
                    undone.note("undo");
                    async { Ok::<_, StepError>(()) }
                };
                let hotel = ctx.step("hotel", async || Ok::<_, StepError>(()));
                hotel.compensate("no hotel", undo).await?;
                let Ok(value) = ctx.wait_for_signal::<u32>("go").await else {
                    ctx.rollback().await?;
                    return Ok(0);
                };
                Ok(value)
            }
        })
    };
    let register = cautious.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&cautious, (), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let app = world.open(|it| it.register(cautious)).await;
    app.waits_for("a", "go").await;
    app.send("go", 7).await;
    assert_eq!(app.output::<u32>("a").await, 7);
    assert_eq!(ledger.count("undo"), 0);
}

/// One branch waits and is done while the step in the other is still under way.
async fn a_step_beside_a_wait_runs_once(world: World) {
    let slow = Slow::default();
    let beside = {
        let slow = slow.clone();
        flow("beside", move |ctx, ()| {
            let slow = slow.clone();
            async move {
                let step = ctx.step("slow", async || slow.body().await);
                let wait = ctx.wait_for_signal::<u32>("go");
                let (step, wait) = tokio::try_join!(step, wait)?;
                Ok((step, wait))
            }
        })
    };
    let register = beside.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&beside, (), "a").await;
    soon("the step", slow.begun.notified()).await;
    app.send("go", 7).await;
    slow.go_on.notify_one();
    assert_eq!(app.output::<(u32, u32)>("a").await, (1, 7));
    assert_eq!(slow.ledger.count("step"), 1);
}

async fn the_end_of_a_child_is_kept_for_nobody(world: World) {
    let child = || {
        flow("child", |ctx, ()| async move {
            ctx.wait_for_signal::<u32>("go").await
        })
    };
    let parent = move || {
        flow("parent", move |ctx, ()| async move {
            ctx.child(child(), ()).start().await?;
            ctx.child(child(), ()).start().await?;
            Ok(())
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(child()))
        .await;
    app.begin(&parent(), (), "a").await;
    app.output::<()>("a").await;
    let before = app.record("a").await;
    app.send("go", 7).await;
    app.cancel("a.child.1").await.unwrap();
    app.ended("a.child.0").await;
    app.ended("a.child.1").await;
    let after = app.record("a").await;
    assert_eq!(
        (before.run.rev, before.run.wakes),
        (after.run.rev, after.run.wakes)
    );
    app.stop().await;
    // Which of the two has waited longer is not said, so the signal may have come too late.
    let left = world.residue().await;
    assert!(
        left.iter().all(|it| it.starts_with("buffered: go")),
        "{left:?}"
    );
}

async fn many_runs_leave_nothing_behind(world: World) {
    const RUNS: u32 = 30;
    let child = || flow("child", |_, n: u32| async move { Ok(n) });
    let busy = move || {
        flow("busy", move |ctx, n: u32| async move {
            let hour = std::time::Duration::from_secs(3_600);
            let signal = ctx.wait_for_signal::<u32>(format!("go:{n}"));
            let loser = ctx.wait_for_event::<u32>(format!("never:{n}"));
            let value = tokio::select! {
                biased;
                value = signal.timeout(hour) => value?,
                value = loser => value?,
            };
            ctx.child(child(), value).await
        })
    };
    let app = world
        .open(move |it| it.register(busy()).register(child()))
        .await;
    for n in 0..RUNS {
        app.begin(&busy(), n, &format!("run-{n}")).await;
    }
    for n in 0..RUNS {
        app.send(&format!("go:{n}"), n).await;
    }
    for n in 0..RUNS {
        assert_eq!(app.output::<u32>(&format!("run-{n}")).await, n);
    }
    app.stop().await;
    assert_eq!(world.residue().await, [""; 0]);
}

/// A signal, a step's result, a child's input and output: the same value everywhere.
async fn no_store_rewrites_a_payload(world: World) {
    let value = serde_json::json!({
        "empty list": [], "empty object": {}, "sum": 0.1 + 0.2, "large": 12_345_678_901_234_567_u64,
        "text": "\u{0}\u{1F980} \"quoted\" \\u0000", "nothing": null, "deep": [[[{"a": []}]]],
    });
    let echo = || flow("echo", |_, value: Value| async move { Ok(value) });
    let carries = move || {
        flow("carries", move |ctx, ()| async move {
            let value: Value = ctx.wait_for_signal("value").await?;
            let value = ctx.step("same", async || Ok::<_, StepError>(value.clone()));
            ctx.child(echo(), value.await?).await
        })
    };
    let app = world
        .open(move |it| it.register(carries()).register(echo()))
        .await;
    app.begin(&carries(), (), "a").await;
    app.send("value", &value).await;
    assert_eq!(app.output::<Value>("a").await, value);
}
