//! Events: everyone who waits hears them once, and so does who comes to the wait a little later.

use std::time::Duration;

use axum_durable::{
    RunStatus, durable::Error, engine::EventOutcome, model::CheckpointStatus, prelude::*,
    testing::Scenario,
};
use serde_json::{Value, json};

use crate::support::{
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    everyone_who_waits_hears_what_matches,
    an_event_published_before_the_wait_is_heard,
    an_event_after_the_timeout_never_flips_the_branch,
    an_event_that_came_outlives_a_crash_and_beats_the_timeout,
    a_loop_hears_every_event_once_and_in_order,
    the_loser_of_a_race_leaves_its_event_to_the_next_wait,
    an_event_repeated_under_its_id_is_heard_once,
    an_event_is_kept_for_a_while,
    an_emitted_event_goes_out_with_its_commit,
    a_requeued_run_hears_what_it_has_not_heard,
    a_paused_run_hears_what_came_meanwhile,
    an_event_of_the_wrong_type_can_be_caught,
    an_event_that_cannot_be_is_refused,
    a_skipped_wait_takes_the_value_that_it_is_given,
);

on_every_server!(
    everyone_who_waits_hears_what_matches,
    an_event_published_before_the_wait_is_heard,
    an_event_after_the_timeout_never_flips_the_branch,
    an_event_that_came_outlives_a_crash_and_beats_the_timeout,
    a_loop_hears_every_event_once_and_in_order,
    the_loser_of_a_race_leaves_its_event_to_the_next_wait,
    an_event_repeated_under_its_id_is_heard_once,
    an_event_is_kept_for_a_while,
    an_emitted_event_goes_out_with_its_commit,
    a_requeued_run_hears_what_it_has_not_heard,
    a_paused_run_hears_what_came_meanwhile,
    nothing_is_missed,
);

const MINUTE: Duration = Duration::from_secs(60);

async fn publish(app: &App, name: &str, payload: &Value) -> usize {
    let published = soon("the event", app.publish_event(name, payload)).await;
    match published.unwrap() {
        EventOutcome::Published { runs, .. } => runs,
        other => panic!("{other:?}"),
    }
}

/// Waits for a minute until its order is paid, then for `go`, and says what it was told.
fn ship() -> Workflow<u32, String> {
    flow("ship", |ctx, order: u32| async move {
        let paid = ctx.wait_for_event::<Value>("paid").timeout(MINUTE);
        let said = match paid.matching("order", order).await {
            Ok(paid) => paid["by"]["name"].to_string(),
            Err(error) if error.is_timeout() => "nothing".to_owned(),
            Err(error) => return Err(error),
        };
        let (): () = ctx.wait_for_signal("go").run_scoped().await?;
        Ok(said)
    })
}

async fn go(app: &App, run: &str) -> String {
    app.waits_for(run, "go").await;
    let sent = app.signal("go", ()).to_run(run);
    soon("the signal", sent).await.unwrap();
    app.output(run).await
}

fn paid(order: u32, by: &str) -> Value {
    json!({"order": order, "by": {"name": by}})
}

async fn everyone_who_waits_hears_what_matches(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    for (run, order) in [("a", 7), ("b", 8), ("c", 7)] {
        app.begin(&ship(), order, run).await;
        let now = app.waits_for(run, "paid").await;
        assert!(now.reason.contains("event `paid`"), "{now:?}");
        assert!(now.wakes.contains("event `paid`"), "{now:?}");
    }
    // From a process that executes nothing.
    let api = world.api().await;
    assert_eq!(publish(&api, "sent", &paid(7, "Eve")).await, 0);
    assert_eq!(publish(&api, "paid", &paid(7, "Ada")).await, 2);
    assert_eq!(publish(&api, "paid", &paid(7, "Bob")).await, 0);
    assert_eq!(publish(&api, "paid", &paid(8, "Cy")).await, 1);
    assert_eq!(go(&app, "a").await, "\"Ada\"");
    assert_eq!(go(&app, "b").await, "\"Cy\"");
    assert_eq!(go(&app, "c").await, "\"Ada\"");
    app.stop().await;
}

async fn an_event_published_before_the_wait_is_heard(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    assert_eq!(publish(&app, "paid", &paid(7, "Ada")).await, 0);
    for run in ["a", "b"] {
        app.begin(&ship(), 7, run).await;
        assert_eq!(go(&app, run).await, "\"Ada\"");
    }
}

async fn an_event_after_the_timeout_never_flips_the_branch(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    app.begin(&ship(), 7, "a").await;
    app.waits_for("a", "paid").await;
    world.clock.advance(MINUTE);
    app.waits_for("a", "go").await;
    assert_eq!(publish(&app, "paid", &paid(7, "late")).await, 0);
    app.crash().await;
    let app = world.open(|it| it.register(ship())).await;
    assert_eq!(go(&app, "a").await, "nothing");
    let wait = app.checkpoint("a", "paid").await;
    assert_eq!(wait.status, CheckpointStatus::TimedOut);
}

async fn an_event_that_came_outlives_a_crash_and_beats_the_timeout(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    app.begin(&ship(), 7, "a").await;
    app.waits_for("a", "paid").await;
    app.crash().await;
    let api = world.api().await;
    assert_eq!(publish(&api, "paid", &paid(7, "Eve")).await, 1);
    world.clock.advance(2 * MINUTE);
    let app = world.open(|it| it.register(ship())).await;
    assert_eq!(go(&app, "a").await, "\"Eve\"");
}

/// Hears three prices, with a step after each.
fn follow(ledger: &Ledger) -> Workflow<(), Vec<u32>> {
    let ledger = ledger.clone();
    flow("follow", move |ctx, ()| {
        let ledger = ledger.clone();
        async move {
            let mut prices = Vec::new();
            for _ in 0..3 {
                prices.push(ctx.wait_for_event("price").await?);
                let note = async || {
                    ledger.note("noted");
                    Ok::<_, StepError>(())
                };
                ctx.step("note", note).await?;
            }
            Ok(prices)
        }
    })
}

async fn a_loop_hears_every_event_once_and_in_order(world: World) {
    let ledger = Ledger::default();
    let workflow = follow(&ledger);
    let registered = workflow.clone();
    let app = world.open(move |it| it.register(registered)).await;
    app.begin(&workflow, (), "a").await;
    app.waits_for("a", "price").await;
    for price in [3, 1, 2] {
        publish(&app, "price", &json!(price)).await;
    }
    assert_eq!(app.output::<Vec<u32>>("a").await, [3, 1, 2]);
    assert_eq!(ledger.count("noted"), 3);
}

async fn the_loser_of_a_race_leaves_its_event_to_the_next_wait(world: World) {
    let race = || {
        flow("race", |ctx, ()| async move {
            let wait = ctx.wait_for_event::<u32>("price");
            let first = tokio::select! {
                biased;
                () = async { ctx.wait_for_signal::<()>("stop").await.unwrap_or(()) } => 0,
                price = wait => price?,
            };
            let second: u32 = ctx.wait_for_event("price").await?;
            Ok((first, second))
        })
    };
    let app = world.open(move |it| it.register(race())).await;
    app.begin(&race(), (), "a").await;
    app.until("a", |now| now.waiting_for.len() == 2).await;
    app.crash().await;
    // Both come while nobody executes the run; the signal is released first.
    let api = world.api().await;
    api.send("stop", ()).await;
    assert_eq!(publish(&api, "price", &json!(5)).await, 1);
    let app = world.open(move |it| it.register(race())).await;
    assert_eq!(app.output::<(u32, u32)>("a").await, (0, 5));
    assert!(app.record("a").await.inbox.is_empty());
}

async fn an_event_repeated_under_its_id_is_heard_once(world: World) {
    let ledger = Ledger::default();
    let workflow = follow(&ledger);
    let registered = workflow.clone();
    let app = world.open(move |it| it.register(registered)).await;
    app.begin(&workflow, (), "a").await;
    app.waits_for("a", "price").await;
    for (price, id) in [(1, "one"), (1, "one"), (2, "two")] {
        let published = app.publish_event("price", &price).id(id);
        soon("the event", published).await.unwrap();
    }
    let again = app.publish_event("price", &1).id("one").await.unwrap();
    assert_eq!(again, EventOutcome::Duplicate);
    publish(&app, "price", &json!(3)).await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [1, 2, 3]);
}

async fn an_event_is_kept_for_a_while(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    let (ada, bob) = (paid(7, "Ada"), paid(7, "Bob"));
    app.publish_event("paid", &ada).only_now().await.unwrap();
    let short = app.publish_event("paid", &bob).keep_for(MINUTE / 2);
    short.await.unwrap();
    app.begin(&ship(), 7, "a").await;
    assert_eq!(go(&app, "a").await, "\"Bob\"");
    world.clock.advance(MINUTE);
    app.begin(&ship(), 7, "b").await;
    app.waits_for("b", "paid").await;
    assert_eq!(publish(&app, "paid", &paid(7, "Cy")).await, 1);
    assert_eq!(go(&app, "b").await, "\"Cy\"");
}

/// Pays for an order and says so.
fn pay(ledger: &Ledger) -> Workflow<u32, ()> {
    let ledger = ledger.clone();
    flow("pay", move |ctx, order: u32| {
        let ledger = ledger.clone();
        async move {
            let charge = async || {
                ledger.note("charged");
                Ok::<_, StepError>(())
            };
            ctx.step("charge", charge).await?;
            ctx.emit("paid", &paid(order, "Ada"))?;
            ctx.sleep(MINUTE / 2).await;
            Ok(())
        }
    })
}

async fn an_emitted_event_goes_out_with_its_commit(world: World) {
    let ledger = Ledger::default();
    let workflow = pay(&ledger);
    let registered = workflow.clone();
    let add = move || {
        let registered = registered.clone();
        move |it: axum_durable::durable::DurableBuilder| it.register(ship()).register(registered)
    };
    let app = world.open(add()).await;
    app.begin(&ship(), 7, "a").await;
    app.waits_for("a", "paid").await;
    app.begin(&workflow, 7, "p").await;
    assert_eq!(go(&app, "a").await, "\"Ada\"");
    app.crash().await;
    // It is not published again by the replay.
    let app = world.open(add()).await;
    world.clock.advance(MINUTE);
    app.output::<()>("p").await;
    app.begin(&ship(), 7, "b").await;
    assert_eq!(go(&app, "b").await, "\"Ada\"");
    assert_eq!(ledger.count("charged"), 1);
}

async fn a_requeued_run_hears_what_it_has_not_heard(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    app.begin(&ship(), 7, "a").await;
    app.waits_for("a", "paid").await;
    soon("the cancel", app.cancel("a")).await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    assert_eq!(publish(&app, "paid", &paid(7, "Ada")).await, 0);
    soon("the requeue", app.requeue("a")).await.unwrap();
    assert_eq!(go(&app, "a").await, "\"Ada\"");
}

async fn a_paused_run_hears_what_came_meanwhile(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    app.begin(&ship(), 7, "a").await;
    app.waits_for("a", "paid").await;
    soon("the pause", app.pause("a")).await.unwrap();
    app.until("a", |now| now.status == RunStatus::Paused).await;
    assert_eq!(publish(&app, "paid", &paid(7, "Ada")).await, 1);
    world.clock.advance(2 * MINUTE);
    soon("the resume", app.resume("a")).await.unwrap();
    assert_eq!(go(&app, "a").await, "\"Ada\"");
}

async fn an_event_of_the_wrong_type_can_be_caught(world: World) {
    let typed = || {
        flow("typed", |ctx, ()| async move {
            let wrong = ctx.wait_for_event::<u32>("price").await;
            assert!(matches!(wrong, Err(WorkflowError::Payload(_))));
            ctx.wait_for_event::<u32>("price").await
        })
    };
    let app = world.open(move |it| it.register(typed())).await;
    app.begin(&typed(), (), "a").await;
    app.waits_for("a", "price").await;
    publish(&app, "price", &json!("free")).await;
    publish(&app, "price", &json!(4)).await;
    assert_eq!(app.output::<u32>("a").await, 4);
}

async fn an_event_that_cannot_be_is_refused(world: World) {
    let emits = || {
        flow(
            "emits",
            |ctx, name: String| async move { ctx.emit(name, &1) },
        )
    };
    let app = world
        .open(move |it| it.register(emits()).max_payload(1_024))
        .await;
    let nameless = app.publish_event("", &1).await;
    assert!(
        matches!(nameless, Err(Error::InvalidName(_))),
        "{nameless:?}"
    );
    let large = app.publish_event("price", &"x".repeat(2_000)).await;
    assert!(matches!(large, Err(Error::Payload(_))), "{large:?}");
    app.begin(&emits(), String::new(), "a").await;
    assert_eq!(code(&app.ended("a").await), Some("invalid_name"));
}

async fn a_skipped_wait_takes_the_value_that_it_is_given(world: World) {
    let app = world.open(|it| it.register(ship())).await;
    app.begin(&ship(), 7, "a").await;
    let now = app.waits_for("a", "paid").await;
    let skip = app.skip_step("a", now.waiting_for[0].seq.0, paid(7, "hand"));
    soon("the skip", skip).await.unwrap();
    assert_eq!(publish(&app, "paid", &paid(7, "Ada")).await, 0);
    assert_eq!(go(&app, "a").await, "\"hand\"");
}

/// An event is heard by an instance other than that of its publisher.
#[tokio::test]
async fn two_instances_hear_each_other() {
    let world = World::sqlite();
    let one = world.open(|it| it.register(ship())).await;
    let two = world.open(|it| it.register(ship())).await;
    one.begin(&ship(), 1, "a").await;
    two.begin(&ship(), 2, "b").await;
    one.waits_for("a", "paid").await;
    two.waits_for("b", "paid").await;
    assert_eq!(publish(&two, "paid", &paid(1, "Ada")).await, 1);
    assert_eq!(publish(&one, "paid", &paid(2, "Bob")).await, 1);
    assert_eq!(go(&two, "a").await, "\"Ada\"");
    assert_eq!(go(&one, "b").await, "\"Bob\"");
}

/// Publishers and waits of two processes meet, however they fall: nobody misses an event.
async fn nothing_is_missed(world: World) {
    const RUNS: u32 = 40;
    let one = world.open(|it| it.register(ship())).await;
    let two = world.open(|it| it.register(ship())).await;
    let starts = async {
        for order in 0..RUNS {
            one.begin(&ship(), order, &format!("run {order}")).await;
        }
    };
    let events = async {
        for order in 0..RUNS {
            two.publish_event("paid", &paid(order, "Ada"))
                .await
                .unwrap();
        }
    };
    tokio::join!(starts, events);
    for order in 0..RUNS {
        assert_eq!(go(&one, &format!("run {order}")).await, "\"Ada\"");
    }
}

#[tokio::test]
async fn nothing_is_missed_on_sqlite() {
    nothing_is_missed(World::sqlite()).await;
}

/// Hears an approval, charges, and tells a run of the same kind of it.
#[workflow(name = "events.relay")]
async fn relay(ctx: &WorkflowCtx, rounds: u32) -> Result<Vec<u32>> {
    let mut heard = Vec::new();
    for round in 0..rounds {
        let wait = ctx.wait_for_event::<Value>("approved");
        let approved = wait.matching("round", round).timeout(MINUTE);
        let by = approved.await?["by"].as_u64().unwrap_or_default();
        heard.push(u32::try_from(by).unwrap_or_default());
        ctx.step("charge", async || Ok(())).retries(3).await?;
        // Its own next round hears it.
        ctx.emit("done", &round)?;
        heard.push(ctx.wait_for_event("done").matching("", round).await?);
    }
    let late = ctx.wait_for_event::<u32>("never").timeout(MINUTE).await;
    assert!(late.is_err_and(|error| error.is_timeout()));
    Ok(heard)
}

fn scenario() -> Scenario {
    Scenario::of(relay, 2)
        .with(|it| it.only_registered())
        .event("approved", json!({"round": 1, "by": 8}))
        .event("approved", json!({"round": 0, "by": 9}))
}

#[tokio::test]
async fn a_crash_at_any_commit_loses_no_event_and_repeats_none() {
    let report = scenario().crash_everywhere().await;
    let output = report.output::<Vec<u32>>().unwrap().unwrap();
    assert_eq!(output, [9, 0, 8, 1]);
    assert!(report.crashes >= 20, "only {} crashes", report.crashes);
}

#[tokio::test]
async fn trouble_of_any_kind_loses_no_event_and_repeats_none() {
    scenario().simulate(0..30).await;
}

/// What is published in a transaction of the host is there if, and only if, that is committed.
#[cfg(feature = "store-sqlite")]
#[tokio::test]
async fn an_event_is_published_in_a_transaction_of_the_host() {
    use sea_orm::TransactionTrait;

    let world = World::sqlite();
    let store = world.sql().await;
    let app = world.open(|it| it.register(ship())).await;
    app.begin(&ship(), 7, "a").await;
    app.waits_for("a", "paid").await;
    let undone = store.connection().begin().await.unwrap();
    let event = app.publish_event("paid", &paid(7, "nobody"));
    event.in_transaction(&undone).await.unwrap();
    undone.rollback().await.unwrap();
    let done = store.connection().begin().await.unwrap();
    let event = app.publish_event("paid", &paid(7, "Ada"));
    event.in_transaction(&done).await.unwrap();
    done.commit().await.unwrap();
    assert_eq!(go(&app, "a").await, "\"Ada\"");
}

/// Waits are found by hashes: nothing of a payload is in the database in the clear.
#[cfg(feature = "store-sqlite")]
#[tokio::test]
async fn an_event_behind_a_codec_is_matched_and_not_readable() {
    use axum_durable::payload::{AesGcmCodec, Keyring};

    const SECRET: &str = "s3cret-customer";
    let world = World::sqlite();
    let ring = || Keyring::new("key", AesGcmCodec::new(&[1; 32])).unwrap();
    let find = || {
        flow("find", |ctx, ()| async move {
            let wait = ctx.wait_for_event::<Value>("seen");
            Ok(wait.matching("customer", SECRET).await?["at"].clone())
        })
    };
    let app = world
        .open(move |it| it.codec(ring()).register(find()))
        .await;
    app.begin(&find(), (), "a").await;
    app.waits_for("a", "seen").await;
    publish(&app, "seen", &json!({"customer": "another", "at": 1})).await;
    let seen = json!({"customer": SECRET, "at": 2});
    assert_eq!(publish(&app, "seen", &seen).await, 1);
    assert_eq!(app.output::<u32>("a").await, 2);
    app.begin(&find(), (), "b").await;
    assert_eq!(app.output::<u32>("b").await, 2);
    app.stop().await;
    for entry in std::fs::read_dir(world.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let mut windows = bytes.windows(SECRET.len());
            assert!(
                !windows.any(|it| it == SECRET.as_bytes()),
                "{}",
                path.display()
            );
        }
    }
}
