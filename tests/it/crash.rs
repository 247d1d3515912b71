//! A process may die at any commit: before it is written, or before it learns that it was.

use std::{collections::BTreeMap, time::Duration};

use axum_durable::{
    RunStatus,
    durable::DurableBuilder,
    model::{CheckpointStatus, SignalId},
    prelude::*,
    workflow::States,
};

use crate::support::{
    ledger::Ledger,
    probes::{Death, Fuse},
    turbo::Turbo,
    world::{App, World, flow, soon},
};

/// The effects of an order that was approved.
const EFFECTS: [&str; 6] = ["reserve", "charge", "label", "email", "stamp", "finish"];

const RUN: &str = "order-7";

/// The handler of the remote step. Its first attempt fails.
fn charge(
    cents: u32,
    states: States,
    step: StepCtx,
) -> axum_durable::workflow::BoxFuture<'static, Result<u32, StepError>> {
    Box::pin(async move {
        let ledger = states.get::<Ledger>().unwrap();
        ledger.note_keyed(&format!("charge#{}", step.attempt()), &step);
        if step.attempt() == 1 {
            return Err(StepError::retryable("busy", "the provider is busy"));
        }
        ledger.note_keyed("charge", &step);
        Ok(cents)
    })
}

/// An order from reservation to receipt: every kind of operation that may be cut short.
fn checkout(ledger: &Ledger) -> Workflow<u32, u32> {
    let ledger = ledger.clone();
    flow("checkout", move |ctx, order: u32| {
        let ledger = ledger.clone();
        async move {
            let effect = |name: &'static str| {
                let ledger = ledger.clone();
                ctx.step(name, move |step: StepCtx| {
                    ledger.note_keyed(name, &step);
                    async { Ok::<_, StepError>(1_u32) }
                })
            };
            let reserved = effect("reserve").await?;
            let stamp = ctx.uuid();
            let token = format!("approve:{order}");
            let wait = ctx.wait_for_signal::<bool>(token);
            let approved = wait.timeout(Duration::from_secs(3_600)).await?;
            let charge = Step::new("charge", charge);
            let charged: u32 = ctx.remote(&charge, 5).retries(3).await?;
            let (label, email) = tokio::try_join!(effect("label"), effect("email").spawn())?;
            ctx.sleep(Duration::from_millis(300)).await;
            ctx.set_event("stamp", &stamp)?;
            let stamped = effect("stamp").retries(2).await?;
            let finished = effect("finish").await?;
            Ok(reserved + u32::from(approved) + charged + label + email + stamped + finished)
        }
    })
}

fn shop(ledger: &Ledger) -> impl Fn(DurableBuilder) -> DurableBuilder + Send + Clone + 'static {
    let ledger = ledger.clone();
    move |builder| {
        let charge = Step::new("charge", charge);
        let builder = builder.register(checkout(&ledger)).register(charge);
        builder.provide(ledger.clone())
    }
}

/// What a client does: it repeats whatever it has got no answer to.
async fn place(app: &App, ledger: &Ledger, signal: SignalId) {
    app.begin(&checkout(ledger), 7, RUN).await;
    let sent = app.signal_once(signal, "approve:7", true);
    soon("the signal", sent).await.unwrap();
    assert_eq!(app.output::<u32>(RUN).await, 11);
}

/// What is stored of the order: its completed steps. Whatever is not finished has a reason.
async fn completed(world: &World, ledger: &Ledger) -> Vec<String> {
    let add = shop(ledger);
    let api = world.open(move |it| add(it).drive(false)).await;
    if api.get_run(RUN).await.unwrap().is_none() {
        return Vec::new();
    }
    let why = api.explain(RUN).await.unwrap();
    if !why.status.is_terminal() {
        assert!(!why.reason.is_empty() && !why.wakes.is_empty(), "{why:?}");
        let is_alone = why.status == RunStatus::Suspended && why.waiting_for.is_empty();
        assert!(!is_alone, "suspended without a reason: {why:?}");
    }
    let history = api.record(RUN).await.history;
    let steps = history.iter().filter(|it| it.status.is_released());
    steps
        .map(|it| format!("{} {RUN}:{}", it.name, it.seq))
        .collect()
}

/// Nothing is left open and each effect happened under one key, at most once per life.
async fn check_end(app: &App, ledger: &Ledger, lives: u32, why: &str) {
    let record = app.record(RUN).await;
    assert!(record.inbox.is_empty(), "{:?}; {why}", record.inbox);
    for checkpoint in &record.history {
        assert_eq!(
            checkpoint.status,
            CheckpointStatus::Completed,
            "{checkpoint:?}; {why}"
        );
    }
    let mut keys: BTreeMap<String, u32> = BTreeMap::new();
    for (effect, executions) in ledger.all() {
        assert!(
            executions <= lives,
            "{effect} happened {executions} times; {why}"
        );
        let name = effect.split(' ').next().unwrap_or_default();
        *keys.entry(name.to_owned()).or_default() += 1;
    }
    for effect in EFFECTS {
        assert_eq!(keys.get(effect), Some(&1), "{effect}; {why}; {keys:?}");
    }
}

/// Kills the process at commit `at`; `false` if the order was done before.
async fn crash_at(world: &World, at: u64, death: Death) -> bool {
    let why = format!("death at commit {at}, {death:?}");
    let ledger = Ledger::default();
    let signal = SignalId::generate();
    let fuse = Fuse::new(at, death);
    let app = world.open_probed(fuse.clone(), shop(&ledger)).await;
    let died = tokio::select! {
        () = fuse.died() => true,
        () = place(&app, &ledger, signal) => false,
    };
    app.crash().await;
    let done = completed(world, &ledger).await;
    let before = ledger.all();

    let app = world.open(shop(&ledger)).await;
    place(&app, &ledger, signal).await;
    for step in done {
        let (then, now) = (before.get(&step), ledger.all().get(&step).copied());
        assert_eq!(then.copied(), now, "{step} was done and ran again; {why}");
    }
    check_end(&app, &ledger, 1 + u32::from(died), &why).await;
    app.stop().await;
    died
}

async fn crash_everywhere(world: impl Fn() -> World) {
    for death in [Death::Before, Death::After] {
        let mut at = 0;
        while crash_at(&world(), at, death).await {
            at += 1;
        }
        // The start, the signal and one commit for each time that the run stands still.
        assert!(at >= 8, "only {at} commits");
    }
}

#[tokio::test]
async fn an_order_survives_a_crash_at_every_commit_on_memory() {
    crash_everywhere(|| World::memory_by(Turbo::default())).await;
}

#[tokio::test]
async fn an_order_survives_a_crash_at_every_commit_on_memory_with_replay_at_every_wait() {
    crash_everywhere(|| World::memory_by(Turbo::default()).evicting()).await;
}

#[tokio::test]
async fn an_order_survives_a_crash_at_every_commit_on_sqlite() {
    crash_everywhere(|| World::sqlite_by(Turbo::default())).await;
}

#[tokio::test]
async fn an_order_survives_a_crash_at_every_commit_on_sqlite_with_replay_at_every_wait() {
    crash_everywhere(|| World::sqlite_by(Turbo::default()).evicting()).await;
}

/// Each life ends after its fourth commit. The first three may be the repeated start, the repeated
/// signal, and the note that the run waits; the fourth one brings the run on.
async fn die_again_and_again(world: World) {
    let ledger = Ledger::default();
    let signal = SignalId::generate();
    let mut lives = 0;
    loop {
        lives += 1;
        assert!(lives < 60, "the order does not get on");
        let fuse = Fuse::new(3, Death::After);
        let app = world.open_probed(fuse.clone(), shop(&ledger)).await;
        let died = tokio::select! {
            () = fuse.died() => true,
            () = place(&app, &ledger, signal) => false,
        };
        if !died {
            check_end(&app, &ledger, lives, "many deaths").await;
            break;
        }
        app.crash().await;
        completed(&world, &ledger).await;
    }
    assert!(lives > 2, "only {lives} lives");
}

#[tokio::test]
async fn an_order_gets_on_through_many_crashes_on_memory() {
    die_again_and_again(World::memory_by(Turbo::default())).await;
}

#[tokio::test]
async fn an_order_gets_on_through_many_crashes_on_sqlite() {
    die_again_and_again(World::sqlite_by(Turbo::default())).await;
}
