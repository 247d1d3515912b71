//! Updates: each is applied once, answered once, and refused without a trace.

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    durable::Error,
    model::{CheckpointKind, Failure},
    prelude::*,
};
use parking_lot::Mutex;

use crate::support::{
    ledger::Ledger,
    probes::{Death, Fuse},
    turbo::Turbo,
    world::{App, World, code, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    an_update_is_answered_by_the_workflow,
    an_update_works_from_another_instance_and_across_a_crash,
    a_refused_update_leaves_no_trace,
    refused_updates_do_not_make_the_wait_longer,
    the_same_update_twice_is_applied_once_and_answered_alike,
    an_update_may_fail_and_the_workflow_goes_on,
    an_update_that_nobody_takes_says_so,
    updates_are_taken_one_by_one_in_their_order,
    an_update_reaches_a_requeued_run,
);

on_every_server!(
    an_update_is_answered_by_the_workflow,
    an_update_works_from_another_instance_and_across_a_crash,
    a_refused_update_leaves_no_trace,
    refused_updates_do_not_make_the_wait_longer,
    the_same_update_twice_is_applied_once_and_answered_alike,
    an_update_may_fail_and_the_workflow_goes_on,
    an_update_that_nobody_takes_says_so,
    updates_are_taken_one_by_one_in_their_order,
    an_update_reaches_a_requeued_run,
);

const MINUTE: Duration = Duration::from_secs(60);

/// Adds up numbers by update until one is 0. Odd ones are refused, 13 would panic, 4 fails.
fn adder(ledger: &Ledger) -> Workflow<(), u32> {
    let ledger = ledger.clone();
    flow("adder", move |ctx, ()| {
        let ledger = ledger.clone();
        async move {
            let mut sum = 0;
            loop {
                let update = ctx.on_update::<u32, u32>("add").validate(|n| match n {
                    13 => panic!("unlucky"),
                    n if n % 2 == 1 => Err(format!("{n} is odd")),
                    _ => Ok(()),
                });
                let update = match update.timeout(MINUTE).await {
                    Ok(update) => update,
                    Err(error) if error.is_timeout() => return Ok(sum),
                    Err(error) => return Err(error),
                };
                let number = *update.args();
                if number == 4 {
                    update.fail(StepError::fatal("four", "not four").with_details(&4))?;
                    continue;
                }
                sum += number;
                let added = async || Ok::<_, StepError>(ledger.note(format!("add {number}")));
                ctx.step("add", added).await?;
                update.reply(&sum)?;
                if number == 0 {
                    return Ok(sum);
                }
            }
        }
    })
}

async fn open(world: &World, ledger: &Ledger) -> App {
    let workflow = adder(ledger);
    world.open(|it| it.register(workflow)).await
}

async fn add(app: &App, number: u32) -> Result<u32, Error> {
    soon("the answer", app.update::<_, u32>("a", "add", number)).await
}

async fn an_update_is_answered_by_the_workflow(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&adder(&ledger), (), "a").await;
    let now = app.waits_for("a", "add").await;
    assert!(now.reason.contains("waiting for update `add`"), "{now:?}");
    assert_eq!(add(&app, 2).await.unwrap(), 2);
    assert_eq!(add(&app, 6).await.unwrap(), 8);
    assert_eq!(add(&app, 0).await.unwrap(), 8);
    assert_eq!(app.output::<u32>("a").await, 8);
    let late = add(&app, 2).await.unwrap_err();
    assert!(late.to_string().contains("completed"), "{late}");
    let unknown = app.update::<_, u32>("none", "add", 2).await.unwrap_err();
    assert!(unknown.is_not_found(), "{unknown}");
}

async fn an_update_works_from_another_instance_and_across_a_crash(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&adder(&ledger), (), "a").await;
    app.waits_for("a", "add").await;
    app.crash().await;
    // Sent while no process executes the run.
    let api = world.api().await;
    let sent = api.run(api.update::<_, u32>("a", "add", 2).into_future());
    let served = async {
        let app = open(&world, &ledger).await;
        app.until("a", |now| now.waiting_for.iter().any(|it| it.seq.0 > 0))
            .await;
        app
    };
    let (answer, app) = tokio::join!(sent, served);
    assert_eq!(answer.unwrap(), 2);
    app.crash().await;
    let app = open(&world, &ledger).await;
    assert_eq!(add(&app, 0).await.unwrap(), 2);
    assert_eq!(ledger.count("add 2"), 1);
}

async fn a_refused_update_leaves_no_trace(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&adder(&ledger), (), "a").await;
    app.waits_for("a", "add").await;
    for (number, why) in [
        (3, "update `add` is refused: 3 is odd"),
        (13, "update `add` is refused: the validator panicked"),
        (5, "update `add` is refused: 5 is odd"),
    ] {
        let refused = add(&app, number).await.unwrap_err();
        assert_eq!(refused.to_string(), why);
    }
    let shape = app.update::<_, u32>("a", "add", "text").await.unwrap_err();
    assert!(shape.to_string().contains("shape"), "{shape}");
    assert_eq!(app.record("a").await.history.len(), 1);
    assert_eq!(add(&app, 0).await.unwrap(), 0);
    assert_eq!(app.output::<u32>("a").await, 0);
    let record = app.record("a").await;
    assert!(record.inbox.is_empty(), "{:?}", record.inbox);
    let kinds = record.history.iter().map(|it| it.kind);
    let expected = [
        CheckpointKind::Update,
        CheckpointKind::Step,
        CheckpointKind::Reply,
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

async fn refused_updates_do_not_make_the_wait_longer(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&adder(&ledger), (), "a").await;
    let before = app.waits_for("a", "add").await;
    world.clock.advance(MINUTE / 2);
    add(&app, 3).await.unwrap_err();
    let after = app.waits_for("a", "add").await;
    assert_eq!(before.waiting_for[0].until, after.waiting_for[0].until);
    world.clock.advance(MINUTE / 2);
    assert_eq!(app.output::<u32>("a").await, 0);
}

async fn the_same_update_twice_is_applied_once_and_answered_alike(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&adder(&ledger), (), "a").await;
    app.waits_for("a", "add").await;
    let send = |number: u32, id: &str| {
        let update = app.update::<_, u32>("a", "add", number).id(id);
        app.run(update.into_future())
    };
    let (one, two) = tokio::join!(send(2, "x"), send(2, "x"));
    assert_eq!((one.unwrap(), two.unwrap()), (2, 2));
    let refused = send(3, "y").await.unwrap_err().to_string();
    assert_eq!(send(3, "y").await.unwrap_err().to_string(), refused);
    assert_eq!(send(0, "z").await.unwrap(), 2);
    app.ended("a").await;
    // Also when the run has ended meanwhile.
    assert_eq!(send(2, "x").await.unwrap(), 2);
    assert_eq!(ledger.count("add 2"), 1);
}

async fn an_update_may_fail_and_the_workflow_goes_on(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&adder(&ledger), (), "a").await;
    let failed = add(&app, 4).await.unwrap_err();
    let Error::UpdateFailed { failure, .. } = failed else {
        panic!("{failed}");
    };
    let Failure { code, details, .. } = failure;
    assert_eq!((code.as_deref(), details), (Some("four"), Some(4.into())));
    assert_eq!(add(&app, 0).await.unwrap(), 0);
}

async fn an_update_that_nobody_takes_says_so(world: World) {
    let idle = || {
        flow("idle", |ctx, ()| async move {
            let (): () = ctx.wait_for_signal("go").await?;
            Err::<(), _>(WorkflowError::failed("over", "over"))
        })
    };
    let app = world.open(move |it| it.register(idle())).await;
    app.begin(&idle(), (), "a").await;
    app.waits_for("a", "go").await;
    let update = || app.update::<_, u32>("a", "add", 2).id("x");
    let early = update().within(Duration::from_millis(20)).await;
    let early = early.unwrap_err();
    assert!(matches!(early, Error::NoReply { .. }), "{early}");
    assert!(early.is_transient());
    let waits = app.run(update().into_future());
    app.send("go", ()).await;
    let ended = soon("the end", waits).await.unwrap_err();
    assert!(ended.to_string().contains("failed"), "{ended}");
    assert_eq!(code(&app.ended("a").await), Some("over"));
}

async fn updates_are_taken_one_by_one_in_their_order(world: World) {
    let seen = Arc::<Mutex<Vec<u32>>>::default();
    let list = {
        let seen = Arc::clone(&seen);
        flow("list", move |ctx, ()| {
            let seen = Arc::clone(&seen);
            async move {
                let (): () = ctx.wait_for_signal("go").await?;
                let mut all = Vec::new();
                while all.len() < 3 {
                    let update = ctx.on_update::<u32, usize>("add").await?;
                    all.push(*update.args());
                    update.reply(&all.len())?;
                }
                seen.lock().clone_from(&all);
                Ok(all)
            }
        })
    };
    let register = list.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&list, (), "a").await;
    app.waits_for("a", "go").await;
    for number in [7, 5, 6] {
        let early = app.update::<_, usize>("a", "add", number);
        let early = early.within(Duration::from_millis(20)).await;
        assert!(early.unwrap_err().is_transient());
    }
    app.send("go", ()).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [7, 5, 6]);
    assert_eq!(*seen.lock(), [7, 5, 6]);
}

async fn an_update_reaches_a_requeued_run(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&adder(&ledger), (), "a").await;
    assert_eq!(add(&app, 2).await.unwrap(), 2);
    app.waits_for("a", "add").await;
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    app.requeue("a").await.unwrap();
    assert_eq!(add(&app, 6).await.unwrap(), 8);
    assert_eq!(add(&app, 0).await.unwrap(), 8);
    assert_eq!(ledger.count("add 2"), 1);
}

/// What a client does that repeats whatever has got no answer: two updates that are applied, and
/// one that is refused.
async fn client(app: &App, workflow: &Workflow<(), u32>) {
    app.begin(workflow, (), "a").await;
    for (number, id) in [(2, "two"), (3, "three"), (0, "zero")] {
        let update = app.update::<_, u32>("a", "add", number).id(id);
        let answer = soon("the answer", app.run(update.into_future())).await;
        match answer {
            Ok(sum) => assert_eq!((sum, number % 2), (2, 0)),
            Err(error) => assert_eq!(error.to_string(), "update `add` is refused: 3 is odd"),
        }
    }
    assert_eq!(app.output::<u32>("a").await, 2);
}

/// Kills the process at commit `at`; `false` if all was done before.
async fn crash_at(world: &World, at: u64, death: Death) -> bool {
    let ledger = Ledger::default();
    let workflow = without_timeout(&ledger);
    let register = workflow.clone();
    let fuse = Fuse::new(at, death);
    let app = world
        .open_probed(fuse.clone(), move |it| it.register(register))
        .await;
    let died = tokio::select! {
        () = fuse.died() => true,
        () = client(&app, &workflow) => false,
    };
    app.crash().await;
    let register = workflow.clone();
    let app = world.open(move |it| it.register(register)).await;
    client(&app, &workflow).await;
    let record = app.record("a").await;
    let updates = record
        .history
        .iter()
        .filter(|it| it.kind == CheckpointKind::Update);
    assert_eq!(updates.count(), 2, "{death:?} at {at}");
    assert!(record.inbox.is_empty(), "{death:?} at {at}");
    app.stop().await;
    died
}

/// Like [`adder`], for a clock that runs on: it waits as long as it takes.
fn without_timeout(ledger: &Ledger) -> Workflow<(), u32> {
    let ledger = ledger.clone();
    flow("adder", move |ctx, ()| {
        let ledger = ledger.clone();
        async move {
            let mut sum = 0;
            loop {
                let update = ctx.on_update::<u32, u32>("add");
                let odd = |n: &u32| match n % 2 {
                    1 => Err(format!("{n} is odd")),
                    _ => Ok(()),
                };
                let update = update.validate(odd).await?;
                let number = *update.args();
                sum += number;
                let added = async || Ok::<_, StepError>(ledger.note("add"));
                ctx.step("add", added).await?;
                update.reply(&sum)?;
                if number == 0 {
                    return Ok(sum);
                }
            }
        }
    })
}

async fn crash_everywhere(world: impl Fn() -> World) {
    for death in [Death::Before, Death::After] {
        let mut at = 0;
        while crash_at(&world(), at, death).await {
            at += 1;
        }
        assert!(at >= 6, "only {at} commits");
    }
}

#[tokio::test]
async fn updates_survive_a_crash_at_every_commit_on_memory() {
    crash_everywhere(|| World::memory_by(Turbo::default())).await;
}

#[tokio::test]
async fn updates_survive_a_crash_at_every_commit_on_memory_with_replay_at_every_wait() {
    crash_everywhere(|| World::memory_by(Turbo::default()).evicting()).await;
}

#[tokio::test]
async fn updates_survive_a_crash_at_every_commit_on_sqlite() {
    crash_everywhere(|| World::sqlite_by(Turbo::default())).await;
}
