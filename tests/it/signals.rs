//! Signals and timeouts: each signal takes effect once, and a branch once taken stays taken.

use std::time::Duration;

use axum_durable::{
    RunStatus, engine::SignalOutcome, model::CheckpointStatus, model::SignalId, prelude::*,
};
use tokio::join;

use crate::support::{
    ledger::Ledger,
    world::{World, code, flow, in_every_world},
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
