//! Versions of a workflow side by side, and histories checked against code.

use axum_durable::{
    Durable, RunStatus,
    model::RunHistory,
    prelude::*,
    testing::{Replay, ReplayError, replay},
};

use crate::support::world::{World, in_every_world};

in_every_world!(
    runs_stay_on_their_version_and_new_ones_take_the_newest,
    a_run_whose_version_is_not_here_is_left_alone,
    a_history_replays_at_every_stage_of_its_run,
);

#[workflow(name = "checkout", version = 1)]
async fn checkout_v1(ctx: &WorkflowCtx, cents: u32) -> Result<String> {
    ctx.step("charge", async || Ok(cents)).await?;
    let (): () = ctx.wait_for_signal("go").await?;
    Ok(format!("v1 {cents}"))
}

#[workflow(name = "checkout", version = 2)]
async fn checkout_v2(ctx: &WorkflowCtx, cents: u32) -> Result<String> {
    ctx.step("reserve", async || Ok(())).await?;
    ctx.step("charge", async || Ok(cents)).await?;
    let (): () = ctx.wait_for_signal("go").await?;
    Ok(format!("v2 {cents}"))
}

async fn runs_stay_on_their_version_and_new_ones_take_the_newest(world: World) {
    let app = world.open(|it| it.register(checkout_v1)).await;
    app.begin(&checkout_v1(), 5, "old").await;
    app.waits_for("old", "go").await;
    app.crash().await;
    // The order of registration does not matter.
    let app = world
        .open(|it| it.register(checkout_v2).register(checkout_v1))
        .await;
    for (id, version) in [("newest", None), ("pinned", Some(1)), ("second", Some(2))] {
        let mut start = app.start_named("checkout", &7.into()).id(id);
        if let Some(version) = version {
            start = start.version(version);
        }
        app.run(start.into_future()).await.unwrap();
        app.waits_for(id, "go").await;
    }
    app.begin(&checkout_v1(), 7, "typed").await;
    app.waits_for("typed", "go").await;
    let missing = app.start_named("checkout", &7.into()).version(3);
    let error = app
        .run(missing.into_future())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("checkout@1, checkout@2"), "{error}");
    let expected = [
        ("old", "v1 5"),
        ("newest", "v2 7"),
        ("pinned", "v1 7"),
        ("second", "v2 7"),
        ("typed", "v1 7"),
    ];
    for _ in &expected {
        app.send("go", ()).await;
    }
    for (id, output) in expected {
        assert_eq!(app.output::<String>(id).await, output, "{id}");
    }
}

async fn a_run_whose_version_is_not_here_is_left_alone(world: World) {
    let app = world.open(|it| it.register(checkout_v1)).await;
    app.begin(&checkout_v1(), 5, "old").await;
    app.waits_for("old", "go").await;
    app.crash().await;
    let app = world.open(|it| it.register(checkout_v2)).await;
    app.send("go", ()).await;
    app.begin(&checkout_v2(), 6, "new").await;
    app.waits_for("new", "go").await;
    let left = app.get_run("old").await.unwrap().unwrap();
    assert!(!left.status.is_terminal(), "{left:?}");
    assert_ne!(left.status, RunStatus::Blocked, "{left:?}");
    app.until("old", |now| {
        format!("{} {}", now.reason, now.wakes).contains("checkout@1")
    })
    .await;
    app.crash().await;
    let app = world.open(|it| it.register(checkout_v1)).await;
    assert_eq!(app.output::<String>("old").await, "v1 5");
}

/// Another body under version 1, as a careless change would make it.
fn careless() -> Workflow<u32, String> {
    Workflow::new("checkout", 1, |ctx, _cents: u32| {
        Box::pin(async move {
            ctx.step("bill", async || Ok::<_, StepError>(1_u8)).await?;
            Ok(String::new())
        })
    })
}

async fn a_history_replays_at_every_stage_of_its_run(world: World) {
    let app = world.open(|it| it.register(checkout_v1)).await;
    app.begin(&checkout_v1(), 5, "a").await;
    app.waits_for("a", "go").await;
    let waiting = app.export_history("a").await.unwrap().to_json().unwrap();
    app.send("go", ()).await;
    app.output::<String>("a").await;
    let ended = app.export_history("a").await.unwrap().to_json().unwrap();
    assert_eq!(
        replay(&waiting, checkout_v1).unwrap().waits_for,
        ["1 signal `go`"]
    );
    let replayed = replay(&ended, checkout_v1).unwrap();
    assert_eq!(
        replayed.output::<String>().unwrap().as_deref(),
        Some("v1 5")
    );
    for history in [&waiting, &ended] {
        let error = replay(history, careless()).unwrap_err();
        let ReplayError::Diverged(divergence) = &error else {
            panic!("{error}");
        };
        let text = divergence.to_string();
        for part in [
            "run `a` of checkout@1 does not replay",
            "seq 0: recorded step `charge`",
            "code now asks for step `bill`",
            "0 step `charge` completed\n  1 signal `go`",
        ] {
            assert!(text.contains(part), "no `{part}` in: {text}");
        }
        let error = replay(history, checkout_v2).unwrap_err();
        assert!(
            matches!(error, ReplayError::OtherWorkflow { .. }),
            "{error}"
        );
    }
    let unknown = app.export_history("nobody").await.unwrap_err();
    assert!(unknown.is_not_found());
}

#[derive(Clone)]
struct Limit(u32);

#[workflow]
async fn limited(ctx: &WorkflowCtx, n: u32, State(limit): State<Limit>) -> Result<bool> {
    let is_big = ctx.switch("big", n > limit.0)?;
    ctx.step("once", async || Ok(())).await?;
    Ok(is_big)
}

#[tokio::test]
async fn a_replay_executes_nothing_and_takes_provided_values() {
    let durable = Durable::builder()
        .store(axum_durable::MemoryStore::new())
        .provide(Limit(3))
        .register(limited)
        .only_registered()
        .build()
        .await
        .unwrap();
    durable
        .start(limited, 5)
        .id("a")
        .await
        .unwrap()
        .result()
        .await
        .unwrap();
    let history = durable.export_history("a").await.unwrap();
    durable.shutdown().await;
    // Outside of any runtime, and with a limit that would decide otherwise.
    let replayed = std::thread::spawn(move || {
        assert!(Replay::of(limited).check_history(&history).is_err());
        let replay = Replay::of(limited).provide(Limit(100));
        let mut cut = history.clone();
        cut.operations.truncate(1);
        let cut = replay.check_history(&cut).unwrap();
        assert_eq!(cut.waits_for, ["1 step `once`"]);
        replay.check_history(&history).unwrap()
    });
    let replayed = replayed.join().unwrap();
    assert_eq!(replayed.output::<bool>().unwrap(), Some(true));
}

#[test]
fn a_fingerprint_changes_with_the_flow_and_not_with_its_layout() {
    #[workflow(name = "same")]
    async fn one(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
        if n > 1 {
            ctx.step("a", async || Ok(())).await?;
        }
        ctx.step("b", async || Ok(n)).await
    }
    #[workflow(name = "same", version = 2)]
    async fn laid_out(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
        // A comment, other bodies, and other lines.
        let unused = n.saturating_add(1);
        if n > 1 {
            ctx.step("a", async || Ok(unused)).await?;
        }

        ctx.step("b", async || Ok(n + 1)).await
    }
    #[workflow(name = "same", version = 3)]
    async fn other_condition(ctx: &WorkflowCtx, n: u32) -> Result<u32> {
        if n > 2 {
            ctx.step("a", async || Ok(())).await?;
        }
        ctx.step("b", async || Ok(n)).await
    }
    let of = |workflow: Workflow<u32, u32>| workflow.outline().fingerprint();
    assert!(of(one()).is_some());
    assert_eq!(of(one()), of(laid_out()));
    assert_ne!(of(one()), of(other_condition()));
    assert_eq!(
        of(Workflow::new("by hand", 1, |_, n| Box::pin(async move {
            Ok(n)
        }))),
        None
    );
}

#[test]
fn a_history_document_is_read_by_hand_too() {
    let text = r#"{"format":1,"run_id":"a","workflow":"checkout","version":1,"status":"running",
        "input":5,"created_at":0,"operations":[]}"#;
    let history = RunHistory::from_json(text).unwrap();
    assert_eq!(history.workflow().to_string(), "checkout@1");
    assert_eq!(
        replay(text, checkout_v1).unwrap().waits_for,
        ["0 step `charge`"]
    );
}
