//! Breakpoints: a run stands until somebody lets it go on, and goes on once.

use std::{future::IntoFuture, time::Duration};

use axum_durable::{
    RunStatus, durable::Error, model::CheckpointKind, model::CheckpointStatus, prelude::*,
};
use tokio::join;

use crate::support::{
    crashes::everywhere,
    ledger::Ledger,
    world::{App, World, flow, in_every_world, on_every_server},
};

in_every_world!(
    a_run_stands_until_it_is_continued,
    a_run_that_stands_nowhere_is_not_continued,
    who_lets_a_run_go_on_is_in_its_log,
    breakpoints_side_by_side_are_passed_together,
    the_next_breakpoint_stops_again,
    a_breakpoint_still_stops_after_cancel_and_requeue,
    a_dropped_breakpoint_is_none,
);

on_every_server!(
    a_run_stands_until_it_is_continued,
    a_run_that_stands_nowhere_is_not_continued,
    who_lets_a_run_go_on_is_in_its_log,
    breakpoints_side_by_side_are_passed_together,
    the_next_breakpoint_stops_again,
    a_breakpoint_still_stops_after_cancel_and_requeue,
    a_dropped_breakpoint_is_none,
);

/// Takes a step, stands, and takes another one.
fn careful(ledger: &Ledger) -> Workflow<(), u32> {
    let ledger = ledger.clone();
    flow("careful", move |ctx, ()| {
        let ledger = ledger.clone();
        async move {
            let copy = async || Ok::<_, StepError>(ledger.note("copy"));
            let copied = ctx.step("copy", copy).await?;
            ctx.breakpoint("look").await;
            let switch = async || Ok::<_, StepError>(ledger.note("switch"));
            ctx.step("switch", switch).await.map(|it| it + copied)
        }
    })
}

async fn open(world: &World, ledger: &Ledger) -> App {
    let workflow = careful(ledger);
    world.open(|it| it.register(workflow)).await
}

async fn a_run_stands_until_it_is_continued(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&careful(&ledger), (), "a").await;
    let now = app.waits_for("a", "look").await;
    assert!(
        now.reason.contains("standing at breakpoint `look`"),
        "{now:?}"
    );
    assert!(now.wakes.contains("breakpoint `look`"), "{now:?}");
    app.crash().await;
    let app = open(&world, &ledger).await;
    app.waits_for("a", "look").await;
    assert_eq!(ledger.count("switch"), 0);
    let api = world.api().await;
    let (one, other) = join!(
        api.continue_run("a").into_future(),
        app.continue_run("a").into_future()
    );
    assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
    assert_eq!(app.output::<u32>("a").await, 2);
    assert_eq!((ledger.count("copy"), ledger.count("switch")), (1, 1));
}

async fn who_lets_a_run_go_on_is_in_its_log(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&careful(&ledger), (), "a").await;
    app.waits_for("a", "look").await;
    let go_on = app.continue_run("a").by("ada").because("looks good");
    assert_eq!(go_on.await.unwrap(), 1);
    app.ended("a").await;
    let log = app.audit("a").await.unwrap();
    let [line] = &*log else { panic!("{log:?}") };
    assert_eq!(
        (&*line.action, line.actor.as_deref()),
        ("continue", Some("ada"))
    );
    assert_eq!(line.reason.as_deref(), Some("looks good"));
}

async fn a_run_that_stands_nowhere_is_not_continued(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    let unknown = app.continue_run("none").await.unwrap_err();
    assert!(unknown.is_not_found(), "{unknown}");
    app.begin(&careful(&ledger), (), "a").await;
    app.waits_for("a", "look").await;
    assert_eq!(app.continue_run("a").await.unwrap(), 1);
    app.ended("a").await;
    let ended = app.continue_run("a").await.unwrap_err();
    let status = RunStatus::Completed;
    assert!(
        matches!(&ended, Error::NotAtBreakpoint { status: it, .. } if *it == status),
        "{ended}"
    );
    assert_eq!(
        ended.to_string(),
        "run `a` stands at no breakpoint; it is completed"
    );
}

async fn breakpoints_side_by_side_are_passed_together(world: World) {
    let both = || {
        flow("both", |ctx, ()| async move {
            join!(ctx.breakpoint("left"), ctx.breakpoint("right"));
            Ok(())
        })
    };
    let app = world.open(move |it| it.register(both())).await;
    app.begin(&both(), (), "a").await;
    app.until("a", |now| now.waiting_for.len() == 2).await;
    assert_eq!(app.continue_run("a").await.unwrap(), 2);
    let (): () = app.output("a").await;
}

async fn the_next_breakpoint_stops_again(world: World) {
    let twice = || {
        flow("twice", |ctx, ()| async move {
            for place in ["first", "second"] {
                ctx.breakpoint(place).await;
            }
            Ok(())
        })
    };
    let app = world.open(move |it| it.register(twice())).await;
    app.begin(&twice(), (), "a").await;
    app.waits_for("a", "first").await;
    app.continue_run("a").await.unwrap();
    app.waits_for("a", "second").await;
    app.continue_run("a").await.unwrap();
    let (): () = app.output("a").await;
}

async fn a_breakpoint_still_stops_after_cancel_and_requeue(world: World) {
    let ledger = Ledger::default();
    let app = open(&world, &ledger).await;
    app.begin(&careful(&ledger), (), "a").await;
    app.waits_for("a", "look").await;
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    app.requeue("a").await.unwrap();
    app.until("a", |now| now.status == RunStatus::Suspended)
        .await;
    assert_eq!(app.continue_run("a").await.unwrap(), 1);
    assert_eq!(app.output::<u32>("a").await, 2);
    assert_eq!(ledger.count("copy"), 1);
}

async fn a_dropped_breakpoint_is_none(world: World) {
    let hasty = || {
        flow("hasty", |ctx, ()| async move {
            tokio::select! {
                biased;
                () = ctx.breakpoint("look") => {}
                () = ctx.sleep(Duration::from_secs(60)) => {}
            }
            let (): () = ctx.wait_for_signal("go").await?;
            Ok(())
        })
    };
    let app = world.open(move |it| it.register(hasty())).await;
    app.begin(&hasty(), (), "a").await;
    app.waits_for("a", "look").await;
    world.clock.advance(Duration::from_secs(60));
    app.waits_for("a", "go").await;
    let error = app.continue_run("a").await.unwrap_err();
    assert!(matches!(error, Error::NotAtBreakpoint { .. }), "{error}");
    app.send("go", ()).await;
    let (): () = app.output("a").await;
    let history = app.record("a").await.history;
    let stood = history
        .iter()
        .find(|it| it.kind == CheckpointKind::Breakpoint);
    assert_eq!(stood.unwrap().status, CheckpointStatus::Abandoned);
}

#[tokio::test]
async fn a_breakpoint_survives_a_crash_at_every_commit() {
    let careful = || careful(&Ledger::default());
    let play = async |app: &App| {
        app.begin(&careful(), (), "a").await;
        let stands = |now: &axum_durable::control::Explanation| {
            now.reason.contains("standing at breakpoint") || now.status.is_terminal()
        };
        app.until("a", stands).await;
        // It may have been let go by the process that has died.
        drop(app.continue_run("a").await);
        assert_eq!(app.ended("a").await.status, RunStatus::Completed);
        let seen = app.record("a").await.history;
        let kinds: Vec<_> = seen.iter().map(|it| (it.kind, it.status)).collect();
        let expected = [
            (CheckpointKind::Step, CheckpointStatus::Completed),
            (CheckpointKind::Breakpoint, CheckpointStatus::Completed),
            (CheckpointKind::Step, CheckpointStatus::Completed),
        ];
        assert_eq!(kinds, expected);
    };
    everywhere(5, move |it| it.register(careful()), play).await;
}
