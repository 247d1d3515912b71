//! Whose runs are executed by whom.

use std::{future::IntoFuture as _, time::Duration};

use axum_durable::{
    Durable, MemoryStore, RunStatus,
    durable::{BuildError, Error},
    model::RunQuery,
    prelude::*,
};

use crate::support::world::{App, World, flow, in_every_world, on_every_server, soon};

in_every_world!(
    an_instance_of_a_namespace_executes_only_its_runs,
    relatives_are_in_the_namespace_of_their_run,
);

on_every_server!(an_instance_of_a_namespace_executes_only_its_runs);

fn quick() -> Workflow<u32, u32> {
    flow("quick", |ctx, n: u32| async move {
        ctx.step("add", async || Ok::<_, StepError>(n + 1)).await
    })
}

async fn namespace(app: &App, run: &str) -> String {
    app.record(run).await.run.namespace.to_string()
}

async fn an_instance_of_a_namespace_executes_only_its_runs(world: World) {
    let shop = world
        .open(|it| it.register(quick()).namespace("shop"))
        .await;
    shop.begin(&quick(), 1, "mine").await;
    assert_eq!(shop.output::<u32>("mine").await, 2);
    assert_eq!(namespace(&shop, "mine").await, "shop");
    let theirs = shop.start(quick(), 2).id("theirs").namespace("bakery");
    soon("the start", shop.run(theirs.into_future()))
        .await
        .unwrap();
    let start = shop.start(quick(), 3).id("later");
    let start = start.delay(Duration::from_millis(5)).into_future();
    soon("the start", shop.run(start)).await.unwrap();
    world.clock.advance(Duration::from_millis(10));
    // It was claimed, and the other one, which is due longer, was not.
    assert_eq!(shop.output::<u32>("later").await, 4);
    let left = shop.get_run("theirs").await.unwrap().unwrap();
    assert_eq!((left.status, left.owner), (RunStatus::Pending, None));
    let bakery = world
        .open(|it| it.register(quick()).namespace("bakery"))
        .await;
    assert_eq!(bakery.output::<u32>("theirs").await, 3);
    // One without a namespace executes those of all, and starts in `default`.
    bakery.crash().await;
    shop.crash().await;
    let all = world.open(|it| it.register(quick())).await;
    all.begin(&quick(), 4, "plain").await;
    let far = all.start(quick(), 5).id("far").namespace("far away");
    soon("the start", all.run(far.into_future())).await.unwrap();
    assert_eq!(all.output::<u32>("plain").await, 5);
    assert_eq!(all.output::<u32>("far").await, 6);
    assert_eq!(namespace(&all, "plain").await, "default");
    let mut query = RunQuery::default();
    query.namespace = Some("shop".into());
    let found = all.list_runs(&query).await.unwrap().runs;
    let mut found: Vec<_> = found.iter().map(|run| run.id.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["later", "mine"]);
}

fn parent() -> Workflow<u32, u32> {
    flow("parent", |ctx, n: u32| async move {
        let n = ctx.child(quick(), n).id(format!("child {n}")).await?;
        if n < 3 {
            ctx.continue_as_new(n).await?;
        }
        Ok(n)
    })
}

async fn relatives_are_in_the_namespace_of_their_run(world: World) {
    let app = world
        .open(|it| it.register(quick()).register(parent()))
        .await;
    let start = app.start(parent(), 1).id("a").namespace("shop");
    let run = soon("the start", app.run(start.into_future()))
        .await
        .unwrap();
    assert_eq!(soon("the result", run.result()).await.unwrap(), 3);
    for run in ["a", "a~1", "child 1", "child 2"] {
        assert_eq!(namespace(&app, run).await, "shop", "{run}");
    }
    soon("the fork", app.fork("a~1").id("f")).await.unwrap();
    assert_eq!(namespace(&app, "f").await, "shop");
}

#[tokio::test]
async fn a_namespace_without_a_name_is_refused() {
    let build = |namespace: &'static str| {
        let builder = Durable::builder().store(MemoryStore::new());
        builder
            .only_registered()
            .register(quick())
            .namespace(namespace)
            .build()
    };
    assert!(matches!(build("").await, Err(BuildError::Config { .. })));
    let durable = build("shop").await.unwrap();
    for name in ["", "blank ", "line\n"] {
        let start = durable.start(quick(), 1).namespace(name).await;
        assert!(matches!(start, Err(Error::InvalidName(_))), "{name:?}");
    }
    durable.shutdown().await;
}
