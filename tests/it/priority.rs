//! What is more urgent goes first, and relatives are as urgent as their run.

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    durable::Start,
    engine::EngineConfig,
    id::RunId,
    model::{DeadLetter, EventId, RunQuery},
    prelude::*,
};
use parking_lot::Mutex;

use crate::support::world::{App, World, flow, in_every_world, on_every_server, soon};

in_every_world!(
    what_waits_is_executed_by_its_priority,
    relatives_are_as_urgent_as_their_run,
    what_an_event_of_a_run_starts_is_as_urgent,
    a_letter_is_as_urgent_as_the_run_that_died,
);

on_every_server!(
    what_waits_is_executed_by_its_priority,
    relatives_are_as_urgent_as_their_run,
    a_letter_is_as_urgent_as_the_run_that_died,
);

/// Runs in the order in which they were executed.
type Order = Arc<Mutex<Vec<String>>>;

/// Notes which run it is.
fn noting(order: &Order) -> Workflow<(), ()> {
    let order = Arc::clone(order);
    flow("noting", move |ctx, ()| {
        let order = Arc::clone(&order);
        async move {
            let run = ctx.run_id().to_string();
            let note = ctx.step("note", async || {
                order.lock().push(run.clone());
                Ok::<_, StepError>(())
            });
            note.await
        }
    })
}

async fn begin<O: 'static>(app: &App, start: Start<O>) {
    soon("the start", app.run(start.into_future()))
        .await
        .unwrap();
}

async fn priority(app: &App, run: &str) -> i32 {
    app.record(run).await.run.priority
}

async fn what_waits_is_executed_by_its_priority(world: World) {
    let order = Order::default();
    let register = noting(&order);
    let api = world.open(|it| it.register(register).drive(false)).await;
    for (id, priority) in [
        ("less", -1),
        ("usual", 0),
        ("more", 1),
        ("also usual", 0),
        ("most", 9),
    ] {
        let start = api.start(noting(&order), ()).id(id).priority(priority);
        begin(&api, start).await;
        // Of one priority, the longest due goes first.
        world.clock.advance(Duration::from_millis(1));
    }
    // Memory for one at a time: the next one is chosen when there is room, and not at the next poll.
    let mut config = EngineConfig::default();
    config.evict_at_every_wait = world.evicts;
    config.max_resident_runs = 1;
    config.poll_interval = Duration::from_secs(3_600);
    let register = noting(&order);
    let app = world.open(|it| it.config(config).register(register)).await;
    let expected = ["most", "more", "usual", "also usual", "less"];
    for id in expected {
        app.output::<()>(id).await;
    }
    assert_eq!(*order.lock(), expected);
    // Nobody was changed by waiting.
    assert_eq!(priority(&app, "less").await, -1);
    assert_eq!(priority(&app, "usual").await, 0);
}

fn leaf() -> Workflow<u32, u32> {
    flow("leaf", |_ctx, n: u32| async move { Ok(n + 1) })
}

fn branch() -> Workflow<u32, u32> {
    flow("branch", |ctx, n: u32| async move {
        ctx.child(leaf(), n).id(format!("leaf {n}")).await
    })
}

/// Begins a run of runs, and continues as another one.
fn tree() -> Workflow<u32, u32> {
    flow("tree", |ctx, n: u32| async move {
        let own = ctx.child(branch(), n).id(format!("branch {n}")).await?;
        let told = ctx.child(branch(), 10 * n).id(format!("told {n}"));
        told.priority(-3).await?;
        let reset = ctx.child(leaf(), 100 * n).id(format!("reset {n}"));
        let reset = reset.priority(0).start().await?;
        ctx.join::<u32>(reset).await?;
        ctx.all(leaf(), vec![n]).await?;
        if own < 3 {
            ctx.continue_as_new(own).await?;
        }
        Ok(own)
    })
}

async fn relatives_are_as_urgent_as_their_run(world: World) {
    let app = world
        .open(|it| it.register(leaf()).register(branch()).register(tree()))
        .await;
    let start = app.start(tree(), 1).id("a").priority(7);
    begin(&app, start).await;
    assert_eq!(app.output_soon::<u32>("a~1").await, 3);
    for (run, expected) in [
        ("a", 7),
        ("branch 1", 7),
        ("leaf 1", 7),
        // One that was told otherwise, and its own child.
        ("told 1", -3),
        ("leaf 10", -3),
        ("reset 1", 0),
        // The successor and its children.
        ("a~1", 7),
        ("branch 2", 7),
        ("leaf 2", 7),
        ("told 2", -3),
    ] {
        assert_eq!(priority(&app, run).await, expected, "{run}");
    }
    let mut query = RunQuery::default();
    query.parent = Some(RunId::from_trusted("a"));
    let children = app.list_runs(&query).await.unwrap().runs;
    let mut children: Vec<_> = children.iter().map(|it| it.priority).collect();
    children.sort_unstable();
    assert_eq!(children, [-3, 0, 7, 7]);
    soon("the fork", app.fork("a~1").id("f")).await.unwrap();
    assert_eq!(priority(&app, "f").await, 7);
    let call = app.signal_with_start(leaf(), 1).id("s").priority(2);
    soon("the start", call.signal_run("go", 1)).await.unwrap();
    assert_eq!(priority(&app, "s").await, 2);
}

#[workflow(on_event = "ordered")]
async fn pack(_ctx: &WorkflowCtx, order: u32) -> Result<u32> {
    Ok(order)
}

fn orders() -> Workflow<u32, ()> {
    flow("orders", |ctx, n: u32| async move {
        ctx.emit("ordered", &n)?;
        Ok(())
    })
}

async fn what_an_event_of_a_run_starts_is_as_urgent(world: World) {
    let app = world.open(|it| it.register(pack).register(orders())).await;
    let start = app.start(orders(), 1).id("a").priority(4);
    begin(&app, start.namespace("eu")).await;
    app.output::<()>("a").await;
    let mut query = RunQuery::default();
    query.workflow = Some("pack".into());
    let started = app.list_runs(&query).await.unwrap().runs;
    let places = started.iter().map(|it| (&*it.namespace, it.priority));
    let places: Vec<_> = places.collect();
    assert_eq!(places, [("eu", 4)]);
    // From outside, nothing is known of it.
    let published = app.publish_event("ordered", &2).id("two");
    soon("the event", published).await.unwrap();
    let run = format!("evt:{}:pack", EventId::named("ordered", "two").0);
    assert_eq!(priority(&app, &run).await, 0);
}

fn hopeless() -> Workflow<u32, u32> {
    flow("hopeless", |ctx, _: u32| async move {
        assert!(ctx.now().as_millis() < 0, "no hope");
        Ok(1)
    })
}

fn undertaker() -> Workflow<DeadLetter, ()> {
    flow("undertaker", |_ctx, _: DeadLetter| async move { Ok(()) })
}

async fn a_letter_is_as_urgent_as_the_run_that_died(world: World) {
    let app = world
        .open(|it| {
            let it = it.register(hopeless()).register(undertaker());
            it.dead_letter(undertaker()).max_recovery_attempts(0)
        })
        .await;
    let start = app.start(hopeless(), 1).id("a").priority(-6);
    begin(&app, start).await;
    let dead = app.ended("a").await;
    assert_eq!(dead.status, RunStatus::Dead);
    let letter = DeadLetter::id_of(&dead);
    assert_eq!(priority(&app, letter.as_str()).await, -6);
}
