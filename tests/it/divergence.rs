//! Code that no longer fits its history is found before it does anything, and set aside.

use std::{future::Future, time::Duration};

use axum_durable::{RunStatus, prelude::*, workflow::BoxFuture};

use crate::support::{
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, message},
};

in_every_world!(
    a_renamed_step_is_found_and_named,
    a_step_that_became_a_sleep_is_found,
    a_step_that_is_gone_is_found,
    a_step_that_was_inserted_is_found,
    a_wait_that_is_gone_is_found,
    a_return_before_the_end_of_the_history_is_found,
    a_blocked_run_keeps_its_caught_failures,
    an_operation_inside_a_step_body_blocks_the_run,
    a_foreign_await_blocks_the_run,
    a_foreign_await_beside_an_operation_blocks_the_run,
    a_blocked_run_can_be_cancelled,
);

type Body = fn(WorkflowCtx, Ledger) -> BoxFuture<'static, Result<u32>>;

/// A version of the workflow `flow`; all of them claim to be the same one.
fn version(ledger: &Ledger, body: Body) -> Workflow<u32, u32> {
    let ledger = ledger.clone();
    flow("flow", move |ctx, _: u32| body(ctx, ledger.clone()))
}

fn other() -> Workflow<u32, u32> {
    flow("other", |ctx, n: u32| async move {
        ctx.step("n", async || Ok::<_, StepError>(n)).await
    })
}

async fn open(world: &World, ledger: &Ledger, body: Body) -> App {
    let version = version(ledger, body);
    world
        .open(|it| it.register(version).register(other()))
        .await
}

/// A step that notes its name. One place for all, as in one program: places of two operations are
/// compared as well as their names.
fn note<'a>(
    ctx: &WorkflowCtx,
    ledger: &'a Ledger,
    name: &'static str,
) -> impl Future<Output = Result<u32>> + Send + use<'a> {
    ctx.step(name, move || {
        let noted = ledger.note(name);
        async move { Ok::<_, StepError>(noted) }
    })
}

fn go(ctx: &WorkflowCtx) -> impl Future<Output = Result<()>> + Send + use<> {
    ctx.wait_for_signal("go")
}

fn never(ctx: &WorkflowCtx) -> impl Future<Output = Result<u32>> + Send + use<> {
    ctx.wait_for_signal("never")
}

/// Reserves, waits for `go`, charges.
fn original(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
    Box::pin(async move {
        let reserved = note(&ctx, &ledger, "reserve").await?;
        go(&ctx).await?;
        Ok(reserved + note(&ctx, &ledger, "charge").await?)
    })
}

/// Brings a run of `original` to its wait, goes on with `changed`, and expects a diff that names
/// all of `words`. Then the old code is deployed again.
async fn diverges(world: World, changed: Body, words: &[&str]) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger, original).await;
    app.begin(&version(&ledger, original), 0, "a").await;
    app.waits_for("a", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<u32>("a").await, 2);
    app.begin(&version(&ledger, original), 0, "b").await;
    app.waits_for("b", "go").await;
    let before = ledger.all();
    app.crash().await;

    let app = open(&world, &ledger, changed).await;
    app.send("go", ()).await;
    let blocked = app.ended("b").await;
    assert_eq!(
        (blocked.status, code(&blocked)),
        (RunStatus::Blocked, Some("diverged"))
    );
    let diff = message(&blocked);
    for word in words {
        assert!(diff.contains(word), "no `{word}` in: {diff}");
    }
    assert_eq!(ledger.all(), before, "something was executed");
    let why = app.explain("b").await.unwrap();
    assert!(why.reason.starts_with("set aside: "), "{why:?}");
    assert!(why.wakes.contains("requeue"), "{why:?}");
    app.begin(&other(), 5, "other").await;
    assert_eq!(app.output::<u32>("other").await, 5);
    app.crash().await;

    let app = open(&world, &ledger, original).await;
    app.requeue("b").await.unwrap();
    assert_eq!(app.output::<u32>("b").await, 4);
    assert_eq!((ledger.count("reserve"), ledger.count("charge")), (2, 2));
}

async fn a_renamed_step_is_found_and_named(world: World) {
    fn changed(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            let booked = note(&ctx, &ledger, "book").await?;
            go(&ctx).await?;
            Ok(booked)
        })
    }
    let here = file!();
    let words = [
        "seq 0",
        "recorded step `reserve`",
        "asks for step `book`",
        here,
    ];
    diverges(world, changed, &words).await;
}

async fn a_step_that_became_a_sleep_is_found(world: World) {
    fn changed(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            ctx.sleep(Duration::from_millis(1)).await;
            Ok(ledger.note("after the sleep"))
        })
    }
    let words = ["seq 0", "recorded step `reserve`", "asks for sleep"];
    diverges(world, changed, &words).await;
}

async fn a_step_that_is_gone_is_found(world: World) {
    fn changed(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            go(&ctx).await?;
            Ok(ledger.note("charge"))
        })
    }
    let words = ["seq 0", "recorded step `reserve`", "asks for signal `go`"];
    diverges(world, changed, &words).await;
}

async fn a_step_that_was_inserted_is_found(world: World) {
    fn changed(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            note(&ctx, &ledger, "reserve").await?;
            note(&ctx, &ledger, "check").await?;
            go(&ctx).await?;
            Ok(0)
        })
    }
    let words = ["seq 1", "recorded signal `go`", "asks for step `check`"];
    diverges(world, changed, &words).await;
}

async fn a_wait_that_is_gone_is_found(world: World) {
    fn changed(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            note(&ctx, &ledger, "reserve").await?;
            note(&ctx, &ledger, "charge").await
        })
    }
    let words = ["seq 1", "recorded signal `go`", "asks for step `charge`"];
    diverges(world, changed, &words).await;
}

async fn a_return_before_the_end_of_the_history_is_found(world: World) {
    fn changed(_ctx: WorkflowCtx, _ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move { Ok(1) })
    }
    let words = ["seq 0", "recorded step `reserve`", "returns without asking"];
    diverges(world, changed, &words).await;
}

async fn a_blocked_run_keeps_its_caught_failures(world: World) {
    fn catches(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            let charge = ctx.step("charge", async || match ledger.note("charge") {
                1 => Err(StepError::fatal("declined", "no")),
                n => Ok(n),
            });
            let charged = charge.await.unwrap_or(0);
            let name = ["finish", "broken"][usize::from(ledger.count("is broken") > 0)];
            note(&ctx, &ledger, name).await?;
            go(&ctx).await?;
            Ok(charged)
        })
    }
    let ledger = Ledger::default();
    let app = open(&world, &ledger, catches).await;
    app.begin(&version(&ledger, catches), 0, "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let changed = ledger.clone();
    changed.note("is broken");
    let app = open(&world, &ledger, catches).await;
    app.send("go", ()).await;
    assert_eq!(app.ended("a").await.status, RunStatus::Blocked);
    app.crash().await;
    ledger.forget("is broken");
    let app = open(&world, &ledger, catches).await;
    app.requeue("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 0);
    assert_eq!((ledger.count("charge"), ledger.count("finish")), (1, 1));
}

/// A run of `broken` is blocked with `expected`, others are not, and `mended` finishes it.
async fn blocks(world: World, broken: Body, mended: Body, expected: &str, words: &[&str]) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger, broken).await;
    app.begin(&version(&ledger, broken), 0, "a").await;
    let blocked = app.ended("a").await;
    assert_eq!(
        (blocked.status, code(&blocked)),
        (RunStatus::Blocked, Some(expected))
    );
    for word in words {
        let text = message(&blocked);
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    app.begin(&other(), 5, "other").await;
    assert_eq!(app.output::<u32>("other").await, 5);
    assert_eq!(ledger.count("after"), 0, "it went on");
    app.crash().await;

    let app = open(&world, &ledger, mended).await;
    app.requeue("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 7);
    assert_eq!(ledger.count("before"), 1);
}

/// What the broken workflows should have been.
fn mended(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
    Box::pin(async move {
        note(&ctx, &ledger, "before").await?;
        ctx.step("inside", async || Ok::<_, StepError>(7)).await
    })
}

async fn an_operation_inside_a_step_body_blocks_the_run(world: World) {
    fn broken(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            note(&ctx, &ledger, "before").await?;
            let ctx = &ctx;
            let step = ctx.step("inside", async || {
                let _now = ctx.now();
                ctx.add_tag("never");
                ctx.step("nested", async || Ok::<_, StepError>(1)).await?;
                Ok::<_, StepError>(ledger.note("after"))
            });
            step.await
        })
    }
    let words = ["now", file!(), "inside a step body"];
    blocks(world, broken, mended, "nested_operation", &words).await;
}

async fn a_foreign_await_blocks_the_run(world: World) {
    fn broken(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            note(&ctx, &ledger, "before").await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(ledger.note("after"))
        })
    }
    let words = ["no operation", "after seq 0", "`ctx.step`"];
    blocks(world, broken, mended, "foreign_await", &words).await;
}

async fn a_foreign_await_beside_an_operation_blocks_the_run(world: World) {
    if world.evicts {
        // The run leaves memory before the foreign future moves it on; it keeps its wait.
        return;
    }
    fn broken(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            note(&ctx, &ledger, "before").await?;
            let foreign = async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let _now = ctx.now();
                note(&ctx, &ledger, "after").await
            };
            tokio::select! {
                biased;
                done = foreign => done,
                wait = never(&ctx) => wait,
            }
        })
    }
    fn mended(ctx: WorkflowCtx, ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(async move {
            note(&ctx, &ledger, "before").await?;
            tokio::select! {
                biased;
                wait = never(&ctx) => wait,
                () = ctx.sleep(Duration::ZERO) => Ok(7),
            }
        })
    }
    blocks(
        world,
        broken,
        mended,
        "foreign_await",
        &["no operation had ended"],
    )
    .await;
}

async fn a_blocked_run_can_be_cancelled(world: World) {
    fn broken(_ctx: WorkflowCtx, _ledger: Ledger) -> BoxFuture<'static, Result<u32>> {
        Box::pin(std::future::pending())
    }
    let ledger = Ledger::default();
    let app = open(&world, &ledger, broken).await;
    app.begin(&version(&ledger, broken), 0, "a").await;
    assert_eq!(app.ended("a").await.status, RunStatus::Blocked);
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
}
