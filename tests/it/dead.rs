//! What happens when a run is given up.

use std::sync::Arc;

use axum::{body::Body, extract::ConnectInfo, http::Request};
use axum_durable::{
    Durable, MemoryStore, RunStatus,
    durable::BuildError,
    durable_router,
    model::{DeadLetter, Run, RunQuery},
    prelude::*,
};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::support::{
    ledger::Ledger,
    turbo::Turbo,
    world::{App, World, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    a_run_that_kills_its_process_leaves_one_letter,
    a_run_that_panics_leaves_a_letter_each_time_that_it_dies,
    a_letter_that_dies_has_none_of_its_own,
);

on_every_server!(a_run_that_kills_its_process_leaves_one_letter);

/// Tells of dead runs.
fn undertaker(ledger: &Ledger) -> Workflow<DeadLetter, String> {
    let ledger = ledger.clone();
    flow("undertaker", move |ctx, dead: DeadLetter| {
        let ledger = ledger.clone();
        async move {
            let told = format!("{}@{} {}", dead.workflow, dead.version, dead.run_id);
            let (note, input) = (told.clone(), dead.input.clone());
            ctx.step("tell", move || {
                ledger.note(format!(
                    "{note} {input} {}",
                    dead.code.as_deref().unwrap_or("")
                ));
                async { Ok::<_, StepError>(()) }
            })
            .await?;
            Ok(told)
        }
    })
}

/// The letters of a run.
async fn letters(app: &App, run: &str) -> Vec<Run> {
    let mut query = RunQuery::default();
    query.parent = Some(axum_durable::id::RunId::from_trusted(run));
    app.list_runs(&query).await.unwrap().runs
}

/// Dies with its process again and again.
fn deadly(ledger: &Ledger, begun: &Arc<Notify>) -> Workflow<u32, u32> {
    let (seen, begun) = (ledger.clone(), Arc::clone(begun));
    let deadly = flow("deadly", move |ctx, _: u32| {
        let (ledger, begun) = (seen.clone(), Arc::clone(&begun));
        async move {
            let step = ctx.step("die", async || {
                ledger.note("die");
                begun.notify_one();
                std::future::pending::<Result<u32, StepError>>().await
            });
            step.await
        }
    });
    deadly.with_dead_letter(undertaker(ledger))
}

async fn a_run_that_kills_its_process_leaves_one_letter(world: World) {
    let (ledger, begun) = (Ledger::default(), Arc::new(Notify::new()));
    let told = Arc::new(Mutex::new(Vec::new()));
    let open = || {
        let (one, two) = (deadly(&ledger, &begun), undertaker(&ledger));
        let told = Arc::clone(&told);
        world.open(|it| {
            let it = it.register(one).register(two).max_recovery_attempts(1);
            it.on_dead(move |run| told.lock().push(run.id.to_string()))
        })
    };
    let app = open().await;
    let start = app.start(deadly(&ledger, &begun), 7).id("a").tag("vip");
    start.await.unwrap();
    soon("the first life", begun.notified()).await;
    app.crash().await;
    let (app, also) = loop {
        // Two at a time, both of which see that the last one has died.
        let (app, also) = tokio::join!(open(), open());
        let is_dead = tokio::select! {
            biased;
            () = begun.notified() => false,
            _ = app.ended("a") => true,
        };
        if is_dead {
            break (app, also);
        }
        app.crash().await;
        also.crash().await;
    };
    assert_eq!(app.ended("a").await.status, RunStatus::Dead);
    let found = letters(&app, "a").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let letter = app.ended(found[0].id.as_str()).await;
    assert_eq!(letter.status, RunStatus::Completed);
    assert!(letter.id.as_str().starts_with("a~dead"), "{}", letter.id);
    let tags: Vec<_> = letter.tags.iter().map(|tag| &**tag).collect();
    assert_eq!(tags, ["vip"]);
    assert_eq!(letter.parent.unwrap().run.as_str(), "a");
    // And the other way round.
    assert_eq!(
        app.explain("a").await.unwrap().dead_letter,
        Some(letter.id.clone())
    );
    let dead = app.get_run("a").await.unwrap().unwrap();
    assert_eq!(DeadLetter::id_of(&dead), letter.id);
    let router = axum::Router::new().merge(durable_router());
    let router = router.with_durable((*app).clone());
    let peer: std::net::SocketAddr = "127.0.0.1:1".parse().unwrap();
    let request = Request::get("/durable/api/runs/a").extension(ConnectInfo(peer));
    let request = request.body(Body::empty()).unwrap();
    let answer = soon("the answer", router.oneshot(request)).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
    let detail: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(detail["dead_letter"], letter.id.as_str(), "{detail}");
    assert_eq!(ledger.count("deadly@1 a 7 too_many_recoveries"), 1);
    drop((app, also));
}

/// Panics, whoever executes it.
fn hopeless() -> Workflow<u32, u32> {
    flow("hopeless", |ctx, _: u32| async move {
        let one = ctx.now();
        assert!(one.as_millis() < 0, "no hope");
        Ok(1)
    })
}

async fn a_run_that_panics_leaves_a_letter_each_time_that_it_dies(world: World) {
    if !world.is_memory() {
        // What it adds to the case of a killed process is in the engine, not in the store.
        return;
    }
    let world = World::memory_by(Turbo::default());
    let ledger = Ledger::default();
    let told = Arc::new(Notify::new());
    let (register, hook) = (undertaker(&ledger), Arc::clone(&told));
    let app = world
        .open(|it| {
            let it = it.register(hopeless()).register(register.clone());
            let it = it.dead_letter(register).max_recovery_attempts(2);
            it.on_dead(move |run| {
                assert_eq!(run.status, RunStatus::Dead);
                hook.notify_one();
            })
        })
        .await;
    app.begin(&hopeless(), 3, "a").await;
    for times in 1..=2_u32 {
        assert_eq!(app.ended("a").await.status, RunStatus::Dead);
        soon("the hook", told.notified()).await;
        let found = letters(&app, "a").await;
        assert_eq!(u32::try_from(found.len()), Ok(times), "{found:?}");
        for letter in found {
            assert_eq!(
                app.ended(letter.id.as_str()).await.status,
                RunStatus::Completed
            );
        }
        assert_eq!(ledger.count("hopeless@1 a 3 panic"), times);
        if times == 1 {
            app.requeue("a").await.unwrap();
            let now = app.until("a", |now| now.status != RunStatus::Dead).await;
            assert_eq!(now.dead_letter, None);
        }
    }
}

async fn a_letter_that_dies_has_none_of_its_own(world: World) {
    if !world.is_memory() {
        return;
    }
    let world = World::memory_by(Turbo::default());
    let grave = || {
        flow("grave", |ctx, dead: DeadLetter| async move {
            assert!(ctx.now().as_millis() < 0, "{} buries nobody", dead.run_id);
            Ok(())
        })
    };
    let (one, two) = (grave(), grave());
    let app = world
        .open(|it| {
            let it = it.register(hopeless()).register(one);
            it.dead_letter(two).max_recovery_attempts(0)
        })
        .await;
    app.begin(&hopeless(), 3, "a").await;
    assert_eq!(app.ended("a").await.status, RunStatus::Dead);
    let found = letters(&app, "a").await;
    assert_eq!(found.len(), 1);
    let letter = app.ended(found[0].id.as_str()).await;
    assert_eq!(letter.status, RunStatus::Dead);
    assert_eq!(letters(&app, letter.id.as_str()).await.len(), 0);
}

#[tokio::test]
async fn a_dead_letter_workflow_must_be_registered() {
    let ledger = Ledger::default();
    let builder = Durable::builder()
        .store(MemoryStore::new())
        .only_registered();
    let alone = builder.register(hopeless().with_dead_letter(undertaker(&ledger)));
    let refused = alone.build().await.unwrap_err();
    assert!(matches!(refused, BuildError::Registry(_)), "{refused}");
    assert!(refused.to_string().contains("`undertaker`"), "{refused}");
    let builder = Durable::builder()
        .store(MemoryStore::new())
        .only_registered();
    let refused = builder.dead_letter(undertaker(&ledger)).build().await;
    assert!(refused.unwrap_err().to_string().contains("`undertaker`"));
}
