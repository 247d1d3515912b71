//! Attempts of steps, local and remote: counted, spaced out and cut off, across crashes.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    durable::BuildError,
    model::{CheckpointStatus, StepEventKind},
    prelude::*,
    workflow::{BoxFuture, StateNeed, States, StepPolicy},
};
use tokio::sync::Notify;

use crate::support::{
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, message, soon},
};

in_every_world!(
    attempts_and_their_waits_outlive_a_crash,
    waits_between_attempts_double_up_to_their_cap,
    a_fatal_failure_ends_the_attempts,
    an_attempt_that_takes_too_long_is_dropped_and_retried,
    a_remote_step_is_retried_and_gets_its_state,
    a_remote_step_that_nobody_knows_fails_its_attempts,
    a_remote_step_that_takes_too_long_is_sent_again,
    what_a_step_reports_stays_with_its_checkpoint,
);

const MINUTE: Duration = Duration::from_secs(60);

/// A step that fails until its ledger shows `succeeds` attempts.
fn stubborn(ledger: &Ledger, succeeds: u32, backoff: Backoff) -> Workflow<u32, u32> {
    let ledger = ledger.clone();
    flow("stubborn", move |ctx, retries: u32| {
        let ledger = ledger.clone();
        async move {
            let step = ctx.step("try", async |step: StepCtx| {
                let times = ledger.note_keyed("try", &step);
                assert_eq!(times, step.attempt(), "attempts are counted without gaps");
                if times < succeeds {
                    return Err(StepError::retryable("busy", format!("attempt {times}")));
                }
                Ok(times)
            });
            step.retries(retries).backoff(backoff).await
        }
    })
}

/// Waits until attempt `n` has failed, and says how long the wait for the next one is.
async fn failed_attempt(world: &World, app: &App, n: u32) -> Duration {
    let is_so = |now: &axum_durable::control::Explanation| {
        now.status == RunStatus::Suspended && now.waiting_for.iter().any(|it| it.attempt == n)
    };
    let now = app.until("a", is_so).await;
    let until = now.waiting_for[0].until.unwrap();
    until.since(axum_durable::time::Clock::now(&world.clock))
}

async fn attempts_and_their_waits_outlive_a_crash(world: World) {
    let ledger = Ledger::default();
    let backoff = Backoff::Fixed { every: MINUTE };
    let open = || {
        let register = stubborn(&ledger, 4, backoff);
        world.open(|it| it.register(register))
    };
    let mut app = open().await;
    app.begin(&stubborn(&ledger, 4, backoff), 5, "a").await;
    for n in 1..4 {
        let wait = failed_attempt(&world, &app, n).await;
        assert!(wait >= MINUTE / 2 && wait <= MINUTE, "{wait:?}");
        app.crash().await;
        world.clock.advance(wait - Duration::from_millis(1));
        app = open().await;
        assert_eq!(
            failed_attempt(&world, &app, n).await,
            Duration::from_millis(1)
        );
        assert_eq!(ledger.count("try a:0"), n);
        world.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(app.output::<u32>("a").await, 4);
    let step = app.checkpoint("a", "try").await;
    assert_eq!(
        (step.status, step.attempt),
        (CheckpointStatus::Completed, 4)
    );
}

async fn waits_between_attempts_double_up_to_their_cap(world: World) {
    let ledger = Ledger::default();
    let (first, cap) = (Duration::from_secs(10), Duration::from_secs(35));
    let backoff = Backoff::Exponential { first, cap };
    let flow = stubborn(&ledger, 99, backoff);
    let register = flow.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&flow, 5, "a").await;
    for (n, full) in [(1, 10), (2, 20), (3, 35), (4, 35)] {
        let full = Duration::from_secs(full);
        let wait = failed_attempt(&world, &app, n).await;
        assert!(
            wait >= full / 2 && wait <= full,
            "after attempt {n}: {wait:?}"
        );
        world.clock.advance(wait);
    }
    let failed = app.ended("a").await;
    assert_eq!(
        (failed.status, code(&failed)),
        (RunStatus::Failed, Some("busy"))
    );
    assert_eq!(message(&failed), "step `try` failed: attempt 5");
}

async fn a_fatal_failure_ends_the_attempts(world: World) {
    let ledger = Ledger::default();
    let declined = {
        let ledger = ledger.clone();
        flow("declined", move |ctx, ()| {
            let ledger = ledger.clone();
            async move {
                let step = ctx.step("charge", async || {
                    ledger.note("charge");
                    let error = StepError::fatal("declined", "card declined");
                    Err::<(), _>(error.with_details(&("issuer", 51)))
                });
                let error = step.retries(9).await.unwrap_err();
                assert_eq!(error.details(), Some(("issuer".to_owned(), 51)));
                let (): () = ctx.wait_for_signal("go").await?;
                Err::<(), _>(error)
            }
        })
    };
    let register = declined.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&declined, (), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let register = declined.clone();
    let app = world.open(|it| it.register(register)).await;
    app.send("go", ()).await;
    let failed = app.ended("a").await;
    assert_eq!(
        (failed.status, code(&failed)),
        (RunStatus::Failed, Some("declined"))
    );
    assert_eq!(ledger.count("charge"), 1);
}

/// Tells when it is dropped.
struct Tell(Arc<Notify>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn an_attempt_that_takes_too_long_is_dropped_and_retried(world: World) {
    let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, dropped) = (Arc::clone(&begun), Arc::clone(&dropped));
        flow("slow", move |ctx, ()| {
            let (begun, dropped) = (Arc::clone(&begun), Arc::clone(&dropped));
            async move {
                let step = ctx.step("slow", async |step: StepCtx| {
                    if step.attempt() == 1 {
                        let _tell = Tell(Arc::clone(&dropped));
                        begun.notify_one();
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, StepError>(step.attempt())
                });
                let backoff = Backoff::Fixed { every: MINUTE };
                step.retries(2).timeout(MINUTE).backoff(backoff).await
            }
        })
    };
    let register = slow.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&slow, (), "a").await;
    soon("the attempt", begun.notified()).await;
    world.clock.advance(MINUTE);
    soon("its end", dropped.notified()).await;
    let wait = failed_attempt(&world, &app, 1).await;
    let failure = app.checkpoint("a", "slow").await.failure.unwrap();
    assert!(failure.has_code("timeout"), "{failure:?}");
    world.clock.advance(wait);
    assert_eq!(app.output::<u32>("a").await, 2);
}

/// The handler of `remote`: fails its first attempt; never answers attempts of `silent` runs.
fn handle(n: u32, states: States, step: StepCtx) -> BoxFuture<'static, Result<u32, StepError>> {
    Box::pin(async move {
        let ledger: Ledger = states.get().unwrap();
        step.log(LogLevel::Info, format!("attempt {}", step.attempt()));
        if ledger.note_keyed("remote", &step) == 1 {
            if step.run_id().as_str() == "silent" {
                std::future::pending::<()>().await;
            }
            return Err(std::io::Error::other("reset by peer").into());
        }
        Ok(n * 2)
    })
}

fn remote() -> Step<u32, u32> {
    let policy = StepPolicy::from_words(3, Some("fixed 1m"), None);
    let needs: &[StateNeed] = const { &[StateNeed::of::<Ledger>()] };
    Step::new("remote", handle)
        .with_policy(policy)
        .with_needs(needs)
}

fn caller() -> Workflow<u32, u32> {
    flow("caller", |ctx, n: u32| async move {
        let call = ctx.remote(&remote(), n);
        match ctx.run_id().as_str() {
            "silent" => call.timeout(MINUTE).await,
            _ => call.await,
        }
    })
}

async fn a_remote_step_is_retried_and_gets_its_state(world: World) {
    let ledger = Ledger::default();
    let open = || {
        let ledger = ledger.clone();
        world.open(|it| it.register(caller()).register(remote()).provide(ledger))
    };
    let app = open().await;
    app.begin(&caller(), 21, "a").await;
    let wait = failed_attempt(&world, &app, 1).await;
    app.crash().await;
    world.clock.advance(wait);
    let app = open().await;
    assert_eq!(app.output::<u32>("a").await, 42);
    assert_eq!(ledger.count("remote a:0"), 2);
    let step = app.checkpoint("a", "remote").await;
    assert_eq!(step.attempt, 2);
    // A worker says when it has taken it, which tells the wait in a queue from the work.
    let taken = step.events.iter();
    let taken = taken.filter(|it| it.kind == StepEventKind::Taken);
    let taken: Vec<_> = taken.map(|it| (it.attempt, it.at)).collect();
    let [(1, first), (2, second)] = taken[..] else {
        panic!("{taken:?}");
    };
    assert!(step.started_at <= first && first < second);
}

#[tokio::test]
async fn an_engine_whose_step_needs_a_missing_state_is_not_built() {
    let builder = Durable::builder().store(axum_durable::MemoryStore::new());
    let refused = builder.register(remote()).only_registered().build().await;
    let Err(error @ BuildError::Registry(_)) = refused else {
        panic!("built");
    };
    let text = error.to_string();
    assert!(
        text.contains("Ledger") && text.contains("provide"),
        "{text}"
    );
}

async fn a_remote_step_that_nobody_knows_fails_its_attempts(world: World) {
    let ledger = Ledger::default();
    let app = world.open(|it| it.register(caller())).await;
    app.begin(&caller(), 4, "a").await;
    let wait = failed_attempt(&world, &app, 1).await;
    let failure = app.checkpoint("a", "remote").await.failure.unwrap();
    assert!(failure.has_code("unknown_step"), "{failure:?}");
    // A later build knows the step.
    app.crash().await;
    ledger.note("remote a:0");
    let known = ledger.clone();
    let app = world
        .open(|it| it.register(caller()).register(remote()).provide(known))
        .await;
    world.clock.advance(wait);
    assert_eq!(app.output::<u32>("a").await, 8);
}

async fn a_remote_step_that_takes_too_long_is_sent_again(world: World) {
    let ledger = Ledger::default();
    let known = ledger.clone();
    let app = world
        .open(|it| it.register(caller()).register(remote()).provide(known))
        .await;
    app.begin(&caller(), 5, "silent").await;
    app.waits_for("silent", "remote").await;
    world.clock.advance(MINUTE);
    let is_so = |now: &axum_durable::control::Explanation| now.status == RunStatus::Suspended;
    app.until("silent", is_so).await;
    let failure = app.checkpoint("silent", "remote").await.failure.unwrap();
    assert!(failure.has_code("timeout"), "{failure:?}");
    world.clock.advance(MINUTE);
    assert_eq!(app.output::<u32>("silent").await, 10);
}

async fn what_a_step_reports_stays_with_its_checkpoint(world: World) {
    let talkative = || {
        flow("talkative", |ctx, ()| async move {
            let step = ctx.step("talk", async |step: StepCtx| {
                step.log(LogLevel::Warn, "hello");
                let part = async || match step.attempt() {
                    1 => Err(StepError::retryable("x", "y")),
                    _ => Ok(7),
                };
                step.sub_process("part", part).await
            });
            step.retries(2)
                .backoff(Backoff::Fixed { every: MINUTE })
                .await
        })
    };
    let app = world.open(move |it| it.register(talkative())).await;
    app.begin(&talkative(), (), "a").await;
    let wait = failed_attempt(&world, &app, 1).await;
    world.clock.advance(wait);
    assert_eq!(app.output::<u32>("a").await, 7);
    let events = app.checkpoint("a", "talk").await.events;
    let told = events.iter().map(|event| {
        let text = match &event.kind {
            StepEventKind::Log { level, message } => format!("{level} {message}"),
            StepEventKind::Sub { name, status } => format!("{name} {status}"),
            other => format!("{other:?}"),
        };
        (event.attempt, text)
    });
    let told: Vec<_> = told.collect();
    let told: Vec<_> = told
        .iter()
        .map(|(attempt, text)| (*attempt, text.as_str()))
        .collect();
    let first = [(1, "warn hello"), (1, "part started"), (1, "part failed")];
    let second = [
        (2, "warn hello"),
        (2, "part started"),
        (2, "part completed"),
    ];
    assert_eq!(told, [first, second].concat());
}
