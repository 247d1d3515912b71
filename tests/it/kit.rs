//! The test kit, used as an author of workflows would use it.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use axum_durable::{
    RunStatus, StepError, assert_status,
    durable::DurableBuilder,
    prelude::*,
    testing::{Scenario, TestDurable, TrialReport},
};
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::support::ledger::Ledger;

const DAY: Duration = Duration::from_secs(86_400);

#[step(name = "kit.charge", retries = 3)]
async fn charge(cents: u32, State(ledger): State<Ledger>, step: StepCtx) -> Result<u32, StepError> {
    ledger.note_keyed("charge", &step);
    Ok(cents)
}

/// A trial month: a step, a reminder each week, then a decision or its deadline, then a charge.
#[workflow(name = "kit.trial")]
async fn trial(ctx: &WorkflowCtx, user: String, State(ledger): State<Ledger>) -> Result<String> {
    let ledger = &ledger;
    let effect = |name: &'static str| {
        ctx.step(name, async move |step: StepCtx| {
            ledger.note_keyed(name, &step);
            Ok::<_, StepError>(1_u32)
        })
    };
    effect("welcome").retries(3).await?;
    for _ in 0..4 {
        ctx.sleep(7 * DAY).await;
        effect("remind").retries(2).await?;
    }
    let decision = ctx.wait_for_signal::<bool>(format!("decide:{user}"));
    let pays = match decision.timeout(3 * DAY).await {
        Ok(pays) => pays,
        Err(error) if error.is_timeout() => false,
        Err(error) => return Err(error),
    };
    if !ctx.switch("pays", pays)? {
        return Ok("gone".to_owned());
    }
    let charge = ctx.remote(charge, 900);
    let (charged, label) = tokio::try_join!(charge, effect("label"))?;
    ctx.note("charged");
    Ok(format!("{charged} {label}"))
}

fn with(
    ledger: &Ledger,
) -> impl Fn(DurableBuilder) -> DurableBuilder + Send + Sync + 'static + use<> {
    let ledger = ledger.clone();
    move |builder| {
        let builder = builder.only_registered().register(trial).register(charge);
        builder.provide(ledger.clone())
    }
}

#[tokio::test]
async fn an_output_is_read_by_id_and_its_want_is_explained() {
    let app = TestDurable::with(with(&Ledger::default())).await.unwrap();
    app.start(trial, "ada".to_owned()).id("ada").await.unwrap();
    let early = AssertUnwindSafe(app.output::<String>("ada"));
    let panic = early.catch_unwind().await.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("run `ada` is suspended"), "{text}");
    app.finish("ada").await;
    assert_eq!(app.output::<String>("ada").await, "gone");
}

#[tokio::test]
async fn a_month_takes_no_time() {
    let ledger = Ledger::default();
    let app = TestDurable::with(with(&ledger)).await.unwrap();
    let begun = Instant::now();
    let ended = app.run(trial, "ada".to_owned()).await.unwrap();
    assert_eq!(ended, "gone");
    let took = begun.elapsed();
    // Milliseconds, where nothing else keeps the processors busy.
    assert!(took < Duration::from_secs(60), "31 days took {took:?}");
    assert_eq!(ledger.all().len(), 5, "{:?}", ledger.all());
}

#[tokio::test]
async fn time_goes_by_as_the_test_says() {
    let ledger = Ledger::default();
    let mut app = TestDurable::with(with(&ledger)).await.unwrap();
    let busy = || StepError::retryable("busy", "the mail server is busy");
    app.fail_times("welcome", 2, busy());
    app.start(trial, "ada".to_owned()).id("a").await.unwrap();
    app.settle().await;
    assert_eq!(app.attempts("welcome"), 1);
    assert_status!(app, "a", RunStatus::Suspended);
    app.advance(DAY).await;
    assert_eq!(app.attempts("welcome"), 3);
    assert_eq!(app.recorded_steps("a").await, ["welcome"]);
    app.advance(14 * DAY).await;
    assert_eq!(
        app.recorded_steps("a").await,
        ["welcome", "remind", "remind"]
    );
    app.crash().await.unwrap();
    app.advance(14 * DAY).await;
    let why = app.explanation("a").await;
    assert!(why.contains("waiting for signal `decide:ada`"), "{why}");
    app.fail_once("label", busy());
    app.send("decide:ada", true).await.unwrap();
    assert_status!(app, "a", RunStatus::Failed);
    let failure = app.get_run("a").await.unwrap().unwrap().failure.unwrap();
    assert_eq!(failure.code.as_deref(), Some("busy"));
    app.requeue("a").await.unwrap();
    assert_status!(app, "a", RunStatus::Completed);
    let steps = app.recorded_steps("a").await;
    assert_eq!(steps.len(), 7, "{steps:?}");
    assert_eq!(ledger.all().len(), 7, "{:?}", ledger.all());
}

#[tokio::test]
async fn time_passes_timers_in_order() {
    let days = Workflow::new("days", 1, |ctx, ()| {
        Box::pin(async move {
            let begun = ctx.now();
            let mut days = Vec::new();
            for _ in 0..5 {
                ctx.sleep(DAY).await;
                days.push(ctx.now().since(begun).as_secs() / 86_400);
            }
            Ok(days)
        })
    });
    let register = days.clone();
    let app = TestDurable::with(move |it| it.only_registered().register(register.clone()))
        .await
        .unwrap();
    let run = app.start(&days, ()).await.unwrap();
    app.advance(30 * DAY).await;
    assert_eq!(run.result().await.unwrap(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_run_that_cannot_end_says_what_is_missing() {
    let waits = Workflow::new("waits", 1, |ctx, ()| {
        Box::pin(async move { ctx.wait_for_signal::<()>("never").await })
    });
    let test = async move {
        let register = waits.clone();
        let app = TestDurable::with(move |it| it.only_registered().register(register.clone()))
            .await
            .unwrap();
        app.run(&waits, ()).await
    };
    let text = panic_of(test).await;
    assert!(text.contains("waiting for signal `never`"), "{text}");
}

/// The text of the panic that a future must end with.
async fn panic_of<T: std::fmt::Debug>(future: impl Future<Output = T>) -> String {
    let panic = AssertUnwindSafe(future).catch_unwind().await.unwrap_err();
    *panic.downcast::<String>().unwrap()
}

fn scenario(decides: bool) -> Scenario {
    let scenario = Scenario::of(trial, "ada".to_owned()).with_fresh(|| with(&Ledger::default()));
    if decides {
        scenario.signal("decide:ada", true)
    } else {
        scenario
    }
}

fn check(report: &TrialReport, output: &str) {
    assert_eq!(report.status, RunStatus::Completed);
    let text: Option<String> = report.output().unwrap();
    assert_eq!(text.as_deref(), Some(output));
}

#[tokio::test]
async fn a_sound_workflow_survives_a_crash_at_every_commit() {
    let report = scenario(true).crash_everywhere().await;
    check(&report, "900 1");
    assert!(report.crashes > 40, "only {} crashes", report.crashes);
    check(&scenario(false).crash_everywhere().await, "gone");
}

#[tokio::test]
async fn a_sound_workflow_survives_random_trouble() {
    let report = scenario(true).simulate(0..25).await;
    check(&report, "900 1");
    assert!(report.crashes > 10, "only {} crashes", report.crashes);
}

/// A workflow whose code depends on how often it was called, but not on what it recorded.
fn forgetful() -> Scenario {
    let calls = Arc::new(AtomicU32::new(0));
    let flow = Workflow::from_body("forgetful", 1, move |ctx, ()| {
        let calls = Arc::clone(&calls);
        Box::pin(async move {
            let call = calls.fetch_add(1, SeqCst);
            ctx.step("once", async || Ok::<_, StepError>(())).await?;
            ctx.sleep(DAY).await;
            Ok(call)
        })
    });
    Scenario::of(flow, ()).with(DurableBuilder::only_registered)
}

#[tokio::test]
async fn a_workflow_that_does_not_replay_is_found() {
    let text = panic_of(async { forgetful().crash_everywhere().await }).await;
    assert!(
        text.starts_with("crash before commit 0: the run ended as"),
        "{text}"
    );
    let text = panic_of(async { forgetful().simulate(7..20).await }).await;
    assert!(text.starts_with("seed 7: the run ended as"), "{text}");
    let report = forgetful().ignoring_output().crash_everywhere().await;
    assert!(report.crashes > 4);
}
