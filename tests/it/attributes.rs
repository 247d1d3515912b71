//! Search attributes: what runs are looked for by.

use std::future::IntoFuture as _;

use axum_durable::{
    Durable, MemoryStore, RunStatus,
    durable::Error,
    engine::StartError,
    id::RunId,
    model::{CheckpointKind, DeadLetter, RunQuery},
    prelude::*,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{
    crashes::everywhere,
    probes::Watch,
    turbo::Turbo,
    world::{App, World, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    attributes_are_merged_and_found,
    parallel_steps_lose_no_attribute,
    an_upsert_that_does_not_fit_fails_the_same_on_replay,
    attributes_and_tags_go_on_with_the_run,
    a_start_that_does_not_fit_stores_nothing,
    an_upsert_costs_no_commit,
);

on_every_server!(
    attributes_are_merged_and_found,
    parallel_steps_lose_no_attribute,
    an_upsert_that_does_not_fit_fails_the_same_on_replay,
    attributes_and_tags_go_on_with_the_run,
);

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OrderAttributes {
    region: String,
    total: Option<u64>,
}

/// What the attributes of an order are not.
#[derive(Debug, PartialEq, Deserialize)]
struct Other {
    region: u32,
}

async fn attributes(app: &App, run: &str) -> Value {
    let read = soon("the attributes", app.attributes::<Value>(run)).await;
    read.unwrap().unwrap()
}

async fn found(app: &App, conditions: &[&str]) -> Vec<String> {
    let mut query = RunQuery::default();
    query.attributes = conditions.iter().map(|it| it.parse().unwrap()).collect();
    let page = soon("the list", app.list_runs(&query)).await.unwrap();
    page.runs.iter().map(|run| run.id.to_string()).collect()
}

async fn step(ctx: &WorkflowCtx, name: &str) -> Result<()> {
    ctx.step(name.to_owned(), async || Ok::<_, StepError>(()))
        .await
}

fn searchable() -> Workflow<(), ()> {
    flow("searchable", |ctx, ()| async move {
        ctx.upsert_search_attributes(&json!({"stage": 1, "region": "eu"}))?;
        step(&ctx, "first").await?;
        ctx.upsert_search_attributes(&json!({"stage": 2, "region": null, "vip": true}))?;
        ctx.wait_for_signal::<()>("go").await?;
        ctx.upsert_search_attributes(&json!({"stage": 3}))?;
        Ok(())
    })
}

async fn attributes_are_merged_and_found(world: World) {
    let app = world.open(|it| it.register(searchable())).await;
    let start = app.start(searchable(), ()).id("a");
    let start = start.attribute("customer", "ada").attribute("stage", 0);
    soon("the start", app.run(start.into_future()))
        .await
        .unwrap();
    app.waits_for("a", "go").await;
    let waiting = json!({"customer": "ada", "stage": 2, "vip": true});
    assert_eq!(attributes(&app, "a").await, waiting);
    assert_eq!(found(&app, &["stage:eq:2", "customer:eq:ada"]).await, ["a"]);
    assert_eq!(found(&app, &["region:eq:eu"]).await.len(), 0);
    app.crash().await;
    let app = world.open(|it| it.register(searchable())).await;
    app.waits_for("a", "go").await;
    assert_eq!(attributes(&app, "a").await, waiting);
    app.send("go", ()).await;
    assert_eq!(app.ended("a").await.status, RunStatus::Completed);
    assert_eq!(found(&app, &["stage:gt:2", "vip:eq:true"]).await, ["a"]);
    let history = app.record("a").await.history;
    let upserts = history
        .iter()
        .filter(|it| it.kind == CheckpointKind::Attributes);
    assert_eq!(upserts.count(), 3);
}

async fn parallel_steps_lose_no_attribute(world: World) {
    let busy = || {
        flow("busy", |ctx, ()| async move {
            let mut branches = Vec::new();
            for n in 0..8 {
                let ctx = &ctx;
                branches.push(async move {
                    step(ctx, &format!("step {n}")).await?;
                    ctx.upsert_search_attributes(&json!({format!("key{n}"): n}))
                });
            }
            futures_util::future::try_join_all(branches).await?;
            Ok(())
        })
    };
    let app = world.open(move |it| it.register(busy())).await;
    app.begin(&busy(), (), "a").await;
    assert_eq!(app.ended("a").await.status, RunStatus::Completed);
    let all = attributes(&app, "a").await;
    for n in 0..8 {
        assert_eq!(all[format!("key{n}")], n, "{all}");
    }
}

/// Says what was refused, and goes on.
fn typed() -> Workflow<Value, Vec<String>> {
    let typed = flow("typed", |ctx, patch: Value| async move {
        let mut refused = Vec::new();
        for patch in [
            patch,
            json!({"region": "eu", "total": 7}),
            json!({"list": []}),
        ] {
            if let Err(error) = ctx.upsert_search_attributes(&patch) {
                refused.push(error.to_string());
            }
        }
        ctx.wait_for_signal::<()>("go").await?;
        Ok(refused)
    });
    typed.with_search_attributes::<OrderAttributes>()
}

async fn an_upsert_that_does_not_fit_fails_the_same_on_replay(world: World) {
    let app = world.open(|it| it.register(typed())).await;
    for (id, patch) in [
        ("type", json!({"total": "seven"})),
        ("missing", json!({"total": 7})),
        ("unknown", json!({"region": "eu", "vip": true})),
        ("fits", json!({"region": "us"})),
    ] {
        app.begin(&typed(), patch, id).await;
        app.waits_for(id, "go").await;
        app.send("go", ()).await;
        app.ended(id).await;
    }
    app.begin(&typed(), json!({"total": "seven"}), "later")
        .await;
    app.waits_for("later", "go").await;
    app.crash().await;
    // With the type gone everything would pass; what is on record stays.
    let free = || {
        let mut free = typed();
        free = free.with_search_attributes::<Value>();
        free
    };
    let app = world.open(move |it| it.register(free())).await;
    app.send("go", ()).await;
    let told = app.output::<Vec<String>>("later").await;
    assert_eq!(told, app.output::<Vec<String>>("type").await);
    assert!(
        told[0].contains("workflow `typed`") && told[0].contains("`total`"),
        "{told:?}"
    );
    let second = |told: Vec<String>| told.first().cloned().unwrap();
    let missing = second(app.output("missing").await);
    assert!(missing.contains("missing field `region`"), "{missing}");
    let unknown = second(app.output("unknown").await);
    assert!(unknown.contains("`vip`"), "{unknown}");
    let fits: Vec<String> = app.output("fits").await;
    assert!(fits.len() == 1 && fits[0].contains("`list`"), "{fits:?}");
    // What was refused has changed nothing, and what came after it has counted.
    let read = app.attributes::<OrderAttributes>("type").await.unwrap();
    let expected = OrderAttributes {
        region: "eu".to_owned(),
        total: Some(7),
    };
    assert_eq!(read, Some(expected));
    // What is no `T` is nothing, and not an error.
    assert_eq!(app.attributes::<Other>("type").await.unwrap(), None);
    let missing = app.attributes::<Value>("nobody").await;
    assert!(matches!(missing, Err(Error::UnknownRun { .. })));
}

async fn a_start_that_does_not_fit_stores_nothing(world: World) {
    let app = world.open(|it| it.register(typed())).await;
    let refused = |outcome: std::result::Result<_, Error>, part: &str| {
        let Err(Error::Start(StartError::Attributes { .. })) = &outcome else {
            panic!("{outcome:?}");
        };
        let text = outcome.map(|_: RunHandle<_>| ()).unwrap_err().to_string();
        assert!(
            text.contains("workflow `typed`") && text.contains(part),
            "{text}"
        );
    };
    let start = || app.start(typed(), json!({})).id("a");
    refused(start().attribute("total", "seven").await, "`total`");
    refused(
        start().attribute("total", 7).await,
        "missing field `region`",
    );
    refused(start().attribute("re gion", "eu").await, "`re gion`");
    refused(
        start().attributes(&json!({"region": ["eu"]})).await,
        "`region`",
    );
    refused(start().attributes(&7).await, "an object");
    let with = app.signal_with_start(typed(), json!({})).id("a");
    refused(with.attribute("vip", true).signal("go", ()).await, "`vip`");
    assert!(
        app.list_runs(&RunQuery::default())
            .await
            .unwrap()
            .runs
            .is_empty()
    );
    // Together they are one; and a run that says nothing has nothing to check.
    let order = OrderAttributes {
        region: "eu".to_owned(),
        total: None,
    };
    let start = start().attributes(&order).attribute("total", 7);
    start.await.unwrap();
    assert_eq!(
        attributes(&app, "a").await,
        json!({"region": "eu", "total": 7})
    );
    app.start(typed(), json!({})).id("b").await.unwrap();
}

fn counts() -> Workflow<u32, u32> {
    flow("counts", |ctx, n: u32| async move {
        ctx.upsert_search_attributes(&json!({"round": n}))?;
        ctx.add_tag(format!("round {n}"));
        step(&ctx, "round").await?;
        if n < 3 {
            ctx.continue_as_new(n + 1).await?;
        }
        ctx.wait_for_signal::<()>("go").await?;
        let child = ctx.child(hapless(), ()).attribute("region", "eu");
        let child = child.attributes(&json!({"total": 7})).await;
        assert!(child.is_err());
        Ok(n)
    })
}

/// Fails.
fn hapless() -> Workflow<(), ()> {
    flow("hapless", |ctx, ()| async move {
        let step = ctx.step("fail", async || {
            Err::<(), _>(StepError::fatal("no", "no luck"))
        });
        step.await
    })
}

async fn attributes_and_tags_go_on_with_the_run(world: World) {
    let add = |it: axum_durable::durable::DurableBuilder| it.register(counts()).register(hapless());
    let app = world.open(add).await;
    let start = app.start(counts(), 1).id("a").attribute("customer", "ada");
    soon("the start", app.run(start.into_future()))
        .await
        .unwrap();
    app.waits_for("a~2", "go").await;
    let last = json!({"customer": "ada", "round": 3});
    assert_eq!(attributes(&app, "a~2").await, last);
    let tags = app.record("a~2").await.run.tags;
    assert_eq!(tags, ["round 1".into(), "round 2".into(), "round 3".into()]);
    assert_eq!(
        found(&app, &["customer:eq:ada", "round:lt:3"]).await.len(),
        2
    );
    app.send("go", ()).await;
    app.ended("a~2").await;
    let fork = soon("the fork", app.fork("a~2").id("f")).await;
    drop(fork.unwrap());
    assert_eq!(attributes(&app, "f").await, last);
    let children = found(&app, &["region:eq:eu", "total:eq:7"]).await;
    let child = &children[0];
    assert_eq!(app.ended(child).await.status, RunStatus::Failed);
    app.retry_with_input(child.as_str(), ()).await.unwrap();
    assert_eq!(
        attributes(&app, child).await,
        json!({"region": "eu", "total": 7})
    );
}

async fn an_upsert_costs_no_commit(world: World) {
    let record = |upserts: bool| {
        flow("record", move |ctx, ()| async move {
            if upserts {
                ctx.upsert_search_attributes(&json!({"stage": 1}))?;
            }
            step(&ctx, "first").await?;
            if upserts {
                ctx.upsert_search_attributes(&json!({"stage": 2}))?;
            }
            step(&ctx, "second").await?;
            Ok(())
        })
    };
    let mut commits = Vec::new();
    for (upserts, id) in [(false, "without"), (true, "with")] {
        let watch = Watch::default();
        let app = world
            .open_probed(watch.clone(), move |it| it.register(record(upserts)))
            .await;
        let before = watch.batches();
        app.begin(&record(upserts), (), id).await;
        app.ended(id).await;
        commits.push(watch.batches() - before);
        app.stop().await;
    }
    assert_eq!(commits[0], commits[1], "{commits:?}");
}

#[tokio::test]
async fn no_crash_loses_or_repeats_an_upsert() {
    let play = async |app: &App| {
        let start = app
            .start(searchable(), ())
            .id("a")
            .attribute("customer", "ada");
        soon("the start", app.run(start.into_future()))
            .await
            .unwrap();
        let sent = app.signal("go", ()).dedupe_id("once");
        soon("the signal", sent).await.unwrap();
        app.ended("a").await;
        let all = attributes(app, "a").await;
        assert_eq!(all, json!({"customer": "ada", "stage": 3, "vip": true}));
        assert_eq!(found(app, &["stage:lt:3"]).await.len(), 0);
    };
    everywhere(3, |it| it.register(searchable()), play).await;
}

/// The attributes of a workflow that has no use for those of an order.
#[derive(Deserialize, JsonSchema)]
struct Strict {
    #[expect(dead_code, reason = "read by serde")]
    case: u32,
}

/// Panics after it has said what it is about.
fn hopeless(undertaker: Workflow<DeadLetter, ()>) -> Workflow<(), ()> {
    let hopeless = flow("hopeless", |ctx, ()| async move {
        ctx.upsert_search_attributes(&json!({"region": "eu"}))?;
        step(&ctx, "first").await?;
        let now = ctx.now();
        assert!(now.as_millis() < 0, "no hope");
        Ok(())
    });
    hopeless.with_dead_letter(undertaker)
}

#[tokio::test]
async fn a_dead_letter_has_the_attributes_that_it_may_have() {
    for (is_strict, expected) in [(false, json!({"region": "eu"})), (true, json!({}))] {
        let undertaker = move || {
            let it = flow("undertaker", |_, _: DeadLetter| async move { Ok(()) });
            if is_strict {
                it.with_search_attributes::<Strict>()
            } else {
                it
            }
        };
        let world = World::memory_by(Turbo::default());
        let hopeless = move || hopeless(undertaker());
        let app = world
            .open(move |it| {
                let it = it.register(hopeless()).register(undertaker());
                it.max_recovery_attempts(1)
            })
            .await;
        app.begin(&hopeless(), (), "a").await;
        assert_eq!(app.ended("a").await.status, RunStatus::Dead);
        let mut query = RunQuery::default();
        query.parent = Some(RunId::from_trusted("a"));
        let letters = app.list_runs(&query).await.unwrap().runs;
        assert_eq!(attributes(&app, letters[0].id.as_str()).await, expected);
    }
}

#[workflow(search_attributes = OrderAttributes)]
async fn declared(_ctx: &WorkflowCtx) -> Result<()> {
    Ok(())
}

#[tokio::test]
async fn a_description_shows_the_type_of_the_attributes() {
    let store = MemoryStore::new();
    let builder = Durable::builder().store(store).only_registered();
    let durable = builder.register(declared).build().await.unwrap();
    let told = serde_json::to_value(durable.describe(declared)).unwrap();
    assert!(
        told["attributes_schema"]["properties"]["region"].is_object(),
        "{told}"
    );
    let refused = durable.start(declared, ()).attribute("region", 7).await;
    assert!(refused.unwrap_err().to_string().contains("`region`"));
    durable.shutdown().await;
}
