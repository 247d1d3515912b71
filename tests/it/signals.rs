//! Signals and timeouts: each signal takes effect once, and a branch once taken stays taken.

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use axum_durable::{
    RunStatus,
    engine::SignalOutcome,
    model::{CheckpointStatus, SignalId},
    prelude::*,
    testing::StoreCall,
};
use tokio::{join, sync::Notify};

use crate::support::{
    crashes::everywhere,
    ledger::Ledger,
    probes::Gate,
    world::{App, World, code, flow, in_every_world, on_every_server, soon},
};

in_every_world!(
    a_signal_sent_before_the_wait_is_used,
    a_signal_sent_during_the_wait_is_used,
    a_signal_after_the_timeout_never_flips_the_branch,
    a_delivered_signal_outlives_a_crash_and_beats_the_timeout,
    a_timeout_is_counted_from_the_wait_and_not_from_the_restart,
    waits_of_several_runs_are_served_first_in_first_out,
    waits_of_one_run_are_served_in_the_order_of_their_calls,
    a_signal_repeated_under_its_id_is_taken_once,
    a_signal_for_an_abandoned_wait_goes_to_the_next_one,
    signals_keep_their_order_in_the_buffer,
    a_signal_of_the_wrong_type_can_be_caught,
    a_caught_step_failure_stays_failed_on_replay,
    a_run_scoped_signal_goes_to_its_run_alone,
    a_run_scoped_signal_to_nobody_is_refused,
    a_signal_with_a_dedupe_id_is_taken_once_per_token,
    a_run_scoped_wait_outlives_cancel_and_requeue,
    many_callers_start_one_run_with_all_their_signals,
    what_came_first_and_is_read_last_is_taken_too,
);

on_every_server!(
    a_signal_sent_before_the_wait_is_used,
    a_signal_sent_during_the_wait_is_used,
    a_signal_after_the_timeout_never_flips_the_branch,
    a_delivered_signal_outlives_a_crash_and_beats_the_timeout,
    a_timeout_is_counted_from_the_wait_and_not_from_the_restart,
    waits_of_several_runs_are_served_first_in_first_out,
    waits_of_one_run_are_served_in_the_order_of_their_calls,
    a_signal_repeated_under_its_id_is_taken_once,
    a_signal_for_an_abandoned_wait_goes_to_the_next_one,
    signals_keep_their_order_in_the_buffer,
    a_signal_of_the_wrong_type_can_be_caught,
    a_caught_step_failure_stays_failed_on_replay,
    a_run_scoped_signal_goes_to_its_run_alone,
    a_run_scoped_signal_to_nobody_is_refused,
    a_signal_with_a_dedupe_id_is_taken_once_per_token,
    a_run_scoped_wait_outlives_cancel_and_requeue,
    many_callers_start_one_run_with_all_their_signals,
    what_came_first_and_is_read_last_is_taken_too,
);

const MINUTE: Duration = Duration::from_secs(60);

/// Waits for `approve` for a minute, then for `go`, and says how the first wait ended.
fn approval() -> Workflow<(), String> {
    flow("approval", |ctx, ()| async move {
        let approval = ctx.wait_for_signal::<String>("approve").timeout(MINUTE);
        let answer = match approval.await {
            Ok(by) => format!("approved by {by}"),
            Err(error) if error.is_timeout() => "timed out".to_owned(),
            Err(error) => return Err(error),
        };
        let (): () = ctx.wait_for_signal("go").await?;
        Ok(answer)
    })
}

async fn a_signal_sent_before_the_wait_is_used(world: World) {
    let app = world.open(|it| it.register(approval())).await;
    assert_eq!(app.send("approve", "Ada").await, SignalOutcome::Buffered);
    app.begin(&approval(), (), "a").await;
    app.waits_for("a", "go").await;
    assert_eq!(app.send("go", ()).await, SignalOutcome::Delivered);
    assert_eq!(app.output::<String>("a").await, "approved by Ada");
}

async fn a_signal_sent_during_the_wait_is_used(world: World) {
    let app = world.open(|it| it.register(approval())).await;
    app.begin(&approval(), (), "a").await;
    app.waits_for("a", "approve").await;
    assert_eq!(app.send("approve", "Bob").await, SignalOutcome::Delivered);
    app.waits_for("a", "go").await;
    assert_eq!(app.send("go", ()).await, SignalOutcome::Delivered);
    assert_eq!(app.output::<String>("a").await, "approved by Bob");
}

async fn a_signal_after_the_timeout_never_flips_the_branch(world: World) {
    let app = world.open(|it| it.register(approval())).await;
    app.begin(&approval(), (), "a").await;
    app.waits_for("a", "approve").await;
    world.clock.advance(MINUTE);
    app.waits_for("a", "go").await;
    assert_eq!(app.send("approve", "late").await, SignalOutcome::Buffered);

    app.crash().await;
    let app = world.open(|it| it.register(approval())).await;
    assert_eq!(app.send("go", ()).await, SignalOutcome::Delivered);
    assert_eq!(app.output::<String>("a").await, "timed out");
    let wait = app.checkpoint("a", "approve").await;
    assert_eq!(wait.status, CheckpointStatus::TimedOut);

    // The late signal is not lost: it is the next wait's.
    app.begin(&approval(), (), "b").await;
    app.send("go", ()).await;
    assert_eq!(app.output::<String>("b").await, "approved by late");
}

async fn a_delivered_signal_outlives_a_crash_and_beats_the_timeout(world: World) {
    let app = world.open(|it| it.register(approval())).await;
    app.begin(&approval(), (), "a").await;
    app.waits_for("a", "approve").await;
    app.crash().await;

    let api = world.api().await;
    assert_eq!(api.send("approve", "Eve").await, SignalOutcome::Delivered);
    world.clock.advance(2 * MINUTE);
    let app = world.open(|it| it.register(approval())).await;
    app.send("go", ()).await;
    assert_eq!(app.output::<String>("a").await, "approved by Eve");
}

async fn a_timeout_is_counted_from_the_wait_and_not_from_the_restart(world: World) {
    let app = world.open(|it| it.register(approval())).await;
    app.begin(&approval(), (), "a").await;
    let before = app.waits_for("a", "approve").await;
    app.crash().await;
    world.clock.advance(MINUTE / 2);
    let app = world.open(|it| it.register(approval())).await;
    let after = app.waits_for("a", "approve").await;
    assert_eq!(before.waiting_for[0].until, after.waiting_for[0].until);
    world.clock.advance(MINUTE / 2);
    app.send("go", ()).await;
    assert_eq!(app.output::<String>("a").await, "timed out");
}

async fn waits_of_several_runs_are_served_first_in_first_out(world: World) {
    let next = || {
        flow("next", |ctx, ()| async move {
            ctx.wait_for_signal::<u32>("number").await
        })
    };
    let app = world.open(move |it| it.register(next())).await;
    for run in ["a", "b", "c"] {
        app.begin(&next(), (), run).await;
        app.waits_for(run, "number").await;
    }
    for number in [1_u32, 2, 3] {
        assert_eq!(app.send("number", number).await, SignalOutcome::Delivered);
    }
    for (run, number) in [("a", 1_u32), ("b", 2), ("c", 3)] {
        assert_eq!(app.output::<u32>(run).await, number);
    }
}

async fn waits_of_one_run_are_served_in_the_order_of_their_calls(world: World) {
    let both = || {
        flow("both", |ctx, ()| async move {
            let (first, second) = join!(
                ctx.wait_for_signal::<u32>("number"),
                ctx.wait_for_signal::<u32>("number"),
            );
            Ok((first?, second?))
        })
    };
    let app = world.open(move |it| it.register(both())).await;
    app.begin(&both(), (), "a").await;
    app.until("a", |now| now.waiting_for.len() == 2).await;
    app.send("number", 1).await;
    app.send("number", 2).await;
    assert_eq!(app.output::<(u32, u32)>("a").await, (1, 2));
}

async fn a_signal_repeated_under_its_id_is_taken_once(world: World) {
    let app = world.open(|it| it.register(approval())).await;
    let id = SignalId::generate();
    let sent = app.signal_once(id, "approve", "Ada").await.unwrap();
    assert_eq!(sent, SignalOutcome::Buffered);
    for run in ["a", "b"] {
        app.begin(&approval(), (), run).await;
    }
    let again = app.signal_once(id, "approve", "Ada").await.unwrap();
    assert_eq!(again, SignalOutcome::Duplicate);
    app.waits_for("b", "approve").await;
    world.clock.advance(MINUTE);
    app.send("go", ()).await;
    app.send("go", ()).await;
    assert_eq!(app.output::<String>("a").await, "approved by Ada");
    assert_eq!(app.output::<String>("b").await, "timed out");
    let late = app.signal_once(id, "approve", "Ada").await.unwrap();
    assert_eq!(late, SignalOutcome::Duplicate);
}

async fn a_signal_for_an_abandoned_wait_goes_to_the_next_one(world: World) {
    let race = || {
        flow("race", |ctx, ()| async move {
            let early = tokio::select! {
                biased;
                value = ctx.wait_for_signal::<u32>("value") => Some(value?),
                () = ctx.sleep(MINUTE) => None,
            };
            let (): () = ctx.wait_for_signal("go").await?;
            let later: u32 = ctx.wait_for_signal("value").await?;
            Ok((early, later))
        })
    };
    let app = world.open(move |it| it.register(race())).await;
    app.begin(&race(), (), "a").await;
    app.waits_for("a", "value").await;
    world.clock.advance(MINUTE);
    app.waits_for("a", "go").await;
    assert_eq!(app.send("value", 7).await, SignalOutcome::Buffered);
    app.crash().await;
    let app = world.open(move |it| it.register(race())).await;
    app.send("go", ()).await;
    assert_eq!(app.output::<(Option<u32>, u32)>("a").await, (None, 7));
    let waits = app.record("a").await.history;
    assert_eq!(waits[0].status, CheckpointStatus::Abandoned);
}

async fn signals_keep_their_order_in_the_buffer(world: World) {
    let three = || {
        flow("three", |ctx, ()| async move {
            let mut all = Vec::new();
            for _ in 0..3 {
                all.push(ctx.wait_for_signal::<u32>("number").await?);
            }
            Ok(all)
        })
    };
    let app = world.open(move |it| it.register(three())).await;
    for number in [1, 2, 3] {
        assert_eq!(app.send("number", number).await, SignalOutcome::Buffered);
    }
    app.begin(&three(), (), "a").await;
    assert_eq!(app.output::<Vec<u32>>("a").await, [1, 2, 3]);
}

async fn a_signal_of_the_wrong_type_can_be_caught(world: World) {
    let strict = || {
        flow("strict", |ctx, catches: bool| async move {
            let number = ctx.wait_for_signal::<u32>("number").await;
            match number {
                Err(WorkflowError::Payload(_)) if catches => Ok(0),
                other => other,
            }
        })
    };
    let app = world.open(move |it| it.register(strict())).await;
    app.send("number", "seven").await;
    app.begin(&strict(), true, "catches").await;
    assert_eq!(app.output::<u32>("catches").await, 0);
    app.send("number", "seven").await;
    app.begin(&strict(), false, "fails").await;
    let failed = app.ended("fails").await;
    assert_eq!(failed.status, RunStatus::Failed);
    assert_eq!(code(&failed), Some("payload"));
}

async fn a_caught_step_failure_stays_failed_on_replay(world: World) {
    let ledger = Ledger::default();
    let lenient = {
        let ledger = ledger.clone();
        flow("lenient", move |ctx, ()| {
            let ledger = ledger.clone();
            async move {
                // Would succeed if it were tried once more.
                let charge = ctx.step("charge", async || match ledger.note("charge") {
                    1 => Err(StepError::fatal("declined", "card declined")),
                    _ => Ok(()),
                });
                let answer = charge
                    .await
                    .err()
                    .and_then(|it| Some(it.code()?.to_owned()));
                let (): () = ctx.wait_for_signal("go").await?;
                Ok(answer)
            }
        })
    };
    let register = lenient.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&lenient, (), "a").await;
    app.waits_for("a", "go").await;
    app.crash().await;
    let register = lenient.clone();
    let app = world.open(|it| it.register(register)).await;
    app.send("go", ()).await;
    let answer = app.output::<Option<String>>("a").await;
    assert_eq!(answer.as_deref(), Some("declined"));
    assert_eq!(ledger.count("charge"), 1);
}

/// Waits a minute for `number` of its own run.
fn own() -> Workflow<(), u32> {
    flow("own", |ctx, ()| async move {
        let number = ctx.wait_for_signal("number").run_scoped();
        number.timeout(MINUTE).await
    })
}

async fn a_run_scoped_signal_goes_to_its_run_alone(world: World) {
    let app = world.open(|it| it.register(own())).await;
    for run in ["a", "b"] {
        app.begin(&own(), (), run).await;
        app.waits_for(run, "number").await;
    }
    assert_eq!(app.send("number", 0).await, SignalOutcome::Buffered);
    let sent = soon("the signal", app.signal("number", 2).to_run("b")).await;
    assert_eq!(sent.unwrap(), SignalOutcome::Delivered);
    assert_eq!(app.output::<u32>("b").await, 2);
    app.crash().await;
    let api = world.api().await;
    api.signal("number", 1).to_run("a").await.unwrap();
    let app = world.open(|it| it.register(own())).await;
    assert_eq!(app.output::<u32>("a").await, 1);
}

async fn a_run_scoped_signal_to_nobody_is_refused(world: World) {
    let app = world.open(|it| it.register(own())).await;
    let unknown = app.signal("number", 1).to_run("none").await.unwrap_err();
    assert!(unknown.is_not_found(), "{unknown}");
    app.begin(&own(), (), "a").await;
    app.waits_for("a", "number").await;
    world.clock.advance(MINUTE);
    assert_eq!(code(&app.ended("a").await), Some("signal_timeout"));
    let late = app.signal("number", 1).to_run("a").await.unwrap_err();
    assert!(late.to_string().contains("failed"), "{late}");
}

async fn a_signal_with_a_dedupe_id_is_taken_once_per_token(world: World) {
    let app = world.open(|it| it.register(own())).await;
    for run in ["a", "b"] {
        app.begin(&own(), (), run).await;
        app.waits_for(run, "number").await;
        let send = || app.signal("number", 7).to_run(run).dedupe_id("mail-1");
        assert_eq!(send().await.unwrap(), SignalOutcome::Delivered);
        let again = send().await;
        assert!(!matches!(again, Ok(SignalOutcome::Delivered)), "{again:?}");
        assert_eq!(app.output::<u32>(run).await, 7);
    }
    let global = || app.signal("elsewhere", 7).dedupe_id("mail-1");
    assert_eq!(global().await.unwrap(), SignalOutcome::Buffered);
    assert_eq!(global().await.unwrap(), SignalOutcome::Duplicate);
}

async fn a_run_scoped_wait_outlives_cancel_and_requeue(world: World) {
    let app = world.open(|it| it.register(own())).await;
    app.begin(&own(), (), "a").await;
    app.waits_for("a", "number").await;
    app.cancel("a").await.unwrap();
    app.ended("a").await;
    app.requeue("a").await.unwrap();
    app.waits_for("a", "number").await;
    app.signal("number", 4).to_run("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 4);
}

async fn many_callers_start_one_run_with_all_their_signals(world: World) {
    let sum = || {
        flow("sum", |ctx, ()| async move {
            let mut all = Vec::new();
            while all.len() < 10 {
                all.push(ctx.wait_for_signal::<u32>("add").run_scoped().await?);
            }
            all.sort_unstable();
            Ok(all)
        })
    };
    let app = world.open(move |it| it.register(sum())).await;
    let add = |n: u32| {
        let call = app.signal_with_start(sum(), ()).id("sum");
        let call = call.signal_run("add", n).dedupe_id(n.to_string());
        app.run(call.into_future())
    };
    let calls = (0..10).chain(0..10).map(add);
    let runs = soon("the calls", futures_util::future::join_all(calls)).await;
    let new = runs.iter().filter(|run| run.as_ref().unwrap().is_new());
    assert_eq!(new.count(), 1);
    let all: Vec<u32> = (0..10).collect();
    assert_eq!(app.output::<Vec<u32>>("sum").await, all);
    let refused = app
        .signal_with_start(sum(), ())
        .id("x")
        .signal("y", "x".repeat(9_000_000));
    assert!(refused.await.unwrap_err().to_string().contains("limit"));
    assert!(app.get_run("x").await.unwrap().is_none());
}

#[tokio::test]
async fn signals_that_start_their_run_survive_a_crash_at_every_commit() {
    let sum = || {
        flow("sum", |ctx, ()| async move {
            let mut all = Vec::new();
            while all.len() < 3 {
                all.push(ctx.wait_for_signal::<u32>("add").run_scoped().await?);
                ctx.step("add", async || Ok::<_, StepError>(())).await?;
            }
            Ok(all)
        })
    };
    let play = async |app: &App| {
        for n in 0..3_u32 {
            let call = app.signal_with_start(sum(), ()).id("sum");
            let call = call.signal_run("add", n).dedupe_id(n.to_string());
            // Once the run has ended, it was told everything by the process that has died.
            drop(app.run(call.into_future()).await);
        }
        // One whose answer was lost may have come after the next one, but each came once.
        let mut all = app.output::<Vec<u32>>("sum").await;
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    };
    everywhere(6, move |it| it.register(sum()), play).await;
}

/// A signal from another process lies in the inbox unread while a later one comes by a way of its
/// own, with the answer to the commit that opens its wait.
async fn what_came_first_and_is_read_last_is_taken_too(mut world: World) {
    // Who comes back into memory reads all of its inbox.
    world.evicts = false;
    let may_open = Arc::new(Notify::new());
    let door = {
        let may_open = Arc::clone(&may_open);
        flow("door", move |ctx, ()| {
            let may_open = Arc::clone(&may_open);
            async move {
                let (first, later) = join!(ctx.wait_for_signal::<u32>("first"), async {
                    let opened = || async {
                        may_open.notified().await;
                        Ok::<_, StepError>(())
                    };
                    ctx.step("open", opened).await?;
                    let later: u32 = ctx.wait_for_signal("later").await?;
                    let (): () = ctx.wait_for_signal("go").await?;
                    Ok::<_, WorkflowError>(later)
                });
                Ok((first?, later?))
            }
        })
    };
    let gate = Gate::holding(StoreCall::Read);
    let register = door.clone();
    let owner = world
        .open_probed(gate.clone(), |it| it.register(register))
        .await;
    let api = world.api().await;
    owner.begin(&door, (), "a").await;
    api.waits_for("a", "first").await;
    assert_eq!(api.send("later", 2).await, SignalOutcome::Buffered);
    gate.shut();
    assert_eq!(api.send("first", 1).await, SignalOutcome::Delivered);
    may_open.notify_one();
    api.waits_for("a", "go").await;
    gate.open();
    api.send("go", ()).await;
    assert_eq!(api.output::<(u32, u32)>("a").await, (1, 2));
}
