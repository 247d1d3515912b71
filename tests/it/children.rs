//! Runs that start other runs, wait for them and continue as others.

use std::{collections::BTreeSet, time::Duration};

use axum_durable::{
    RunStatus,
    durable::RunTree,
    id::RunId,
    model::{NewRun, OnCancel, Parent, RunQuery, WorkflowKey},
    payload::Payload,
    prelude::*,
    store::Batch,
    testing::TestDurable,
    workflow::ops::ChildFailure,
};

use crate::support::{
    crashes::everywhere,
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    a_child_gives_its_output_to_its_parent,
    a_child_survives_its_parents_process,
    the_failure_of_a_child_is_the_parents_to_handle,
    a_child_that_is_cancelled_wakes_its_parent,
    a_started_child_is_joined_later,
    nobody_waits_for_what_cannot_end,
    all_gives_the_outputs_in_order,
    all_tells_every_failure,
    all_can_give_up_at_the_first_failure,
    a_cancelled_parent_takes_its_children_along,
    a_requeued_parent_finds_what_its_child_has_become,
    a_run_continues_as_the_next_one,
    a_parent_waits_for_the_last_of_its_childs_successors,
    a_run_that_takes_too_long_is_cancelled,
    a_run_that_took_too_long_while_nobody_was_there_executes_nothing,
);

on_every_server!(
    a_child_gives_its_output_to_its_parent,
    a_child_survives_its_parents_process,
    the_failure_of_a_child_is_the_parents_to_handle,
    a_child_that_is_cancelled_wakes_its_parent,
    a_started_child_is_joined_later,
    nobody_waits_for_what_cannot_end,
    all_gives_the_outputs_in_order,
    all_tells_every_failure,
    all_can_give_up_at_the_first_failure,
    a_cancelled_parent_takes_its_children_along,
    a_requeued_parent_finds_what_its_child_has_become,
    a_run_continues_as_the_next_one,
    a_parent_waits_for_the_last_of_its_childs_successors,
    a_run_that_takes_too_long_is_cancelled,
    a_run_that_took_too_long_while_nobody_was_there_executes_nothing,
);

const MINUTE: Duration = Duration::from_secs(60);

/// Doubles a number once it gets a signal, if there is one to wait for.
fn double() -> Workflow<(u32, Option<String>), u32> {
    flow(
        "double",
        |ctx, (number, token): (u32, Option<String>)| async move {
            if let Some(token) = token {
                let (): () = ctx.wait_for_signal(token).await?;
            }
            let double = async || match number {
                13 => Err(StepError::fatal("unlucky", "thirteen")),
                number => Ok(number * 2),
            };
            ctx.step("double", double).await
        },
    )
}

async fn children_of(app: &App, run: &str) -> Vec<(String, RunStatus)> {
    let mut query = RunQuery::default();
    query.parent = Some(RunId::from_trusted(run));
    let page = app.list_runs(&query).await.unwrap();
    let mut children: Vec<_> = page
        .runs
        .iter()
        .map(|it| (it.id.to_string(), it.status))
        .collect();
    children.sort();
    children
}

async fn a_child_gives_its_output_to_its_parent(world: World) {
    let parent = || {
        flow("parent", |ctx, number: u32| async move {
            let doubled = ctx.child(double(), (number, None)).tag("inner").await?;
            ctx.step("note", async || Ok::<_, StepError>(doubled + 1))
                .await
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    app.begin(&parent(), 4, "a").await;
    assert_eq!(app.output::<u32>("a").await, 9);
    assert_eq!(
        children_of(&app, "a").await,
        [("a.child.0".to_owned(), RunStatus::Completed)]
    );
    let child = app.ended("a.child.0").await;
    assert_eq!(child.tags, ["inner".into()]);
    assert_eq!(child.parent.unwrap().run.as_str(), "a");
}

async fn a_child_survives_its_parents_process(world: World) {
    let parent = || {
        flow("parent", |ctx, token: String| async move {
            ctx.child(double(), (4, Some(token))).id("inner").await
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    app.begin(&parent(), "go".to_owned(), "a").await;
    app.waits_for("inner", "go").await;
    app.until("a", |now| now.reason.contains("`double`")).await;
    app.crash().await;
    // One process has the child only, as another app would.
    let other = world.open(move |it| it.register(double())).await;
    other.send("go", ()).await;
    assert_eq!(other.output::<u32>("inner").await, 8);
    let app = world.open(move |it| it.register(parent())).await;
    assert_eq!(app.output::<u32>("a").await, 8);
    assert!(app.record("a").await.inbox.is_empty());
}

async fn the_failure_of_a_child_is_the_parents_to_handle(world: World) {
    let parent = || {
        flow("parent", |ctx, catches: bool| async move {
            let failed = ctx.child(double(), (13, None)).await;
            match failed {
                Err(WorkflowError::Child { run, failure }) if catches => {
                    Ok(format!("{run}: {}", failure.code.unwrap_or_default()))
                }
                other => Ok(other?.to_string()),
            }
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    app.begin(&parent(), true, "a").await;
    assert_eq!(app.output::<String>("a").await, "a.child.0: unlucky");
    app.begin(&parent(), false, "b").await;
    let failed = app.ended("b").await;
    assert_eq!(failed.status, RunStatus::Failed);
    assert_eq!(code(&failed), Some("unlucky"));
}

async fn a_child_that_is_cancelled_wakes_its_parent(world: World) {
    let parent = || {
        flow("parent", |ctx, ()| async move {
            let ended = ctx.child(double(), (4, Some("never".to_owned()))).await;
            Ok(ended.unwrap_err().code().map(str::to_owned))
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    app.begin(&parent(), (), "a").await;
    app.waits_for("a.child.0", "never").await;
    soon("the cancel", app.cancel("a.child.0")).await.unwrap();
    let code = app.output::<Option<String>>("a").await;
    assert_eq!(code.as_deref(), Some("cancelled"));
}

async fn a_started_child_is_joined_later(world: World) {
    let parent = || {
        flow("parent", |ctx, ()| async move {
            let first = ctx.child(double(), (4, None)).start().await?;
            let second = ctx.child(double(), (5, None)).id("second").start().await?;
            let (): () = ctx.wait_for_signal("go").await?;
            let second: u32 = ctx.join(second).await?;
            let first: u32 = ctx.join(first).await?;
            Ok((first, second))
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    app.begin(&parent(), (), "a").await;
    app.waits_for("a", "go").await;
    assert_eq!(app.output::<u32>("a.child.0").await, 8);
    assert_eq!(app.output::<u32>("second").await, 10);
    app.crash().await;
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    app.send("go", ()).await;
    assert_eq!(app.output::<(u32, u32)>("a").await, (8, 10));
    assert_eq!(children_of(&app, "a").await.len(), 2);
}

async fn nobody_waits_for_what_cannot_end(world: World) {
    let parent = || {
        flow("parent", |ctx, ()| async move {
            let unknown = ctx.join::<u32>(RunId::from_trusted("nowhere")).await;
            let own = ctx.join::<u32>(ctx.run_id().clone()).await;
            let missing = ctx.child(double(), (4, None)).version(7).await;
            let codes = [unknown, own, missing].map(|it| it.unwrap_err().code().map(str::to_owned));
            Ok(codes.to_vec())
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    app.begin(&parent(), (), "a").await;
    let codes = app.output::<Vec<Option<String>>>("a").await;
    let codes: Vec<_> = codes.iter().flatten().collect();
    assert_eq!(codes, ["unknown_run", "own_end", "unknown_workflow"]);
}

fn many(fails_fast: bool) -> Workflow<Vec<(u32, Option<String>)>, Vec<u32>> {
    flow(
        "many",
        move |ctx, inputs: Vec<(u32, Option<String>)>| async move {
            let children = ctx.all(double(), inputs);
            let outputs = if fails_fast {
                children.fail_fast().await
            } else {
                children.await
            };
            match outputs {
                Err(WorkflowError::Gather { failures }) => {
                    let indexes = failures.iter().map(|it: &ChildFailure| it.index);
                    Ok(indexes.map(|at| u32::try_from(at).unwrap()).collect())
                }
                outputs => outputs,
            }
        },
    )
}

async fn all_gives_the_outputs_in_order(world: World) {
    let app = world
        .open(move |it| it.register(many(false)).register(double()))
        .await;
    app.begin(&many(false), Vec::new(), "none").await;
    assert_eq!(app.output::<Vec<u32>>("none").await, [0; 0]);
    let inputs = (0..12).map(|number| (number, Some(format!("go-{number}"))));
    app.begin(&many(false), inputs.collect(), "a").await;
    for number in (0..12_u32).rev() {
        app.waits_for(&format!("a.all.0.{number}"), &format!("go-{number}"))
            .await;
        app.send(&format!("go-{number}"), ()).await;
    }
    let expected: Vec<u32> = (0..12).map(|number| number * 2).collect();
    assert_eq!(app.output::<Vec<u32>>("a").await, expected);
    let ids: BTreeSet<_> = children_of(&app, "a").await.into_iter().collect();
    assert_eq!(ids.len(), 12);
}

async fn all_tells_every_failure(world: World) {
    let app = world
        .open(move |it| it.register(many(false)).register(double()))
        .await;
    let inputs = [13, 1, 13, 2].map(|number| (number, None));
    app.begin(&many(false), inputs.to_vec(), "a").await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [0, 2]);
}

async fn all_can_give_up_at_the_first_failure(world: World) {
    let app = world
        .open(move |it| it.register(many(true)).register(double()))
        .await;
    let wait = || Some("never".to_owned());
    let inputs = vec![(1, wait()), (13, None), (2, wait())];
    app.begin(&many(true), inputs, "a").await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [1]);
    for child in ["a.all.0.0", "a.all.0.2"] {
        assert_eq!(app.ended(child).await.status, RunStatus::Cancelled);
    }
}

async fn a_cancelled_parent_takes_its_children_along(world: World) {
    let parent = || {
        flow("parent", |ctx, depth: u32| async move {
            let wait = || (4, Some("never".to_owned()));
            let abandoned = ctx.child(double(), wait()).id(format!("left-{depth}"));
            abandoned.on_cancel(OnCancel::Abandon).start().await?;
            ctx.child(double(), wait())
                .id(format!("taken-{depth}"))
                .await
        })
    };
    let grand = move || {
        flow("grand", move |ctx, ()| async move {
            ctx.child(parent(), 2).id("middle").await
        })
    };
    let register = move || {
        move |it: axum_durable::durable::DurableBuilder| {
            it.register(grand()).register(parent()).register(double())
        }
    };
    let app = world.open(register()).await;
    app.begin(&grand(), (), "a").await;
    app.waits_for("taken-2", "never").await;
    app.waits_for("left-2", "never").await;
    app.until("middle", |now| now.status == RunStatus::Suspended)
        .await;
    soon("the cancel", app.cancel("a")).await.unwrap();
    for run in ["a", "middle", "taken-2"] {
        assert_eq!(app.ended(run).await.status, RunStatus::Cancelled, "{run}");
    }
    app.send("never", ()).await;
    assert_eq!(app.output::<u32>("left-2").await, 8);
}

async fn a_requeued_parent_finds_what_its_child_has_become(world: World) {
    let ledger = Ledger::default();
    let child = {
        let ledger = ledger.clone();
        move || {
            let ledger = ledger.clone();
            flow("child", move |ctx, ()| {
                let ledger = ledger.clone();
                async move {
                    let body = async || {
                        ledger.note("try");
                        match ledger.count("try") {
                            1 => Err(StepError::fatal("broken", "not yet")),
                            tries => Ok(tries),
                        }
                    };
                    ctx.step("try", body).await
                }
            })
        }
    };
    let parent = {
        let child = child.clone();
        move || {
            let child = child.clone();
            flow("parent", move |ctx, ()| {
                let child = child.clone();
                async move { ctx.child(child(), ()).await }
            })
        }
    };
    let (p, c) = (parent(), child());
    let app = world.open(move |it| it.register(p).register(c)).await;
    app.begin(&parent(), (), "a").await;
    assert_eq!(app.ended("a").await.status, RunStatus::Failed);
    soon("the requeue", app.requeue("a.child.0")).await.unwrap();
    assert_eq!(app.output::<usize>("a.child.0").await, 2);
    soon("the requeue", app.requeue("a")).await.unwrap();
    assert_eq!(app.output::<usize>("a").await, 2);
    assert_eq!(ledger.count("try"), 2);
}

/// Adds up what it is sent, each time as a new run, until that is nothing.
fn count() -> Workflow<u32, u32> {
    flow("count", |ctx, so_far: u32| async move {
        let more: u32 = ctx.wait_for_signal("count").await?;
        if more == 0 {
            return Ok(so_far);
        }
        match ctx.continue_as_new(so_far + more).await? {}
    })
}

async fn a_run_continues_as_the_next_one(world: World) {
    let app = world.open(move |it| it.register(count())).await;
    let start = app.start(count(), 1).id("a").tag("kept").into_future();
    soon("the start", app.run(start)).await.unwrap();
    app.waits_for("a", "count").await;
    app.send("count", 4).await;
    app.waits_for("a~1", "count").await;
    app.crash().await;
    let app = world.open(move |it| it.register(count())).await;
    app.send("count", 5).await;
    app.waits_for("a~2", "count").await;
    app.send("count", 0).await;
    assert_eq!(app.output::<u32>("a~2").await, 10);
    let first = app.ended("a").await;
    assert_eq!(first.status, RunStatus::Completed);
    assert_eq!(first.next.as_ref().map(RunId::as_str), Some("a~1"));
    assert_eq!(app.ended("a~2").await.tags, ["kept".into()]);
    let handle = app.begin(&count(), 1, "a").await;
    assert_eq!(soon("the result", handle.result()).await.unwrap(), 10);
}

async fn a_parent_waits_for_the_last_of_its_childs_successors(world: World) {
    let parent = || {
        flow("parent", |ctx, ()| async move {
            ctx.child(count(), 1).id("c").await
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(count()))
        .await;
    app.begin(&parent(), (), "a").await;
    app.waits_for("c", "count").await;
    app.send("count", 4).await;
    app.waits_for("c~1", "count").await;
    assert_eq!(children_of(&app, "a").await.len(), 2);
    app.send("count", 0).await;
    assert_eq!(app.output::<u32>("a").await, 5);
}

async fn a_run_that_takes_too_long_is_cancelled(world: World) {
    let parent = || {
        flow("parent", |ctx, ()| async move {
            let wait = (4, Some("never".to_owned()));
            let child = ctx.child(double(), wait).execution_timeout(MINUTE);
            let ended = child.await.unwrap_err();
            assert_eq!(ended.code(), Some("execution_timeout"));
            ctx.child(double(), (4, Some("never".to_owned()))).await
        })
    };
    let app = world
        .open(move |it| it.register(parent()).register(double()))
        .await;
    let start = app.start(parent(), ()).id("a");
    let start = start.execution_timeout(3 * MINUTE).into_future();
    soon("the start", app.run(start)).await.unwrap();
    app.waits_for("a.child.0", "never").await;
    app.until("a", |now| !now.waiting_for.is_empty()).await;
    world.clock.advance(MINUTE + MINUTE / 2);
    app.waits_for("a.child.1", "never").await;
    app.until("a", |now| !now.waiting_for.is_empty()).await;
    world.clock.advance(2 * MINUTE);
    for run in ["a", "a.child.1"] {
        assert_eq!(app.ended(run).await.status, RunStatus::Cancelled, "{run}");
    }
    assert_eq!(code(&app.ended("a").await), Some("execution_timeout"));
}

async fn a_run_that_took_too_long_while_nobody_was_there_executes_nothing(world: World) {
    let ledger = Ledger::default();
    let late = {
        let ledger = ledger.clone();
        move || {
            let ledger = ledger.clone();
            flow("late", move |ctx, ()| {
                let ledger = ledger.clone();
                async move {
                    ctx.sleep(MINUTE).await;
                    let body = async || Ok::<_, StepError>(ledger.note("step"));
                    ctx.step("step", body).await
                }
            })
        }
    };
    let register = late();
    let app = world.open(move |it| it.register(register)).await;
    let start = app.start(late(), ()).id("a").execution_timeout(MINUTE * 2);
    soon("the start", app.run(start.into_future()))
        .await
        .unwrap();
    app.until("a", |now| !now.waiting_for.is_empty()).await;
    app.crash().await;
    world.clock.advance(3 * MINUTE);
    let register = late();
    let app = world.open(move |it| it.register(register)).await;
    assert_eq!(code(&app.ended("a").await), Some("execution_timeout"));
    assert_eq!(ledger.count("step"), 0);
}

#[tokio::test]
async fn children_survive_a_crash_at_every_commit() {
    let leaf = || {
        flow("leaf", |ctx, n: u32| async move {
            ctx.sleep(Duration::from_millis(5)).await;
            ctx.step("leaf", async || Ok::<_, StepError>(n * 10)).await
        })
    };
    let family = move || {
        flow("family", move |ctx, ()| async move {
            let first = ctx.child(leaf(), 1).id("first").await?;
            let more = ctx.all(leaf(), vec![2, 3]).await?;
            Ok(first + more.iter().sum::<u32>())
        })
    };
    let play = async |app: &App| {
        app.begin(&family(), (), "family").await;
        assert_eq!(app.output::<u32>("family").await, 60);
        let runs = app.list_runs(&RunQuery::default()).await.unwrap().runs;
        assert_eq!(runs.len(), 4, "{runs:?}");
        assert!(runs.iter().all(|run| run.status == RunStatus::Completed));
    };
    everywhere(8, move |it| it.register(family()).register(leaf()), play).await;
}

/// Starts two of its kind, and each of them one less deep.
#[workflow]
async fn grow(ctx: &WorkflowCtx, depth: u32) -> Result<u32> {
    if depth == 0 {
        return Ok(1);
    }
    let below = ctx.all(grow, [depth - 1, depth - 1]).await?;
    Ok(1 + below.iter().sum::<u32>())
}

#[tokio::test]
async fn a_tree_of_runs_is_read_as_a_whole() {
    let app = TestDurable::with(|it| it.only_registered().register(grow));
    let app = app.await.unwrap();
    app.start(grow, 2).id("top").await.unwrap();
    assert_eq!(app.output::<u32>("top").await, 7);
    let tree = app.run_tree("top").await.unwrap();
    let ids = |tree: &RunTree| {
        let children = tree.children.iter().map(|it| it.run.id.to_string());
        children.collect::<Vec<_>>()
    };
    assert_eq!(ids(&tree), ["top.all.0.0", "top.all.0.1"]);
    for below in &tree.children {
        assert_eq!(below.children.len(), 2, "{below:?}");
        assert!(below.is_complete && below.children.iter().all(|it| it.is_complete));
    }
    let none = app.run_tree("none").await;
    assert!(matches!(none, Err(DurableError::UnknownRun { .. })));

    // Of one with many children, as many as there is room for.
    app.start(grow, 0).id("wide").await.unwrap();
    app.settle().await;
    let mut starts = Vec::new();
    for number in 0..1_200 {
        let mut child = NewRun::new(
            RunId::parse(format!("wide.{number}")).unwrap(),
            WorkflowKey::new("grow", 1),
            Payload::encode(&0).unwrap(),
            Timestamp::MAX,
        );
        let wide = RunId::parse("wide").unwrap();
        child.parent = Some(Parent::new(wide, OnCancel::Abandon));
        starts.push(child);
    }
    let batch = Batch {
        starts,
        ..Batch::default()
    };
    app.engine().store().commit(&batch).await.unwrap();
    let tree = app.run_tree("wide").await.unwrap();
    assert_eq!((tree.children.len(), tree.is_complete), (999, false));
}
