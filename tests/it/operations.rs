//! Each operation of a workflow, across crashes and replays.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    model::{CheckpointStatus, RunQuery},
    prelude::*,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::support::{
    ledger::Ledger,
    world::{World, flow, in_every_world, soon},
};

in_every_world!(
    spawned_steps_run_on_tasks_of_their_own,
    a_dropped_step_is_dropped_at_once_and_stays_dropped,
    a_sleep_ends_on_time_across_restarts,
    captured_values_stay_the_same_on_replay,
    published_values_and_tags_are_read_from_outside,
    a_workflow_knows_its_run_and_whether_it_replays,
);

const MINUTE: Duration = Duration::from_secs(60);

/// Tells when it is dropped.
struct Tell(Arc<Notify>);

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn spawned_steps_run_on_tasks_of_their_own(world: World) {
    let tasks = || {
        flow("tasks", |ctx, ()| async move {
            let task = async || Ok::<_, StepError>(tokio::task::id().to_string());
            let own = ctx.step("own", task).await?;
            let (a, b) = tokio::try_join!(
                ctx.step("a", task).spawn(),
                ctx.step("b", async || Ok::<_, StepError>(
                    tokio::task::id().to_string()
                ))
                .spawn(),
            )?;
            let panics = ctx
                .step("c", async || Err::<(), _>(StepError::fatal("c", "d")))
                .spawn();
            let code = panics.await.unwrap_err().code().map(str::to_owned);
            Ok((own != a && own != b && a != b, code))
        })
    };
    let app = world.open(move |it| it.register(tasks())).await;
    app.begin(&tasks(), (), "a").await;
    let (differ, code) = app.output::<(bool, Option<String>)>("a").await;
    assert!(differ);
    assert_eq!(code.as_deref(), Some("c"));
}

async fn a_dropped_step_is_dropped_at_once_and_stays_dropped(world: World) {
    let (ledger, dropped) = (Ledger::default(), Arc::new(Notify::new()));
    let race = {
        let (ledger, dropped) = (ledger.clone(), Arc::clone(&dropped));
        flow("race", move |ctx, ()| {
            let (ledger, dropped) = (ledger.clone(), Arc::clone(&dropped));
            async move {
                let endless = || {
                    let tell = Tell(Arc::clone(&dropped));
                    ledger.note("endless");
                    async move {
                        let _tell = tell;
                        std::future::pending::<Result<u32, StepError>>().await
                    }
                };
                let winner = tokio::select! {
                    biased;
                    value = ctx.step("endless", endless) => value?,
                    value = ctx.wait_for_signal::<u32>("win") => value?,
                };
                let (): () = ctx.wait_for_signal("go").await?;
                Ok(winner)
            }
        })
    };
    let register = race.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&race, (), "a").await;
    app.waits_for("a", "win").await;
    app.send("win", 3).await;
    soon("the end of the step", dropped.notified()).await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let register = race.clone();
    let app = world.open(|it| it.register(register)).await;
    app.send("go", ()).await;
    assert_eq!(app.output::<u32>("a").await, 3);
    assert_eq!(ledger.count("endless"), 1);
    let step = app.checkpoint("a", "endless").await;
    assert_eq!(step.status, CheckpointStatus::Abandoned);
}

async fn a_sleep_ends_on_time_across_restarts(world: World) {
    let naps = || {
        flow("naps", |ctx, ()| async move {
            let begun = ctx.now();
            ctx.sleep(MINUTE).await;
            ctx.sleep_until(begun).await;
            ctx.sleep_until(begun + 3 * MINUTE).await;
            Ok(ctx.now().since(begun).as_secs())
        })
    };
    let app = world.open(move |it| it.register(naps())).await;
    app.begin(&naps(), (), "a").await;
    app.until("a", |now| !now.waiting_for.is_empty()).await;
    world.clock.advance(MINUTE / 2);
    app.crash().await;
    let app = world.open(move |it| it.register(naps())).await;
    let why = app.until("a", |now| now.reason.contains("30s")).await;
    assert_eq!(why.reason, "asleep for another 30s");
    world.clock.advance(MINUTE / 2);
    app.until("a", |now| now.waiting_for.iter().any(|it| it.seq.0 == 3))
        .await;
    app.crash().await;
    // Nobody was there when its time came.
    world.clock.advance(5 * MINUTE);
    let app = world.open(move |it| it.register(naps())).await;
    assert_eq!(app.output::<u64>("a").await, 6 * 60);
}

async fn captured_values_stay_the_same_on_replay(world: World) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let captures = {
        let seen = Arc::clone(&seen);
        flow("captures", move |ctx, ()| {
            let seen = Arc::clone(&seen);
            async move {
                let values = (
                    ctx.now(),
                    ctx.uuid(),
                    ctx.random::<u64>(),
                    ctx.random::<f64>(),
                );
                let flag = ctx.side_effect("flag", rand::random::<u32>)?;
                let other = ctx.uuid();
                assert_ne!(values.1, other);
                seen.lock().push(format!("{values:?} {flag} {other}"));
                let (): () = ctx.wait_for_signal("go").await?;
                Ok(())
            }
        })
    };
    for run in ["a", "b"] {
        let register = captures.clone();
        let app = world.open(|it| it.register(register)).await;
        app.begin(&captures, (), run).await;
        app.waits_for(run, "go").await;
        app.crash().await;
        world.clock.advance(MINUTE);
        let register = captures.clone();
        let app = world.open(|it| it.register(register)).await;
        app.send("go", ()).await;
        app.output::<()>(run).await;
        app.stop().await;
        let seen = std::mem::take(&mut *seen.lock());
        assert!(seen.len() >= 2, "it was not replayed");
        assert!(seen.iter().all(|it| *it == seen[0]), "{seen:?}");
    }
}

async fn published_values_and_tags_are_read_from_outside(world: World) {
    let progress = || {
        flow("progress", |ctx, ()| async move {
            ctx.set_event("percent", &10)?;
            ctx.add_tag("begun");
            let (): () = ctx.wait_for_signal("go").await?;
            ctx.set_event("percent", &100)?;
            ctx.set_event("note", "done")?;
            Ok(())
        })
    };
    let app = world.open(move |it| it.register(progress())).await;
    let start = app.start(progress(), ()).id("a").tag("web").into_future();
    soon("the start", app.run(start)).await.unwrap();
    app.waits_for("a", "go").await;
    assert_eq!(app.get_event("a", "percent").await.unwrap(), Some(10));
    app.crash().await;
    let app = world.open(move |it| it.register(progress())).await;
    assert_eq!(app.get_event("a", "percent").await.unwrap(), Some(10));
    app.send("go", ()).await;
    app.output::<()>("a").await;
    assert_eq!(app.get_event("a", "percent").await.unwrap(), Some(100));
    let note: Option<String> = app.get_event("a", "note").await.unwrap();
    assert_eq!(note.as_deref(), Some("done"));
    assert_eq!(app.get_event::<u32>("a", "nothing").await.unwrap(), None);
    for (tag, count) in [("web", 1), ("begun", 1), ("other", 0)] {
        let mut query = RunQuery::default();
        query.tag = Some(tag.into());
        assert_eq!(
            app.list_runs(&query).await.unwrap().runs.len(),
            count,
            "{tag}"
        );
    }
}

async fn a_workflow_knows_its_run_and_whether_it_replays(world: World) {
    let seen: Arc<Mutex<Vec<(bool, bool)>>> = Arc::default();
    let aware = {
        let seen = Arc::clone(&seen);
        flow("aware", move |ctx, ()| {
            let seen = Arc::clone(&seen);
            async move {
                assert_eq!(ctx.workflow().to_string(), "aware@1");
                let before = ctx.is_replaying();
                let run = ctx.run_id().to_string();
                let run = ctx
                    .step("run", async || Ok::<_, StepError>(run.clone()))
                    .await?;
                let (): () = ctx.wait_for_signal("go").await?;
                seen.lock().push((before, ctx.is_replaying()));
                ctx.sleep(MINUTE).await;
                Ok((run, ctx.attempt()))
            }
        })
    };
    let register = aware.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&aware, (), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let register = aware.clone();
    let app = world.open(|it| it.register(register)).await;
    app.send("go", ()).await;
    app.until("a", |now| now.waiting_for.iter().any(|it| it.seq.0 == 2))
        .await;
    assert_eq!(seen.lock().first(), Some(&(true, false)));
    world.clock.advance(MINUTE);
    let (run, attempt) = app.output::<(String, u32)>("a").await;
    assert_eq!((run.as_str(), attempt), ("a", 1));
}
