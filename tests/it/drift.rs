//! Runs that were begun under another flow than the one that is registered.

use axum_durable::{
    RunStatus,
    control::{Fit, Rehearsed},
    model::{Fingerprint, WorkflowKey},
    prelude::*,
};

use crate::support::world::{World, in_every_world, on_every_server};

in_every_world!(
    runs_that_were_begun_under_another_flow_are_counted,
    a_rehearsal_tells_which_runs_would_diverge,
    every_way_to_start_a_run_notes_its_flow,
);
on_every_server!(
    runs_that_were_begun_under_another_flow_are_counted,
    a_rehearsal_tells_which_runs_would_diverge,
);

/// What both have in common; within one build, an operation is known by where it is asked for too.
async fn charge(ctx: &WorkflowCtx, cents: u32) -> Result<u32> {
    let (): () = ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await?;
    ctx.step("charge", async || Ok::<_, StepError>(cents)).await
}

#[workflow(name = "pay")]
async fn pay(ctx: &WorkflowCtx, cents: u32) -> Result<u32> {
    if cents > 100 {
        ctx.step("check", async || Ok(())).await?;
    }
    charge(ctx, cents).await
}

/// Checks less, and under another name: small payments replay, large ones do not.
#[workflow(name = "pay")]
async fn pay_differently(ctx: &WorkflowCtx, cents: u32) -> Result<u32> {
    if cents > 1_000 {
        ctx.step("screen", async || Ok(())).await?;
    }
    charge(ctx, cents).await
}

fn key() -> WorkflowKey {
    WorkflowKey::new("pay", 1)
}

fn flow_of(workflow: &Workflow<u32, u32>) -> Option<Fingerprint> {
    workflow.outline().fingerprint()
}

async fn runs_that_were_begun_under_another_flow_are_counted(world: World) {
    let app = world.open(|it| it.register(pay)).await;
    for id in ["a", "b", "done"] {
        app.begin(&pay(), 5, id).await;
        app.waits_for(id, &format!("go:{id}")).await;
    }
    app.send("go:done", ()).await;
    assert_eq!(app.ended("done").await.status, RunStatus::Completed);
    assert_eq!(app.record("a").await.run.fingerprint, flow_of(&pay()));
    let drift = app.drift().await.unwrap();
    assert!(drift.is_complete);
    let version = &drift.versions[&key()];
    assert_eq!((version.live, version.other_flow), (2, 0));
    app.crash().await;

    let app = world.open(|it| it.register(pay_differently)).await;
    app.begin(&pay_differently(), 5, "new").await;
    app.waits_for("new", "go:new").await;
    let drift = app.drift().await.unwrap();
    let version = &drift.versions[&key()];
    assert_eq!((version.live, version.other_flow), (3, 2));
    assert_eq!(version.unknown_flow, 0);
    let examples: Vec<_> = version.examples.iter().map(ToString::to_string).collect();
    assert_eq!(examples, ["a", "b"]);
}

async fn a_rehearsal_tells_which_runs_would_diverge(world: World) {
    let app = world.open(|it| it.register(pay)).await;
    for (id, cents) in [("small", 5), ("large", 500)] {
        app.begin(&pay(), cents, id).await;
        app.waits_for(id, &format!("go:{id}")).await;
    }
    app.crash().await;
    // An instance that only looks: nothing else may have touched the runs.
    let app = world
        .open(|it| it.register(pay_differently).drive(false))
        .await;
    let before = [app.record("small").await, app.record("large").await];
    let rehearsals = app.rehearse("pay", 10).await.unwrap();
    assert!(rehearsals.is_complete);
    let of = |id: &str| -> &Rehearsed {
        let mut runs = rehearsals.runs.iter();
        runs.find(|it| it.run.as_str() == id).unwrap()
    };
    // Another flow that replays all the same.
    assert_eq!(of("small").is_same_flow, Some(false));
    assert_eq!(
        of("small").outcome,
        Fit::Fits(vec!["0 signal `go:small`".to_owned()])
    );
    let Fit::Diverges(failure) = &of("large").outcome else {
        panic!("{:?}", of("large").outcome);
    };
    let expected = "recorded step `check`";
    assert!(failure.message.contains(expected), "{failure}");
    assert!(failure.message.contains("seq 0"), "{failure}");
    let after = [app.record("small").await, app.record("large").await];
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    // No more than asked for.
    let rehearsals = app.rehearse("pay", 1).await.unwrap();
    assert_eq!(rehearsals.runs.len(), 1);
    assert!(!rehearsals.is_complete);
}

#[workflow]
async fn grandchild(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
    ctx.step("count", async || Ok(n)).await
}

#[workflow]
async fn family(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
    if n > 0 {
        ctx.child(grandchild, n).id("the-child").await?;
        ctx.continue_as_new(n - 1).await?;
    }
    Ok(0)
}

async fn every_way_to_start_a_run_notes_its_flow(world: World) {
    let app = world
        .open(|it| it.register(family).register(grandchild))
        .await;
    app.begin(&family(), 1, "first").await;
    app.ended("first").await;
    assert_eq!(app.ended("first~1").await.status, RunStatus::Completed);
    assert_eq!(
        app.record("first").await.run.fingerprint,
        flow_of(&family())
    );
    assert_eq!(
        app.record("first~1").await.run.fingerprint,
        flow_of(&family())
    );
    let child = app.record("the-child").await.run;
    assert_eq!(child.fingerprint, flow_of(&grandchild()));
    app.fork("first").id("fork").await.unwrap();
    assert_eq!(app.record("fork").await.run.fingerprint, flow_of(&family()));
}
