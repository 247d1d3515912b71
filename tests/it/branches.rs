//! Choices, notes and patches: what is recorded without a wait.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use axum_durable::{
    RunStatus,
    model::{CheckpointKind, CheckpointStatus},
    prelude::*,
};

use crate::support::{
    ledger::Ledger,
    probes::{Death, Fuse, Watch},
    world::{App, World, code, flow, in_every_world},
};

in_every_world!(
    a_recorded_choice_holds_when_its_reason_changes,
    no_crash_lets_two_branches_happen,
    a_choice_of_another_type_is_an_error,
    notes_are_kept_and_may_be_reworded,
    what_is_recorded_without_a_wait_costs_no_commit,
    a_patch_divides_old_runs_from_new_ones,
    a_loop_takes_the_new_way_from_the_first_new_round,
    a_deprecated_patch_passes_over_marks,
    a_patch_that_was_taken_out_is_a_divergence,
);

/// Decides by a limit that changes between lives.
fn decides(ledger: &Ledger, limit: &Arc<AtomicU32>) -> Workflow<u32, String> {
    let (ledger, limit) = (ledger.clone(), Arc::clone(limit));
    flow("decides", move |ctx, n: u32| {
        let (ledger, limit) = (ledger.clone(), Arc::clone(&limit));
        async move {
            let effect = |name: &'static str| {
                let ledger = ledger.clone();
                ctx.step(name, move || {
                    ledger.note(name);
                    async move { Ok::<_, StepError>(name.to_owned()) }
                })
            };
            let taken = if ctx.switch("size", n > limit.load(SeqCst))? {
                effect("big").await?
            } else {
                effect("small").await?
            };
            let (): () = ctx.wait_for_signal("go").await?;
            Ok(taken)
        }
    })
}

async fn a_recorded_choice_holds_when_its_reason_changes(world: World) {
    let (ledger, limit) = (Ledger::default(), Arc::new(AtomicU32::new(5)));
    let flow = decides(&ledger, &limit);
    let register = flow.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&flow, 7, "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    limit.store(10, SeqCst);
    let register = flow.clone();
    let app = world.open(|it| it.register(register)).await;
    app.send("go", ()).await;
    assert_eq!(app.output::<String>("a").await, "big");
    assert_eq!(ledger.all().len(), 1, "{:?}", ledger.all());
    let choice = app.checkpoint("a", "size").await;
    assert_eq!(choice.kind, CheckpointKind::Switch);
    assert!(choice.result.unwrap().decode::<bool>().unwrap());
}

async fn no_crash_lets_two_branches_happen(world: World) {
    for death in [Death::Before, Death::After] {
        for at in 0.. {
            let (ledger, limit) = (Ledger::default(), Arc::new(AtomicU32::new(5)));
            let flow = decides(&ledger, &limit);
            let id = format!("run-{death:?}-{at}");
            let fuse = Fuse::new(at, death);
            let register = flow.clone();
            let app = world
                .open_probed(fuse.clone(), |it| it.register(register))
                .await;
            let place = async |app: &App| {
                app.begin(&flow, 7, &id).await;
                app.send("go", ()).await;
                app.output::<String>(&id).await
            };
            let died = tokio::select! {
                () = fuse.died() => true,
                _ = place(&app) => false,
            };
            app.crash().await;
            limit.store(10, SeqCst);
            let register = flow.clone();
            let app = world.open(|it| it.register(register)).await;
            let taken = place(&app).await;
            let effects = ledger.all();
            assert_eq!(effects.len(), 1, "death {death:?} at {at}: {effects:?}");
            assert_eq!(
                ledger.count(&taken),
                ledger.count("big") + ledger.count("small")
            );
            app.stop().await;
            if !died {
                break;
            }
        }
    }
}

async fn a_choice_of_another_type_is_an_error(world: World) {
    let bools = || {
        flow("types", |ctx, ()| async move {
            let choice = ctx.switch("choice", true)?;
            let (): () = ctx.wait_for_signal("go").await?;
            Ok(choice)
        })
    };
    let texts = || {
        flow("types", |ctx, ()| async move {
            let choice = ctx.switch("choice", "text".to_owned())?;
            let (): () = ctx.wait_for_signal("go").await?;
            Ok(choice.is_empty())
        })
    };
    let app = world.open(move |it| it.register(bools())).await;
    app.begin(&bools(), (), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let app = world.open(move |it| it.register(texts())).await;
    app.send("go", ()).await;
    let ended = app.ended("a").await;
    // The code returns before it has asked for the wait, which is found first.
    assert_eq!(ended.status, RunStatus::Blocked, "{:?}", ended.failure);
}

async fn notes_are_kept_and_may_be_reworded(world: World) {
    let noting = |text: &'static str| {
        flow("noting", move |ctx, ()| async move {
            ctx.note(text);
            let (): () = ctx.wait_for_signal("go").await?;
            ctx.note("done");
            Ok(())
        })
    };
    let app = world.open(move |it| it.register(noting("begun"))).await;
    app.begin(&noting("begun"), (), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let app = world.open(move |it| it.register(noting("reworded"))).await;
    app.send("go", ()).await;
    app.output::<()>("a").await;
    let history = app.record("a").await.history;
    let notes = history.iter().filter(|it| it.kind == CheckpointKind::Note);
    let notes: Vec<String> = notes
        .map(|it| it.result.as_ref().unwrap().decode().unwrap())
        .collect();
    assert_eq!(notes, ["begun", "done"]);
}

async fn what_is_recorded_without_a_wait_costs_no_commit(world: World) {
    const STEPS: u64 = 5;
    let steps = |name: &'static str, records: bool| {
        flow(name, move |ctx, ()| async move {
            for n in 0..STEPS {
                ctx.step("n", async || Ok::<_, StepError>(n)).await?;
                if records {
                    let _ = (ctx.now(), ctx.uuid(), ctx.random::<u8>());
                    ctx.side_effect("flag", || true)?;
                    ctx.note("between");
                    ctx.add_tag("tag");
                    ctx.set_event("n", &n)?;
                    assert!(ctx.switch("branch", true)?);
                    assert!(ctx.patched("patch"));
                    ctx.deprecate_patch("another");
                }
            }
            Ok(())
        })
    };
    let watch = Watch::default();
    let app = world
        .open_probed(watch.clone(), move |it| {
            it.register(steps("plain", false))
                .register(steps("records", true))
        })
        .await;
    for name in ["plain", "records"] {
        let before = watch.batches();
        app.begin(&steps(name, name == "records"), (), name).await;
        app.output::<()>(name).await;
        let commits = watch.batches() - before;
        assert_eq!(commits, STEPS + 1, "{name}");
    }
    assert!(app.record("records").await.history.len() > 40);
}

/// Three builds of one workflow: before the patch, with it, and once the old way is gone.
#[derive(Clone, Copy)]
enum Build {
    Old,
    Patched,
    Deprecated,
}

fn shop(build: Build) -> Workflow<(), Vec<String>> {
    flow("shop", move |ctx, ()| async move {
        let step =
            |name: &'static str| ctx.step(name, async move || Ok::<_, StepError>(name.to_owned()));
        let mut done = vec![step("reserve").await?];
        let checks = match build {
            Build::Old => false,
            Build::Patched => ctx.patched("fraud"),
            Build::Deprecated => {
                ctx.deprecate_patch("fraud");
                true
            }
        };
        if checks {
            done.push(step("fraud").await?);
        }
        let (): () = ctx.wait_for_signal(format!("go:{}", ctx.run_id())).await?;
        done.push(step("charge").await?);
        Ok(done)
    })
}

async fn open(world: &World, build: Build) -> App {
    world.open(move |it| it.register(shop(build))).await
}

async fn a_patch_divides_old_runs_from_new_ones(world: World) {
    let app = open(&world, Build::Old).await;
    app.begin(&shop(Build::Old), (), "old").await;
    app.waits_for("old", "go:old").await;
    app.crash().await;
    let app = open(&world, Build::Patched).await;
    app.begin(&shop(Build::Patched), (), "new").await;
    app.waits_for("new", "go:new").await;
    app.crash().await;
    let app = open(&world, Build::Patched).await;
    app.send("go:old", ()).await;
    app.send("go:new", ()).await;
    assert_eq!(
        app.output::<Vec<String>>("old").await,
        ["reserve", "charge"]
    );
    assert_eq!(
        app.output::<Vec<String>>("new").await,
        ["reserve", "fraud", "charge"]
    );
    let mark = app.checkpoint("new", "fraud").await;
    assert_eq!(mark.kind, CheckpointKind::Patch);
}

async fn a_loop_takes_the_new_way_from_the_first_new_round(world: World) {
    let rounds = |patched: bool| {
        flow("rounds", move |ctx, ()| async move {
            let mut ways = Vec::new();
            for _ in 0..4 {
                let way = if patched && ctx.patched("way") {
                    "new"
                } else {
                    "old"
                };
                ctx.step(way, async || Ok::<_, StepError>(())).await?;
                ways.push(way.to_owned());
                let (): () = ctx.wait_for_signal("next").await?;
            }
            Ok(ways)
        })
    };
    let app = world.open(move |it| it.register(rounds(false))).await;
    app.begin(&rounds(false), (), "a").await;
    app.send("next", ()).await;
    app.until("a", |now| now.waiting_for.iter().any(|it| it.seq.0 == 3))
        .await;
    app.crash().await;
    for _ in 0..3 {
        let app = world.open(move |it| it.register(rounds(true))).await;
        app.send("next", ()).await;
        app.crash().await;
    }
    let app = world.open(move |it| it.register(rounds(true))).await;
    let ways = app.output::<Vec<String>>("a").await;
    assert_eq!(ways, ["old", "old", "new", "new"]);
}

async fn a_deprecated_patch_passes_over_marks(world: World) {
    let app = open(&world, Build::Patched).await;
    app.begin(&shop(Build::Patched), (), "marked").await;
    app.waits_for("marked", "go:marked").await;
    app.crash().await;
    let app = open(&world, Build::Deprecated).await;
    app.begin(&shop(Build::Deprecated), (), "plain").await;
    for run in ["marked", "plain"] {
        app.send(&format!("go:{run}"), ()).await;
        assert_eq!(
            app.output::<Vec<String>>(run).await,
            ["reserve", "fraud", "charge"]
        );
        let history = app.record(run).await.history;
        let marks = history.iter().filter(|it| it.kind == CheckpointKind::Patch);
        assert_eq!(marks.count(), usize::from(run == "marked"));
        let all_done =
            |it: &axum_durable::model::Checkpoint| it.status == CheckpointStatus::Completed;
        assert!(history.iter().all(all_done));
    }
}

async fn a_patch_that_was_taken_out_is_a_divergence(world: World) {
    let app = open(&world, Build::Patched).await;
    app.begin(&shop(Build::Patched), (), "a").await;
    app.waits_for("a", "go:a").await;
    app.crash().await;
    let app = open(&world, Build::Old).await;
    app.send("go:a", ()).await;
    let blocked = app.ended("a").await;
    assert_eq!(code(&blocked), Some("diverged"));
    let message = &blocked.failure.unwrap().message;
    assert!(message.contains("recorded patch `fraud`"), "{message}");
}
