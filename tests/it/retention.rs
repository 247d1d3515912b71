//! Old runs that vanish by themselves.

use std::time::Duration;

use axum_durable::{
    Durable, MemoryStore, RunStatus,
    durable::{BuildError, DurableBuilder, Keep, Retention, Swept},
    model::RunQuery,
    payload::{Codec, Payload, PayloadError},
    prelude::*,
};

use crate::support::world::{App, World, in_every_world, on_every_server};

in_every_world!(
    runs_go_when_they_are_old_and_others_stay,
    the_stricter_of_two_limits_holds,
    a_tree_goes_from_the_top_once_all_of_it_has_ended,
    a_chain_of_continuations_does_not_grow_without_end,
);
on_every_server!(
    runs_go_when_they_are_old_and_others_stay,
    a_tree_goes_from_the_top_once_all_of_it_has_ended,
    a_chain_of_continuations_does_not_grow_without_end,
);

const DAY: Duration = Duration::from_secs(86_400);
const ENDED_WELL: [RunStatus; 2] = [RunStatus::Completed, RunStatus::Cancelled];

#[workflow(tags = ["brief"])]
async fn brief(ctx: &WorkflowCtx, fails: bool) -> Result<u32> {
    ctx.step("try", async || {
        if fails {
            return Err(StepError::fatal("no", "it fails"));
        }
        Ok(1)
    })
    .await
}

#[workflow]
async fn patient(ctx: &WorkflowCtx) -> Result<()> {
    ctx.wait_for_signal("go").await
}

#[workflow]
async fn parent(ctx: &WorkflowCtx) -> Result<()> {
    ctx.child(brief, false).id("child").await?;
    ctx.wait_for_signal("go").await
}

#[workflow]
async fn daily(ctx: &WorkflowCtx, day: u32) -> Result<u32> {
    if day == 5 {
        let (): () = ctx.wait_for_signal("go").await?;
        return Ok(day);
    }
    ctx.continue_as_new(day + 1).await?;
    Ok(0)
}

fn builder(world: DurableBuilder, retention: Retention) -> DurableBuilder {
    let world = world.register(brief).register(patient);
    world.register(parent).register(daily).retention(retention)
}

async fn open(world: &World, retention: &Retention) -> App {
    let retention = retention.clone();
    world.open(move |it| builder(it, retention)).await
}

async fn left(app: &Durable) -> Vec<String> {
    let page = app.list_runs(&RunQuery::default()).await.unwrap();
    let mut ids: Vec<String> = page.runs.iter().map(|it| it.id.to_string()).collect();
    ids.sort();
    ids
}

async fn runs_go_when_they_are_old_and_others_stay(world: World) {
    let month = Keep::of(ENDED_WELL).max_age(30 * DAY);
    let retention = Retention::new().policy(month);
    let app = open(&world, &retention).await;
    app.begin(&brief(), false, "old").await;
    app.begin(&brief(), true, "failed").await;
    app.begin(&patient(), (), "lives").await;
    app.ended("old").await;
    app.ended("failed").await;
    app.waits_for("lives", "go").await;
    world.clock.advance(29 * DAY);
    app.begin(&brief(), false, "young").await;
    app.ended("young").await;
    assert_eq!(app.sweep().await.unwrap(), Swept::default());
    world.clock.advance(2 * DAY);
    assert_eq!(app.sweep().await.unwrap().runs, 1);
    assert_eq!(left(&app).await, ["failed", "lives", "young"]);
    app.send("go", ()).await;
    assert_eq!(app.ended("lives").await.status, RunStatus::Completed);
}

async fn the_stricter_of_two_limits_holds(world: World) {
    let few = Keep::of(ENDED_WELL).max_age(30 * DAY).max_count(2);
    let retention = Retention::new().policy(few);
    let app = open(&world, &retention).await;
    for id in ["a", "b", "c", "d"] {
        app.begin(&brief(), false, id).await;
        app.ended(id).await;
        world.clock.advance(DAY);
    }
    assert_eq!(app.sweep().await.unwrap().runs, 2);
    assert_eq!(left(&app).await, ["c", "d"]);
    world.clock.advance(28 * DAY + Duration::from_secs(1));
    assert_eq!(app.sweep().await.unwrap().runs, 1);
    assert_eq!(left(&app).await, ["d"]);
}

async fn a_tree_goes_from_the_top_once_all_of_it_has_ended(world: World) {
    let retention = Retention::new().policy(Keep::of(ENDED_WELL).max_age(DAY));
    let app = open(&world, &retention).await;
    app.begin(&parent(), (), "parent").await;
    app.waits_for("parent", "go").await;
    world.clock.advance(2 * DAY);
    // The child has ended long ago. A crash makes its parent ask for it again.
    assert_eq!(app.sweep().await.unwrap().runs, 0);
    app.crash().await;
    let app = open(&world, &retention).await;
    app.waits_for("parent", "go").await;
    app.send("go", ()).await;
    assert_eq!(app.ended("parent").await.status, RunStatus::Completed);
    world.clock.advance(2 * DAY);
    // One sweep takes both.
    assert_eq!(app.sweep().await.unwrap().runs, 2);
    assert_eq!(left(&app).await, Vec::<String>::new());
}

async fn a_chain_of_continuations_does_not_grow_without_end(world: World) {
    let retention = Retention::new().policy(Keep::of(ENDED_WELL).max_age(DAY));
    let app = open(&world, &retention).await;
    let run = app.begin(&daily(), 1, "cron").await;
    app.waits_for("cron~4", "go").await;
    world.clock.advance(2 * DAY);
    assert_eq!(app.sweep().await.unwrap().runs, 3);
    assert_eq!(left(&app).await, ["cron", "cron~4"]);
    // The first one still leads to the last one, and its id is taken.
    app.begin(&daily(), 1, "cron").await;
    app.send("go", ()).await;
    assert_eq!(run.result().await.unwrap(), 5);
    world.clock.advance(2 * DAY);
    assert_eq!(app.sweep().await.unwrap().runs, 2);
}

#[tokio::test]
async fn sweeps_come_by_themselves() {
    let world = World::sqlite();
    let often = Duration::from_millis(20);
    let retention = Retention::new().policy(Keep::of(ENDED_WELL).max_age(DAY));
    let retention = retention.every(often);
    let app = open(&world, &retention).await;
    app.begin(&brief(), false, "old").await;
    app.ended("old").await;
    world.clock.advance(2 * DAY);
    while !left(&app).await.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn instances_that_sweep_at_once_do_no_harm() {
    let world = World::sqlite();
    let retention = Retention::new().policy(Keep::of(ENDED_WELL).max_age(DAY));
    let one = open(&world, &retention).await;
    let other = open(&world, &retention).await;
    for number in 0..300 {
        let id = format!("a{number}");
        one.begin(&brief(), false, &id).await;
        one.ended(&id).await;
    }
    world.clock.advance(2 * DAY);
    let (first, second) = tokio::join!(one.sweep(), other.sweep());
    assert_eq!(first.unwrap().runs + second.unwrap().runs, 300);
    assert_eq!(left(&one).await, Vec::<String>::new());
}

/// Turns bytes around.
#[derive(Debug)]
struct Backwards;

impl Codec for Backwards {
    fn name(&self) -> &'static str {
        "backwards"
    }

    fn encode(&self, plain: &Payload) -> Payload {
        Payload::from_bytes(plain.as_bytes().iter().rev().copied().collect::<Vec<u8>>())
    }

    fn decode(&self, stored: &Payload) -> std::result::Result<Payload, PayloadError> {
        Ok(self.encode(stored))
    }
}

#[tokio::test]
async fn old_runs_go_behind_a_codec_too() {
    let world = World::sqlite();
    let retention = Retention::new().policy(Keep::of(ENDED_WELL).max_age(DAY));
    let app = world
        .open(move |it| builder(it, retention).codec(Backwards))
        .await;
    app.begin(&brief(), false, "old").await;
    app.ended("old").await;
    world.clock.advance(2 * DAY);
    assert_eq!(app.sweep().await.unwrap().runs, 1);
}

#[tokio::test]
async fn a_retention_that_makes_no_sense_is_refused() {
    for (retention, expected) in [
        (
            Retention::new().policy(Keep::of([RunStatus::Running]).max_age(DAY)),
            "running runs have not ended",
        ),
        (
            Retention::new()
                .policy(Keep::of([RunStatus::Failed]).max_age(DAY))
                .policy(Keep::of([RunStatus::Failed, RunStatus::Dead]).max_count(5)),
            "failed runs are in two",
        ),
        (
            Retention::new().policy(Keep::of([RunStatus::Failed])),
            "the retention policy of failed runs has no limit",
        ),
        (
            Retention::new().policy(Keep::of([]).max_age(DAY)),
            "no status",
        ),
        (
            Retention::new().policy(Keep::of([RunStatus::Dead]).max_count(0)),
            "is zero",
        ),
        (Retention::new().signal_ids(Duration::ZERO), "is zero"),
    ] {
        let builder = Durable::builder().store(MemoryStore::new());
        let error = builder.retention(retention).build().await.unwrap_err();
        assert!(matches!(error, BuildError::Retention(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
