//! Entities: each operation is applied once, one after the other, whoever sends it and whatever
//! dies meanwhile.

use std::{collections::BTreeSet, time::Duration};

use axum_durable::{
    RunStatus,
    durable::{EntityHandle, Error},
    model::{CheckpointKind, RunQuery},
    prelude::*,
    testing::{Scenario, TestDurable},
};
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::{
    crashes::everywhere,
    world::{App, World, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    operations_are_applied_one_after_the_other,
    an_operation_that_fails_changes_nothing_and_the_next_one_goes_on,
    an_entity_goes_on_as_the_next_run_and_loses_nothing,
    who_repeats_a_call_gets_the_same_answer,
    a_stopped_entity_refuses_calls_and_goes_on_after_a_requeue,
    a_workflow_calls_entities_and_gets_their_answers,
    a_call_that_is_not_answered_times_out,
    a_cancelled_caller_waits_no_longer_and_a_requeue_sends_nothing_twice,
    a_caller_that_failed_sends_again_what_was_not_recorded_only,
    a_fork_calls_anew,
    a_run_of_an_entity_is_not_deleted_beneath_it,
    a_deleted_entity_begins_anew,
);

on_every_server!(
    operations_are_applied_one_after_the_other,
    an_operation_that_fails_changes_nothing_and_the_next_one_goes_on,
    an_entity_goes_on_as_the_next_run_and_loses_nothing,
    who_repeats_a_call_gets_the_same_answer,
    a_stopped_entity_refuses_calls_and_goes_on_after_a_requeue,
    a_workflow_calls_entities_and_gets_their_answers,
    a_call_that_is_not_answered_times_out,
    a_cancelled_caller_waits_no_longer_and_a_requeue_sends_nothing_twice,
    a_caller_that_failed_sends_again_what_was_not_recorded_only,
    a_fork_calls_anew,
    a_deleted_entity_begins_anew,
);

const HOUR: Duration = Duration::from_secs(3_600);

/// With a state of so many bytes, an entity's run takes four operations.
const LARGE: usize = 300_000;

/// A list that remembers the order in which it grew.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Till {
    entries: Vec<u32>,
    #[serde(default)]
    weight: String,
}

#[entity]
impl Till {
    #[on]
    fn add(&mut self, entry: u32) -> usize {
        self.entries.push(entry);
        self.entries.len()
    }

    #[on]
    fn sum(&self) -> u32 {
        self.entries.iter().sum()
    }

    /// Makes each record of its state large.
    #[on]
    fn weigh(&mut self, bytes: usize) {
        self.weight = "x".repeat(bytes);
    }

    #[on(name = "take-out")]
    fn take_out(&mut self, entry: u32) -> Result<(), StepError> {
        self.entries.clear();
        Err(StepError::fatal("closed", "the till is closed").with_details(&entry))
    }

    #[on]
    fn drop_it(&mut self) -> u32 {
        self.entries.clear();
        panic!("the till fell down");
    }
}

async fn open(world: &World) -> App {
    world.open(|it| it.register(Till::entity)).await
}

fn till(app: &App) -> EntityHandle<Till> {
    app.entity("ada").unwrap()
}

async fn add(app: &App, entry: u32) -> usize {
    let call = till(app).call(Till::ADD, entry);
    soon("the call", call).await.unwrap()
}

async fn entries(app: &App) -> Vec<u32> {
    let state = till(app).state().await.unwrap();
    state.map(|it| it.entries).unwrap_or_default()
}

/// How many runs the entity has, and how many of them go on.
async fn runs(app: &App) -> (usize, usize) {
    let mut query = RunQuery::default();
    query.id_prefix = Some("entity:till:ada".into());
    let page = app.list_runs(&query).await.unwrap();
    let alive = page.runs.iter().filter(|run| !run.status.is_terminal());
    (page.runs.len(), alive.count())
}

/// Ends the entity's run as an operator does.
async fn stop(app: &App) {
    let run = till(app).run().await.unwrap().unwrap();
    app.waits_for(run.id.as_str(), "entity:till:ada").await;
    app.cancel(run.id.as_str()).await.unwrap();
    assert_eq!(
        app.ended(run.id.as_str()).await.status,
        RunStatus::Cancelled
    );
}

async fn operations_are_applied_one_after_the_other(world: World) {
    let app = open(&world).await;
    assert!(till(&app).state().await.unwrap().is_none());
    let api = world
        .open(|it| it.register(Till::entity).drive(false))
        .await;
    let calls = (0..20).map(|n| {
        let app = if n % 2 == 0 { &app } else { &api };
        add(app, n)
    });
    let lengths: BTreeSet<usize> = join_all(calls).await.into_iter().collect();
    assert_eq!(lengths, (1..=20).collect());
    assert_eq!(entries(&api).await.len(), 20);
    let sum = soon("the sum", till(&api).call(Till::SUM, ())).await;
    assert_eq!(sum.unwrap(), 190);
    let other = api.entity::<Till>("eve").unwrap();
    assert_eq!(soon("the call", other.call(Till::ADD, 1)).await.unwrap(), 1);
    assert_eq!(runs(&api).await, (1, 1));
}

async fn an_operation_that_fails_changes_nothing_and_the_next_one_goes_on(world: World) {
    let app = open(&world).await;
    add(&app, 7).await;
    let refused = soon("the call", till(&app).call(Till::TAKE_OUT, 3)).await;
    let Err(Error::EntityFailed { operation, failure }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (&*operation, failure.code.as_deref()),
        ("take-out", Some("closed"))
    );
    assert_eq!(failure.details, Some(3.into()));
    let fell = soon("the call", till(&app).call(Till::DROP_IT, ())).await;
    assert!(matches!(fell, Err(Error::EntityFailed { .. })), "{fell:?}");
    app.send("entity:till:ada", "nonsense").await;
    app.send(
        "entity:till:ada",
        serde_json::json!({"op": "no-such", "input": 1}),
    )
    .await;
    app.send(
        "entity:till:ada",
        serde_json::json!({"op": "add", "input": "no number"}),
    )
    .await;
    assert_eq!(add(&app, 8).await, 2);
    app.crash().await;
    let app = open(&world).await;
    assert_eq!(add(&app, 9).await, 3);
    assert_eq!(entries(&app).await, [7, 8, 9]);
}

async fn an_entity_goes_on_as_the_next_run_and_loses_nothing(world: World) {
    let app = open(&world).await;
    let weigh = till(&app).call(Till::WEIGH, LARGE);
    soon("the call", weigh).await.unwrap();
    for n in 0..20 {
        soon("the signal", till(&app).signal(Till::ADD, n))
            .await
            .unwrap();
    }
    assert_eq!(add(&app, 20).await, 21);
    let expected: Vec<u32> = (0..=20).collect();
    assert_eq!(entries(&app).await, expected);
    let (all, alive) = runs(&app).await;
    assert!(all > 4, "{all} runs");
    assert_eq!(alive, 1);
    app.crash().await;
    let app = open(&world).await;
    assert_eq!(entries(&app).await, expected);
    assert_eq!(add(&app, 21).await, 22);
    assert_eq!(runs(&app).await.1, 1);
}

async fn who_repeats_a_call_gets_the_same_answer(world: World) {
    let app = open(&world).await;
    let named = |id: &'static str, entry| till(&app).call(Till::ADD, entry).id(id);
    assert_eq!(soon("the call", named("a", 1)).await.unwrap(), 1);
    assert_eq!(soon("the call", named("b", 2)).await.unwrap(), 2);
    assert_eq!(soon("the call", named("a", 1)).await.unwrap(), 1);
    soon("the signal", till(&app).signal(Till::ADD, 3).id("c"))
        .await
        .unwrap();
    soon("the signal", till(&app).signal(Till::ADD, 3).id("c"))
        .await
        .unwrap();
    // Kept also by the run before, and by an entity that was stopped.
    soon("the call", till(&app).call(Till::WEIGH, LARGE))
        .await
        .unwrap();
    for n in 4..8 {
        add(&app, n).await;
    }
    let first = app.get_run("entity:till:ada").await.unwrap().unwrap();
    assert_eq!(first.status, RunStatus::Completed);
    assert_eq!(soon("the call", named("b", 2)).await.unwrap(), 2);
    stop(&app).await;
    assert_eq!(soon("the call", named("b", 2)).await.unwrap(), 2);
    assert_eq!(entries(&app).await, [1, 2, 3, 4, 5, 6, 7]);
}

async fn a_stopped_entity_refuses_calls_and_goes_on_after_a_requeue(world: World) {
    let app = open(&world).await;
    soon("the call", till(&app).call(Till::WEIGH, LARGE))
        .await
        .unwrap();
    for n in 1..=5 {
        add(&app, n).await;
    }
    stop(&app).await;
    let refused = soon("the call", till(&app).call(Till::ADD, 6))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("cancelled"), "{refused}");
    soon("the signal", till(&app).signal(Till::ADD, 7))
        .await
        .unwrap();
    assert_eq!(entries(&app).await, [1, 2, 3, 4, 5]);
    assert_eq!(runs(&app).await, (2, 0));
    let run = till(&app).run().await.unwrap().unwrap();
    app.requeue(run.id.as_str()).await.unwrap();
    assert_eq!(add(&app, 8).await, 7);
    assert_eq!(entries(&app).await, [1, 2, 3, 4, 5, 7, 8]);
}

/// Adds an entry, tells another till, and asks for the sum; a `limit` ends its patience.
fn book() -> Workflow<Option<u64>, u32> {
    flow("book", |ctx, limit: Option<u64>| async move {
        ctx.signal_entity("ada", Till::ADD, 1)?;
        let call = ctx.call_entity("ada", Till::ADD, 2);
        let length = match limit {
            Some(seconds) => call.timeout(Duration::from_secs(seconds)).await?,
            None => call.await?,
        };
        ctx.signal_entity("eve", Till::ADD, 9)?;
        let sum = ctx.call_entity("ada", Till::SUM, ()).await?;
        let refused = ctx.call_entity("eve", Till::TAKE_OUT, 5).await.unwrap_err();
        assert_eq!(refused.code(), Some("closed"));
        assert_eq!(refused.details::<u32>(), Some(5));
        Ok(u32::try_from(length)? * 100 + sum)
    })
}

async fn open_with_book(world: &World) -> App {
    world
        .open(|it| it.register(Till::entity).register(book()))
        .await
}

async fn a_workflow_calls_entities_and_gets_their_answers(world: World) {
    let app = open_with_book(&world).await;
    app.begin(&book(), None, "a").await;
    assert_eq!(app.output::<u32>("a").await, 203);
    assert_eq!(entries(&app).await, [1, 2]);
    let eve = app.entity::<Till>("eve").unwrap().state().await.unwrap();
    assert_eq!(eve.unwrap().entries, [9]);
    assert_eq!(runs(&app).await, (1, 1));
    let unfit = flow("unfit", |ctx, ()| async move {
        let empty = ctx.call_entity("", Till::SUM, ()).await.unwrap_err();
        assert_eq!(empty.code(), Some("invalid_name"));
        let unknown = ctx.call_entity("ada", Till::SUM, ()).await.unwrap_err();
        Ok(unknown.code().unwrap_or_default().to_owned())
    });
    let without = {
        let unfit = unfit.clone();
        world.open(|it| it.register(unfit)).await
    };
    without.begin(&unfit, (), "b").await;
    assert_eq!(without.output::<String>("b").await, "unknown_entity");
}

async fn a_call_that_is_not_answered_times_out(world: World) {
    let app = open_with_book(&world).await;
    add(&app, 0).await;
    stop(&app).await;
    app.begin(&book(), Some(HOUR.as_secs()), "a").await;
    let now = app.waits_for("a", "till.add").await;
    assert!(now.reason.contains("entity"), "{}", now.reason);
    world.clock.advance(HOUR);
    let late = app.ended("a").await;
    assert_eq!(late.failure.unwrap().code.as_deref(), Some("wait_timeout"));
    // What was sent is applied all the same, and a requeue finds the answer.
    app.requeue("entity:till:ada").await.unwrap();
    app.until("entity:till:ada", |now| now.status == RunStatus::Suspended)
        .await;
    app.requeue("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 303);
    assert_eq!(entries(&app).await, [0, 1, 2]);
}

async fn a_cancelled_caller_waits_no_longer_and_a_requeue_sends_nothing_twice(world: World) {
    let app = open_with_book(&world).await;
    add(&app, 0).await;
    stop(&app).await;
    app.begin(&book(), None, "a").await;
    app.waits_for("a", "till.add").await;
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    app.requeue("entity:till:ada").await.unwrap();
    assert_eq!(add(&app, 3).await, 4);
    app.requeue("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 306);
    assert_eq!(entries(&app).await, [0, 1, 2, 3]);
}

async fn a_caller_that_failed_sends_again_what_was_not_recorded_only(world: World) {
    // The call is dropped because the step beside it fails, and asked for again by the requeue.
    let both = || {
        flow("both", |ctx, ()| async move {
            let call = ctx.call_entity("ada", Till::ADD, 1);
            let step = async {
                let (): () = ctx.wait_for_signal("go").await?;
                ctx.step("break", async || {
                    Err::<usize, _>(StepError::fatal("broken", "broken"))
                })
                .await
            };
            tokio::try_join!(call, step).map(|(length, _)| length)
        })
    };
    let add_them =
        move |it: axum_durable::durable::DurableBuilder| it.register(Till::entity).register(both());
    let app = world.open(add_them).await;
    add(&app, 0).await;
    stop(&app).await;
    app.begin(&both(), (), "a").await;
    app.waits_for("a", "till.add").await;
    app.send("go", ()).await;
    assert_eq!(app.ended("a").await.status, RunStatus::Failed);
    app.requeue("entity:till:ada").await.unwrap();
    assert_eq!(add(&app, 2).await, 3);
    app.requeue("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Failed);
    assert_eq!(entries(&app).await, [0, 1, 2]);
    // From the top, everything is new.
    app.retry_with_input("a", ()).await.unwrap();
    app.send("go", ()).await;
    assert_eq!(app.ended("a").await.status, RunStatus::Failed);
    assert_eq!(add(&app, 3).await, 5);
}

async fn a_fork_calls_anew(world: World) {
    let app = open_with_book(&world).await;
    app.begin(&book(), None, "a").await;
    assert_eq!(app.output::<u32>("a").await, 203);
    let history = app.record("a").await.history;
    let call = history
        .iter()
        .find(|it| it.kind == CheckpointKind::EntityCall);
    let fork = app.fork("a").from_step(call.unwrap().seq.0).id("b");
    soon("the fork", fork).await.unwrap();
    assert_eq!(app.output::<u32>("b").await, 305);
    assert_eq!(entries(&app).await, [1, 2, 2]);
}

async fn a_run_of_an_entity_is_not_deleted_beneath_it(world: World) {
    let app = open(&world).await;
    soon("the call", till(&app).call(Till::WEIGH, LARGE))
        .await
        .unwrap();
    for n in 1..=5 {
        add(&app, n).await;
    }
    let refused = app.delete_run("entity:till:ada").await.unwrap_err();
    assert!(refused.to_string().contains("entity"), "{refused}");
    assert_eq!(add(&app, 6).await, 6);
    assert_eq!(runs(&app).await.1, 1);
}

async fn a_deleted_entity_begins_anew(world: World) {
    let app = open(&world).await;
    assert!(!till(&app).delete().await.unwrap());
    soon("the call", till(&app).call(Till::WEIGH, LARGE))
        .await
        .unwrap();
    for n in 1..=5 {
        add(&app, n).await;
    }
    assert!(till(&app).delete().await.is_err(), "it goes on");
    stop(&app).await;
    assert!(till(&app).delete().await.unwrap());
    assert_eq!(runs(&app).await, (0, 0));
    assert!(till(&app).state().await.unwrap().is_none());
    assert_eq!(add(&app, 9).await, 1);
    assert_eq!(entries(&app).await, [9]);
}

#[tokio::test]
async fn calls_from_outside_survive_a_crash_at_every_commit() {
    // Enough weight that the entity continues as another run on the way.
    let play = async |app: &App| {
        let weigh = till(app).call(Till::WEIGH, LARGE).id("w");
        soon("the call", weigh).await.unwrap();
        for n in 1..=5 {
            let call = till(app).call(Till::ADD, n).id(n.to_string());
            assert_eq!(soon("the call", call).await.unwrap(), n as usize);
        }
        let signal = till(app).signal(Till::ADD, 6).id("6");
        soon("the signal", signal).await.unwrap();
        let sum = till(app).call(Till::SUM, ());
        assert_eq!(soon("the sum", sum).await.unwrap(), 21);
        assert_eq!(entries(app).await, [1, 2, 3, 4, 5, 6]);
        let (all, alive) = runs(app).await;
        assert!(all > 1, "{all} runs");
        assert_eq!(alive, 1);
    };
    everywhere(12, |it| it.register(Till::entity), play).await;
}

#[tokio::test]
async fn calls_from_workflows_survive_a_crash_at_every_commit() {
    let play = async |app: &App| {
        app.begin(&book(), None, "a").await;
        assert_eq!(app.output::<u32>("a").await, 203);
        assert_eq!(entries(app).await, [1, 2]);
        assert_eq!(runs(app).await, (1, 1));
    };
    everywhere(8, |it| it.register(Till::entity).register(book()), play).await;
}

#[tokio::test]
async fn a_caller_is_tried_with_the_kit_of_the_users() {
    let scenario =
        Scenario::of(book(), None).with(|it| it.only_registered().register(Till::entity));
    let report = scenario.crash_everywhere().await;
    assert_eq!(report.output::<u32>().unwrap(), Some(203));
    scenario.simulate(0..20).await;
}

#[tokio::test]
async fn a_test_of_an_entity_takes_milliseconds() {
    let mut app = TestDurable::with(|it| it.only_registered().register(Till::entity))
        .await
        .unwrap();
    let till = |app: &TestDurable| app.entity::<Till>("ada").unwrap();
    assert_eq!(till(&app).call(Till::ADD, 1).await.unwrap(), 1);
    app.crash().await.unwrap();
    assert_eq!(till(&app).call(Till::ADD, 2).await.unwrap(), 2);
    assert_eq!(till(&app).state().await.unwrap().unwrap().entries, [1, 2]);
}

#[tokio::test]
async fn the_history_of_an_entity_stays_bounded() {
    let world = World::memory();
    let app = open(&world).await;
    for n in 0..1_100 {
        soon("the signal", till(&app).signal(Till::ADD, n))
            .await
            .unwrap();
    }
    assert_eq!(add(&app, 1_100).await, 1_101);
    assert_eq!(runs(&app).await, (3, 1));
    for run in ["entity:till:ada", "entity:till:ada~1", "entity:till:ada~2"] {
        let history = app.record(run).await.history.len();
        assert!(history <= 1_000, "{history} records in {run}");
    }
}

#[tokio::test]
async fn an_entity_is_described_with_its_operations() {
    let app = open(&World::memory()).await;
    let workflows = app.workflows();
    let described = workflows.iter().find(|it| &*it.name == "entity:till");
    let json = serde_json::to_value(described.unwrap()).unwrap();
    let operation = &json["operations"][0];
    assert_eq!(operation["name"], "add");
    assert_eq!(operation["input_schema"]["type"], "integer");
    assert!(json["input_schema"]["properties"]["entries"].is_object());
}
