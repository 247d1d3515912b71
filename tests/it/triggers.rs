//! Runs that events start: one for each, or one for many.

use std::{collections::BTreeSet, time::Duration};

use axum_durable::{
    Durable, MemoryStore, RunStatus,
    durable::DurableBuilder,
    engine::EventOutcome,
    model::{EventId, Run, RunQuery, Trigger},
    prelude::*,
    time::Clock,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{
    crashes::everywhere,
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, message, on_every_server, soon},
};

in_every_world!(
    an_event_starts_a_run_of_each_workflow_that_wants_it,
    an_event_wakes_and_starts_in_one_publication,
    an_emitted_event_starts_runs_with_its_commit,
    a_payload_that_does_not_fit_fails_where_people_see_it,
    events_come_to_rest_before_one_run_gets_the_last,
    a_batch_starts_when_it_is_full_or_its_time_is_over,
    an_odd_event_comes_in_a_batch_of_its_own,
    a_batch_that_is_too_large_becomes_several,
    a_lost_accumulator_is_followed_by_another,
    a_long_stream_leaves_a_short_history,
    what_accumulates_outlives_a_crash,
);

on_every_server!(
    an_event_starts_a_run_of_each_workflow_that_wants_it,
    an_emitted_event_starts_runs_with_its_commit,
    events_come_to_rest_before_one_run_gets_the_last,
    a_batch_starts_when_it_is_full_or_its_time_is_over,
    a_lost_accumulator_is_followed_by_another,
    runs_start_with_a_transaction_of_the_host,
);

const SECOND: Duration = Duration::from_secs(1);
const DEBOUNCER: &str = "__evt_debounce:reindex";
const BATCHER: &str = "__evt_batch:digest";

#[workflow(on_event = ["placed", "renewed"], tags = ["shop"])]
async fn ship(_ctx: &WorkflowCtx, order: Value) -> Result<u64> {
    order["id"]
        .as_u64()
        .ok_or_else(|| WorkflowError::failed("unnumbered", "no number"))
}

/// Only what is large.
fn freight() -> Workflow<Value, Value> {
    let freight = flow("freight", |_ctx, order: Value| async move { Ok(order) });
    freight.on_event(Trigger::new("placed").matching("by.truck", true))
}

#[workflow(on_event = "edited", debounce = "5s")]
async fn reindex(_ctx: &WorkflowCtx, text: String) -> Result<String> {
    Ok(text)
}

#[workflow(on_event = "counted", batch = 3, within = "30s")]
async fn digest(_ctx: &WorkflowCtx, numbers: Vec<u32>) -> Result<Vec<u32>> {
    Ok(numbers)
}

fn all(builder: DurableBuilder) -> DurableBuilder {
    let builder = builder.register(ship).register(freight());
    builder.register(reindex).register(digest)
}

/// The run that an event starts.
fn started(event: &str, id: &str, workflow: &str) -> String {
    format!("evt:{}:{workflow}", EventId::named(event, id).0)
}

async fn publish(app: &App, event: &str, id: &str, payload: impl Into<Value>) -> EventOutcome {
    let published = app.publish_event(event, &payload.into()).id(id);
    soon("the event", published).await.unwrap()
}

async fn runs_of(app: &App, workflow: &str) -> Vec<Run> {
    let mut query = RunQuery::default();
    query.workflow = Some(workflow.into());
    query.limit = RunQuery::MAX_LIMIT;
    app.list_runs(&query).await.unwrap().runs
}

async fn ids_of(app: &App, workflow: &str) -> BTreeSet<String> {
    let runs = runs_of(app, workflow).await.into_iter();
    runs.map(|run| run.id.to_string()).collect()
}

/// Publishes numbers, without a name of their own.
async fn count(app: &App, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let published = app.publish_event("counted", &number);
        soon("the event", published).await.unwrap();
    }
}

/// Waits until a workflow has so many runs; what they return, the oldest first.
async fn outputs<O: DeserializeOwned>(app: &App, workflow: &str, runs: usize) -> Vec<O> {
    // What another process starts has no event here.
    const LOOK_AGAIN: Duration = Duration::from_millis(50);
    let mut events = app.subscribe();
    let all = soon("the runs", async {
        loop {
            let all = runs_of(app, workflow).await;
            if all.len() >= runs {
                return all;
            }
            drop(tokio::time::timeout(LOOK_AGAIN, events.recv()).await);
        }
    });
    let mut outputs = Vec::new();
    for run in all.await.into_iter().rev() {
        outputs.push(app.output(run.id.as_str()).await);
    }
    assert_eq!(outputs.len(), runs);
    outputs
}

/// Waits until an accumulator has taken what was published, and waits for so long now.
async fn waits(world: &World, app: &App, run: &str, left: Duration) {
    let until = world.clock.now() + left;
    app.until(run, |now| {
        now.waiting_for.iter().any(|it| it.until == Some(until))
    })
    .await;
}

async fn an_event_starts_a_run_of_each_workflow_that_wants_it(world: World) {
    // From a process that executes nothing.
    let api = world.open(|it| all(it).drive(false)).await;
    let (small, large) = (json!({"id": 1}), json!({"id": 2, "by": {"truck": true}}));
    for (id, order, many) in [("one", &small, 1), ("two", &large, 2), ("two", &large, 0)] {
        let outcome = publish(&api, "placed", id, order.clone()).await;
        match outcome {
            EventOutcome::Published { started, .. } => assert_eq!(started, many, "{id}"),
            _ => assert_eq!((id, many), ("two", 0)),
        }
    }
    // The same id under another name is another event.
    publish(&api, "renewed", "one", json!({"id": 3})).await;
    let app = world.open(all).await;
    assert_eq!(
        app.output::<u64>(&started("placed", "one", "ship")).await,
        1
    );
    assert_eq!(
        app.output::<u64>(&started("placed", "two", "ship")).await,
        2
    );
    assert_eq!(
        app.output::<u64>(&started("renewed", "one", "ship")).await,
        3
    );
    let freight = started("placed", "two", "freight");
    assert_eq!(app.output::<Value>(&freight).await, large);
    assert_eq!(ids_of(&app, "ship").await.len(), 3);
    assert_eq!(ids_of(&app, "freight").await, BTreeSet::from([freight]));
    let run = app.ended(&started("placed", "one", "ship")).await;
    let tags: Vec<_> = run.tags.iter().map(|tag| &**tag).collect();
    assert_eq!(tags, ["shop"]);
}

async fn an_event_wakes_and_starts_in_one_publication(world: World) {
    let hears = || {
        flow("hears", |ctx, ()| async move {
            Ok(ctx.wait_for_event::<Value>("placed").await?["id"].clone())
        })
    };
    let app = world.open(move |it| all(it).register(hears())).await;
    app.begin(&hears(), (), "h").await;
    app.waits_for("h", "placed").await;
    let outcome = publish(&app, "placed", "one", json!({"id": 7})).await;
    let EventOutcome::Published {
        runs, started: new, ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
    assert_eq!((runs, new), (1, 1));
    assert_eq!(app.output::<u64>("h").await, 7);
    assert_eq!(
        app.output::<u64>(&started("placed", "one", "ship")).await,
        7
    );
}

/// Emits an order, then numbers.
fn sells(ledger: &Ledger) -> Workflow<(), u32> {
    let ledger = ledger.clone();
    flow("sells", move |ctx, ()| {
        let ledger = ledger.clone();
        async move {
            let pay = async || Ok::<_, StepError>(ledger.note("paid"));
            ctx.step("pay", pay).await?;
            ctx.emit("placed", &json!({"id": 1}))?;
            for number in 1..=3 {
                ctx.emit("counted", &number)?;
            }
            ctx.step("pack", async || Ok::<_, StepError>(2)).await
        }
    })
}

async fn an_emitted_event_starts_runs_with_its_commit(world: World) {
    let ledger = Ledger::default();
    let sells = sells(&ledger);
    let registered = sells.clone();
    let open = move || {
        let registered = registered.clone();
        move |it| all(it).register(registered)
    };
    let app = world.open(open()).await;
    app.begin(&sells, (), "s").await;
    assert_eq!(app.output::<u32>("s").await, 2);
    app.crash().await;
    let app = world.open(open()).await;
    assert_eq!(outputs::<u64>(&app, "ship", 1).await, [1]);
    let digests = outputs::<Vec<u32>>(&app, "digest", 1).await;
    assert_eq!(digests, [[1, 2, 3]]);
    assert_eq!(ledger.count("paid"), 1);
}

async fn a_payload_that_does_not_fit_fails_where_people_see_it(world: World) {
    let strict = || {
        let strict = flow("strict", |_ctx, n: u32| async move { Ok(n) });
        strict.on_event("placed")
    };
    let app = world.open(move |it| all(it).register(strict())).await;
    publish(&app, "placed", "one", json!({"id": 7})).await;
    let refused = started("placed", "one", "strict");
    let ended = app.ended(&refused).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Failed, Some("payload"))
    );
    assert!(message(&ended).contains("u32"), "{}", message(&ended));
    assert_eq!(
        app.output::<u64>(&started("placed", "one", "ship")).await,
        7
    );
    let mended = app.retry_with_input(refused.as_str(), 7);
    soon("the retry", mended).await.unwrap();
    assert_eq!(app.output::<u32>(&refused).await, 7);
}

async fn events_come_to_rest_before_one_run_gets_the_last(world: World) {
    let app = world.open(all).await;
    for text in ["a", "b", "c"] {
        publish(&app, "edited", text, text).await;
        waits(&world, &app, DEBOUNCER, 5 * SECOND).await;
        world.clock.advance(4 * SECOND);
    }
    // What is repeated is no event.
    assert_eq!(
        publish(&app, "edited", "a", "a").await,
        EventOutcome::Duplicate
    );
    assert!(runs_of(&app, "reindex").await.is_empty());
    world.clock.advance(SECOND);
    let run = started("edited", "c", "reindex");
    assert_eq!(app.output_soon::<String>(&run).await, "c");
    app.until(DEBOUNCER, |now| now.reason.contains("without end"))
        .await;
    publish(&app, "edited", "d", "d").await;
    waits(&world, &app, DEBOUNCER, 5 * SECOND).await;
    world.clock.advance(5 * SECOND);
    let next = started("edited", "d", "reindex");
    assert_eq!(app.output_soon::<String>(&next).await, "d");
    assert_eq!(ids_of(&app, "reindex").await, BTreeSet::from([run, next]));
}

async fn a_batch_starts_when_it_is_full_or_its_time_is_over(world: World) {
    let app = world.open(all).await;
    count(&app, 1..=4).await;
    let full = outputs::<Vec<u32>>(&app, "digest", 1).await;
    assert_eq!(full, [[1, 2, 3]]);
    waits(&world, &app, BATCHER, 30 * SECOND).await;
    world.clock.advance(20 * SECOND);
    count(&app, [5]).await;
    // Its time is counted from its first event.
    waits(&world, &app, BATCHER, 10 * SECOND).await;
    let taken = app.until(BATCHER, |now| {
        now.waiting_for
            .iter()
            .any(|it| it.since == world.clock.now())
    });
    taken.await;
    world.clock.advance(10 * SECOND);
    let both = outputs::<Vec<u32>>(&app, "digest", 2).await;
    assert_eq!(both, [vec![1, 2, 3], vec![4, 5]]);
    assert_eq!(runs_of(&app, BATCHER).await.len(), 1);
    // The same event twice is one.
    for _ in 0..2 {
        publish(&app, "counted", "six", 6).await;
    }
    waits(&world, &app, BATCHER, 30 * SECOND).await;
    world.clock.advance(30 * SECOND);
    let six = started("counted", "six", "digest");
    assert_eq!(app.output_soon::<Vec<u32>>(&six).await, [6]);
}

async fn an_odd_event_comes_in_a_batch_of_its_own(world: World) {
    let app = world.open(all).await;
    count(&app, [1]).await;
    publish(&app, "counted", "odd", "x").await;
    waits(&world, &app, BATCHER, 30 * SECOND).await;
    count(&app, [3]).await;
    let odd = started("counted", "odd", "digest");
    let ended = app.ended_soon(&odd).await;
    assert_eq!(
        (ended.status, code(&ended)),
        (RunStatus::Failed, Some("payload"))
    );
}

async fn a_batch_that_is_too_large_becomes_several(world: World) {
    let texts = || {
        let texts = flow("texts", |_ctx, texts: Vec<String>| async move {
            Ok(texts.len())
        });
        texts.on_event("said").with_batch(4, 30 * SECOND)
    };
    let app = world
        .open(move |it| it.register(texts()).max_payload(1_024))
        .await;
    for id in ["1", "2", "3", "4"] {
        publish(&app, "said", id, "x".repeat(400)).await;
    }
    assert_eq!(outputs::<usize>(&app, "texts", 2).await, [2, 2]);
    // One that fills an input alone leaves no room for the brackets.
    publish(&app, "said", "full", "x".repeat(1_022)).await;
    waits(&world, &app, "__evt_batch:texts", 30 * SECOND).await;
    world.clock.advance(30 * SECOND);
    app.until("__evt_batch:texts", |now| {
        now.reason.contains("without end")
    })
    .await;
    assert_eq!(runs_of(&app, "texts").await.len(), 2);
    let history = app.record("__evt_batch:texts").await.history;
    let mut results = history.iter().filter_map(|it| it.result.as_ref());
    assert!(results.any(|it| it.as_text().is_some_and(|it| it.contains("starts no run"))));
}

async fn a_lost_accumulator_is_followed_by_another(world: World) {
    let app = world.open(all).await;
    publish(&app, "counted", "1", 1).await;
    waits(&world, &app, BATCHER, 30 * SECOND).await;
    // What it had taken is lost with it: whoever cancels it wants that.
    soon("the cancel", app.cancel(BATCHER)).await.unwrap();
    assert_eq!(app.ended(BATCHER).await.status, RunStatus::Cancelled);
    count(&app, 2..=4).await;
    let full = outputs::<Vec<u32>>(&app, "digest", 1).await;
    assert_eq!(full, [[2, 3, 4]]);
    // And so for one that is deleted, and for another process, which reads how things are.
    let second = format!("{BATCHER}~1");
    app.until(&second, |now| now.reason.contains("without end"))
        .await;
    soon("the cancel", app.cancel(&*second)).await.unwrap();
    app.ended(&second).await;
    for run in [BATCHER, &second] {
        soon("the deletion", app.delete_run(run)).await.unwrap();
    }
    app.stop().await;
    let app = world.open(all).await;
    count(&app, 5..=7).await;
    let both = outputs::<Vec<u32>>(&app, "digest", 2).await;
    assert_eq!(both, [[2, 3, 4], [5, 6, 7]]);
}

async fn a_long_stream_leaves_a_short_history(world: World) {
    let app = world.open(all).await;
    for number in 0..450 {
        let published = app.publish_event("edited", &number.to_string());
        soon("the event", published).await.unwrap();
    }
    let last = format!("{DEBOUNCER}~2");
    app.until(&last, |now| {
        now.waiting_for.iter().any(|it| it.until.is_some())
    })
    .await;
    // All of them have come: each is a wait, and the first has come with the input.
    while app.record(&last).await.history.len() < 53 {
        tokio::task::yield_now().await;
    }
    world.clock.advance(5 * SECOND);
    assert_eq!(outputs::<String>(&app, "reindex", 1).await, ["449"]);
    for run in runs_of(&app, DEBOUNCER).await {
        let length = app.record(run.id.as_str()).await.history.len();
        assert!(length < 250, "{} has {length}", run.id);
    }
}

async fn what_accumulates_outlives_a_crash(world: World) {
    let app = world.open(all).await;
    count(&app, [1]).await;
    publish(&app, "edited", "a", "a").await;
    waits(&world, &app, BATCHER, 30 * SECOND).await;
    waits(&world, &app, DEBOUNCER, 5 * SECOND).await;
    app.crash().await;
    let api = world.open(|it| all(it).drive(false)).await;
    count(&api, [2]).await;
    world.clock.advance(10 * SECOND);
    let app = world.open(all).await;
    let rested = started("edited", "a", "reindex");
    assert_eq!(app.output_soon::<String>(&rested).await, "a");
    count(&app, [3]).await;
    let full = outputs::<Vec<u32>>(&app, "digest", 1).await;
    assert_eq!(full, [[1, 2, 3]]);
}

async fn runs_start_with_a_transaction_of_the_host(world: World) {
    use sea_orm::TransactionTrait;

    let store = world.sql().await;
    let app = world.open(all).await;
    for (id, commits) in [("no", false), ("yes", true)] {
        let transaction = store.connection().begin().await.unwrap();
        for number in 1..=3 {
            let event = app.publish_event("counted", &number);
            event.in_transaction(&transaction).await.unwrap();
        }
        let event = app.publish_event("placed", &json!({"id": 7})).id(id);
        event.in_transaction(&transaction).await.unwrap();
        if commits {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
    }
    let yes = started("placed", "yes", "ship");
    assert_eq!(app.output_soon::<u64>(&yes).await, 7);
    assert_eq!(ids_of(&app, "ship").await, BTreeSet::from([yes]));
    let full = outputs::<Vec<u32>>(&app, "digest", 1).await;
    assert_eq!(full, [[1, 2, 3]]);
}

#[tokio::test]
async fn on_sqlite_runs_start_with_a_transaction_of_the_host() {
    runs_start_with_a_transaction_of_the_host(World::sqlite()).await;
}

/// Whatever commit a crash follows, each event starts one run, and is part of one batch.
#[tokio::test]
async fn a_crash_at_any_commit_starts_every_run_once() {
    let setup = |it: DurableBuilder| all(it);
    everywhere(6, setup, async |app: &App| {
        for number in 1..=3 {
            let id = number.to_string();
            publish(app, "counted", &id, number).await;
            publish(app, "placed", &id, json!({"id": number})).await;
        }
        let mut full = outputs::<Vec<u32>>(app, "digest", 1).await.concat();
        full.sort_unstable();
        assert_eq!(full, [1, 2, 3]);
        for number in 1..=3 {
            let run = started("placed", &number.to_string(), "ship");
            assert_eq!(app.output_soon::<u64>(&run).await, number);
        }
        assert_eq!(runs_of(app, "ship").await.len(), 3);
    })
    .await;
}

/// The same for events that a run emits: they go out with it, or not yet.
#[tokio::test]
async fn a_crash_at_any_commit_of_a_run_starts_what_it_emits_once() {
    let ledger = Ledger::default();
    let sold = sells(&ledger);
    let registered = sold.clone();
    let setup = move |it: DurableBuilder| all(it).register(registered.clone());
    everywhere(5, setup, async |app: &App| {
        app.begin(&sold, (), "s").await;
        assert_eq!(app.output::<u32>("s").await, 2);
        let digests = outputs::<Vec<u32>>(app, "digest", 1).await;
        assert_eq!(digests, [[1, 2, 3]]);
        assert_eq!(outputs::<u64>(app, "ship", 1).await, [1]);
    })
    .await;
}

/// A workflow that cannot be started so is refused when the app is built, and not when it runs.
#[tokio::test]
async fn a_trigger_that_cannot_be_is_refused_at_the_beginning() {
    let plain = || flow("plain", |_ctx, n: u32| async move { Ok(n) });
    let long = || {
        flow(
            Box::leak("x".repeat(141).into_boxed_str()),
            |_ctx, n: u32| async move { Ok(n) },
        )
    };
    for (workflow, reason) in [
        (plain().with_debounce(SECOND), "names none"),
        (plain().on_event(""), "cannot be"),
        (long().on_event("placed"), "140 bytes"),
    ] {
        let builder = Durable::builder().store(MemoryStore::new());
        let built = builder.only_registered().register(workflow).build().await;
        let refusal = built.map(drop).unwrap_err().to_string();
        assert!(refusal.contains(reason), "{refusal}");
    }
}
