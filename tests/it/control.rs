//! What operators do to runs: hold them, change them, begin beside them, remove them.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    DurableError, RunStatus,
    engine::{PauseOutcome, SignalOutcome},
    model::{AuditEntry, By, CheckpointStatus, RunQuery},
    prelude::*,
    store::StoreError,
};
use tokio::sync::Notify;

use crate::support::{
    ledger::Ledger,
    world::{App, World, code, flow, in_every_world, message, on_every_server, soon},
};

in_every_world!(
    a_failed_run_starts_again_with_another_input,
    a_blocked_run_starts_again_and_gives_its_waits_up,
    a_fork_goes_on_from_a_step_with_edited_values,
    a_fork_tries_again_what_its_source_failed_of,
    a_fork_waits_for_itself_and_publishes_anew,
    a_fork_that_cannot_be_is_refused,
    a_fork_whose_names_hold_the_run_id_is_set_aside,
    a_deleted_run_is_gone_but_for_its_log,
    a_waiting_run_is_paused_and_resumed,
    a_run_that_nobody_holds_is_paused_at_once,
    a_paused_run_ends_the_step_that_it_is_in,
    a_request_to_pause_outlives_a_crash,
    a_delayed_start_that_was_paused_begins_at_its_time,
    a_paused_run_can_be_cancelled,
    a_run_is_paused_after_it_has_undone_its_steps,
    a_waiting_operation_is_skipped,
    the_step_that_a_run_failed_of_is_skipped,
    what_a_workflow_has_seen_is_not_skipped,
    a_run_is_made_to_fail,
    a_change_reaches_the_owner_in_another_process,
    what_operators_do_is_refused_by_status,
    many_runs_are_cancelled_by_a_query,
    who_acted_and_why_is_kept,
);

on_every_server!(
    a_failed_run_starts_again_with_another_input,
    a_fork_goes_on_from_a_step_with_edited_values,
    a_deleted_run_is_gone_but_for_its_log,
    a_waiting_run_is_paused_and_resumed,
    a_request_to_pause_outlives_a_crash,
    a_waiting_operation_is_skipped,
    the_step_that_a_run_failed_of_is_skipped,
    a_run_is_made_to_fail,
    a_change_reaches_the_owner_in_another_process,
);

fn actions(log: &[AuditEntry]) -> Vec<&str> {
    log.iter().rev().map(|line| &*line.action).collect()
}

fn is_wrong_status<T: std::fmt::Debug>(answer: Result<T, DurableError>) -> bool {
    matches!(
        answer.unwrap_err(),
        DurableError::Store(StoreError::WrongStatus { .. })
    )
}

/// Takes a step, waits for `go`, takes another one and adds it all up.
fn order(ledger: &Ledger) -> Workflow<u32, u32> {
    let ledger = ledger.clone();
    flow("order", move |ctx, n: u32| {
        let ledger = ledger.clone();
        async move {
            let first = ctx.step("first", async || {
                ledger.note("first");
                Ok::<_, StepError>(n)
            });
            let first = first.await?;
            ctx.set_event("first", &first)?;
            let go: u32 = ctx.wait_for_signal("go").await?;
            let last = ctx.step("last", async || {
                ledger.note("last");
                Ok::<_, StepError>(first + go)
            });
            last.await
        }
    })
}

/// Fails in its second step for every input but 7.
fn picky(ledger: &Ledger) -> Workflow<u32, u32> {
    let ledger = ledger.clone();
    flow("picky", move |ctx, n: u32| {
        let ledger = ledger.clone();
        async move {
            let first = ctx.step("first", async || {
                ledger.note("first");
                Ok::<_, StepError>(n)
            });
            let first = first.await?;
            ctx.set_event("seen", &first)?;
            let second = ctx.step("second", async || {
                ledger.note("second");
                match first {
                    7 => Ok(70),
                    _ => Err(StepError::fatal("picky", "not seven")),
                }
            });
            second.await
        }
    })
}

async fn waiting(world: &World, ledger: &Ledger, id: &str) -> App {
    let register = order(ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(ledger), 1, id).await;
    app.waits_for(id, "go").await;
    app
}

async fn failed(world: &World, ledger: &Ledger, id: &str) -> App {
    let register = picky(ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&picky(ledger), 1, id).await;
    assert_eq!(app.ended(id).await.status, RunStatus::Failed);
    app
}

async fn a_failed_run_starts_again_with_another_input(world: World) {
    let ledger = Ledger::default();
    let app = failed(&world, &ledger, "a").await;
    let retry = app.retry_with_input("a", 7);
    retry.by("ada").because("a typo").await.unwrap();
    app.until("a", |now| now.status != RunStatus::Failed).await;
    assert_eq!(app.output::<u32>("a").await, 70);
    assert_eq!((ledger.count("first"), ledger.count("second")), (2, 2));
    let seen: Option<u32> = app.get_event("a", "seen").await.unwrap();
    assert_eq!(seen, Some(7));
    let run = app.get_run("a").await.unwrap().unwrap();
    assert_eq!(run.input.decode::<u32>().unwrap(), 7);
    assert!(is_wrong_status(app.retry_with_input("a", 8).await));
    assert_eq!(
        actions(&app.audit("a").await.unwrap()),
        ["retry-with-input"]
    );
}

async fn a_blocked_run_starts_again_and_gives_its_waits_up(world: World) {
    let is_new = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let changing = {
        let is_new = Arc::clone(&is_new);
        flow("changing", move |ctx, n: u32| {
            let is_new = is_new.load(std::sync::atomic::Ordering::SeqCst);
            async move {
                if is_new {
                    let other = ctx.step("other", async || Ok::<_, StepError>(n));
                    return other.await;
                }
                ctx.wait_for_signal::<u32>("go").await
            }
        })
    };
    let register = changing.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&changing, 1, "a").await;
    app.waits_for("a", "go").await;
    app.stop().await;
    is_new.store(true, std::sync::atomic::Ordering::SeqCst);
    let register = changing.clone();
    let app = world.open(|it| it.register(register)).await;
    // It is due for the new code once something arrives.
    assert_eq!(app.send("go", 5).await, SignalOutcome::Delivered);
    assert_eq!(app.ended("a").await.status, RunStatus::Blocked);
    app.retry_with_input("a", 3).await.unwrap();
    app.until("a", |now| now.status.is_terminal()).await;
    assert_eq!(app.output::<u32>("a").await, 3);
    // What it had received went back to where the next wait finds it.
    is_new.store(false, std::sync::atomic::Ordering::SeqCst);
    app.begin(&changing, 1, "b").await;
    assert_eq!(app.output::<u32>("b").await, 5);
}

async fn a_fork_goes_on_from_a_step_with_edited_values(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    app.send("go", 10).await;
    assert_eq!(app.output::<u32>("a").await, 11);
    let last = app.checkpoint("a", "last").await.seq.0;
    let fork = app.fork("a").from_step(last).edit_result(0, 40);
    let preview = fork.preview().await.unwrap();
    let names = |list: &[axum_durable::model::Checkpoint]| -> Vec<String> {
        list.iter().map(|it| it.name.to_string()).collect()
    };
    assert_eq!(names(&preview.kept), ["first", "go"]);
    assert_eq!(names(&preview.again), ["last"]);
    let handle = fork.id("b").by("ada").because("wrong").await.unwrap();
    assert_eq!(
        (handle.id().as_str(), app.output::<u32>("b").await),
        ("b", 50)
    );
    // The source is as it was, and only what was asked for has run again.
    assert_eq!(app.output::<u32>("a").await, 11);
    assert_eq!((ledger.count("first"), ledger.count("last")), (1, 2));

    let fork = app.fork("a").from_step(0).edit_input(5).id("c");
    fork.await.unwrap();
    app.waits_for("c", "go").await;
    app.send("go", 1).await;
    assert_eq!(app.output::<u32>("c").await, 6);
    assert_eq!((ledger.count("first"), ledger.count("last")), (2, 3));
    assert_eq!(actions(&app.audit("a").await.unwrap()), ["fork", "fork"]);
    let log = app.audit("b").await.unwrap();
    assert_eq!(actions(&log), ["forked-from"]);
    assert_eq!(log[0].detail.as_deref(), Some("a with 2 operations"));
}

async fn a_fork_tries_again_what_its_source_failed_of(world: World) {
    let ledger = Ledger::default();
    let app = failed(&world, &ledger, "a").await;
    let fork = app.fork("a").edit_result(0, 7);
    let preview = fork.preview().await.unwrap();
    assert_eq!((preview.kept.len(), preview.again.len()), (1, 1));
    fork.id("b").await.unwrap();
    assert_eq!(app.output::<u32>("b").await, 70);
    assert_eq!((ledger.count("first"), ledger.count("second")), (1, 2));
    assert_eq!(app.ended("a").await.status, RunStatus::Failed);
}

async fn a_fork_waits_for_itself_and_publishes_anew(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    app.fork("a").id("b").await.unwrap();
    app.waits_for("b", "go").await;
    let first: Option<u32> = app.get_event("b", "first").await.unwrap();
    assert_eq!(first, Some(1));
    // The source has waited longer.
    app.send("go", 10).await;
    assert_eq!(app.output::<u32>("a").await, 11);
    app.send("go", 20).await;
    assert_eq!(app.output::<u32>("b").await, 21);
    assert_eq!(ledger.count("first"), 1);
}

async fn a_fork_that_cannot_be_is_refused(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    let taken = app.fork("a").id("a").await.unwrap_err();
    assert!(taken.to_string().contains("exists"), "{taken}");
    for seq in [1, 2, 9] {
        let refused = app.fork("a").edit_result(seq, 1).await.unwrap_err();
        assert!(matches!(refused, DurableError::Refused { .. }), "{refused}");
    }
    let cut = app.fork("a").from_step(0).edit_result(0, 1);
    assert!(matches!(
        cut.preview().await.unwrap_err(),
        DurableError::Refused { .. }
    ));
    let none = app.fork("nobody").await.unwrap_err();
    assert!(none.is_not_found(), "{none}");
    assert_eq!(app.audit("a").await.unwrap(), []);
}

async fn a_fork_whose_names_hold_the_run_id_is_set_aside(world: World) {
    let named = || {
        flow("named", |ctx, ()| async move {
            let token = format!("go:{}", ctx.run_id());
            let go: u32 = ctx.wait_for_signal(token).await?;
            let last = ctx.step("last", async || Ok::<_, StepError>(go + 1));
            last.await
        })
    };
    let app = world.open(move |it| it.register(named())).await;
    app.begin(&named(), (), "a").await;
    app.send("go:a", 1).await;
    assert_eq!(app.output::<u32>("a").await, 2);
    app.fork("a").from_step(1).id("b").await.unwrap();
    let blocked = app.ended("b").await;
    assert_eq!(blocked.status, RunStatus::Blocked);
    assert!(message(&blocked).contains("go:a"), "{}", message(&blocked));
    // From before that operation it goes.
    app.fork("a").from_step(0).id("c").await.unwrap();
    app.waits_for("c", "go:c").await;
    app.send("go:c", 5).await;
    assert_eq!(app.output::<u32>("c").await, 6);
}

async fn a_deleted_run_is_gone_but_for_its_log(world: World) {
    let ledger = Ledger::default();
    let app = failed(&world, &ledger, "a").await;
    let delete = app.delete_run("a").by("ada").because("asked to forget");
    delete.await.unwrap();
    assert!(app.get_run("a").await.unwrap().is_none());
    let page = app.list_runs(&RunQuery::default()).await.unwrap();
    assert_eq!(page.runs.len(), 0);
    assert!(app.explain("a").await.unwrap_err().is_not_found());
    assert!(app.delete_run("a").await.unwrap_err().is_not_found());
    let log = app.audit("a").await.unwrap();
    assert_eq!(actions(&log), ["delete"]);
    assert_eq!(log[0].reason.as_deref(), Some("asked to forget"));
    // The id is free.
    app.begin(&picky(&ledger), 7, "a").await;
    assert_eq!(app.output::<u32>("a").await, 70);
    assert_eq!(ledger.count("first"), 2);
}

async fn a_waiting_run_is_paused_and_resumed(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    app.pause("a")
        .by("ada")
        .because("stock is counted")
        .await
        .unwrap();
    let paused = app.until("a", |now| now.status == RunStatus::Paused).await;
    assert_eq!(paused.reason, "paused by ada: stock is counted");
    assert_eq!(paused.wakes, "nothing by itself; resume it");
    // A signal is taken, and nothing happens by it.
    assert_eq!(app.send("go", 10).await, SignalOutcome::Delivered);
    let run = app.get_run("a").await.unwrap().unwrap();
    assert_eq!((run.status, run.owner), (RunStatus::Paused, None));
    assert_eq!(ledger.count("last"), 0);
    assert!(is_wrong_status(app.pause("a").await));
    app.resume("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 11);
    assert_eq!((ledger.count("first"), ledger.count("last")), (1, 1));
    assert_eq!(actions(&app.audit("a").await.unwrap()), ["pause", "resume"]);
}

async fn a_run_that_nobody_holds_is_paused_at_once(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    app.stop().await;
    let api = world.api().await;
    assert_eq!(api.pause("a").await.unwrap(), PauseOutcome::Paused);
    api.send("go", 10).await;
    // Nobody claims it, also not who comes later.
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(&ledger), 2, "b").await;
    app.waits_for("b", "go").await;
    let run = app.get_run("a").await.unwrap().unwrap();
    assert_eq!((run.status, run.owner), (RunStatus::Paused, None));
    api.resume("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 11);
}

/// A step that begins, waits until it is let go, and a second one.
fn slow(ledger: &Ledger, begun: &Arc<Notify>, go_on: &Arc<Notify>) -> Workflow<(), u32> {
    let (ledger, begun, go_on) = (ledger.clone(), Arc::clone(begun), Arc::clone(go_on));
    flow("slow", move |ctx, ()| {
        let (ledger, begun, go_on) = (ledger.clone(), Arc::clone(&begun), Arc::clone(&go_on));
        async move {
            let one = ctx.step("one", async || {
                begun.notify_one();
                go_on.notified().await;
                Ok::<_, StepError>(ledger.note("one"))
            });
            let one = one.await?;
            let two = ctx.step("two", async || Ok::<_, StepError>(ledger.note("two")));
            Ok(one + two.await?)
        }
    })
}

async fn a_paused_run_ends_the_step_that_it_is_in(world: World) {
    let ledger = Ledger::default();
    let [begun, go_on]: [Arc<Notify>; 2] = Default::default();
    let register = slow(&ledger, &begun, &go_on);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&slow(&ledger, &begun, &go_on), (), "a").await;
    soon("the step", begun.notified()).await;
    assert_eq!(app.pause("a").await.unwrap(), PauseOutcome::Requested);
    go_on.notify_one();
    app.until("a", |now| now.status == RunStatus::Paused).await;
    let one = app.checkpoint("a", "one").await;
    assert_eq!(one.status, CheckpointStatus::Completed);
    assert_eq!((ledger.count("one"), ledger.count("two")), (1, 0));
    assert!(app.record("a").await.inbox.is_empty());
    app.resume("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 2);
    assert_eq!((ledger.count("one"), ledger.count("two")), (1, 1));
}

async fn a_request_to_pause_outlives_a_crash(world: World) {
    let ledger = Ledger::default();
    let [begun, go_on]: [Arc<Notify>; 2] = Default::default();
    let register = slow(&ledger, &begun, &go_on);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&slow(&ledger, &begun, &go_on), (), "a").await;
    soon("the step", begun.notified()).await;
    assert_eq!(app.pause("a").await.unwrap(), PauseOutcome::Requested);
    app.crash().await;
    let register = slow(&ledger, &begun, &go_on);
    let app = world.open(|it| it.register(register)).await;
    app.until("a", |now| now.status == RunStatus::Paused).await;
    assert_eq!((ledger.count("one"), ledger.count("two")), (0, 0));
    app.resume("a").await.unwrap();
    go_on.notify_one();
    assert_eq!(app.output::<u32>("a").await, 2);
}

async fn a_delayed_start_that_was_paused_begins_at_its_time(world: World) {
    const HOUR: Duration = Duration::from_secs(3_600);
    let ledger = Ledger::default();
    let register = picky(&ledger);
    let app = world.open(|it| it.register(register)).await;
    let start = app.start(picky(&ledger), 7).id("a").delay(HOUR);
    start.await.unwrap();
    assert_eq!(app.pause("a").await.unwrap(), PauseOutcome::Paused);
    app.resume("a").await.unwrap();
    let run = app.get_run("a").await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Pending);
    assert_eq!(run.wake_at.since(run.created_at), HOUR);
    assert_eq!(ledger.count("first"), 0);
    world.clock.advance(HOUR);
    assert_eq!(app.output::<u32>("a").await, 70);
}

async fn a_paused_run_can_be_cancelled(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    app.pause("a").await.unwrap();
    app.until("a", |now| now.status == RunStatus::Paused).await;
    app.cancel("a").await.unwrap();
    assert_eq!(app.ended("a").await.status, RunStatus::Cancelled);
    assert_eq!(app.send("go", 1).await, SignalOutcome::Buffered);
}

async fn a_run_is_paused_after_it_has_undone_its_steps(world: World) {
    let [begun, go_on]: [Arc<Notify>; 2] = Default::default();
    let ledger = Ledger::default();
    let undone = {
        let (begun, go_on, ledger) = (Arc::clone(&begun), Arc::clone(&go_on), ledger.clone());
        flow("undone", move |ctx, ()| {
            let (begun, go_on, ledger) = (Arc::clone(&begun), Arc::clone(&go_on), ledger.clone());
            async move {
                for name in ["one", "two"] {
                    let (begun, go_on, ledger) =
                        (Arc::clone(&begun), Arc::clone(&go_on), ledger.clone());
                    let step = ctx.step(name, async || Ok::<_, StepError>(1_u32));
                    let undo = move |_: u32| {
                        let (begun, go_on, ledger) =
                            (Arc::clone(&begun), Arc::clone(&go_on), ledger.clone());
                        async move {
                            begun.notify_one();
                            go_on.notified().await;
                            ledger.note(name);
                            Ok::<_, StepError>(())
                        }
                    };
                    step.compensate(format!("undo {name}"), undo).await?;
                }
                ctx.rollback().await?;
                ctx.wait_for_signal::<u32>("go").await
            }
        })
    };
    let register = undone.clone();
    let app = world.open(|it| it.register(register)).await;
    app.begin(&undone, (), "a").await;
    soon("the first undo", begun.notified()).await;
    assert_eq!(app.pause("a").await.unwrap(), PauseOutcome::Requested);
    go_on.notify_one();
    soon("the second undo", begun.notified()).await;
    go_on.notify_one();
    app.until("a", |now| now.status == RunStatus::Paused).await;
    assert_eq!((ledger.count("one"), ledger.count("two")), (1, 1));
    app.resume("a").await.unwrap();
    app.waits_for("a", "go").await;
    app.send("go", 3).await;
    assert_eq!(app.output::<u32>("a").await, 3);
    assert_eq!((ledger.count("one"), ledger.count("two")), (1, 1));
}

async fn a_waiting_operation_is_skipped(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    let seq = app.checkpoint("a", "go").await.seq.0;
    let skip = app.skip_step("a", seq, 100);
    skip.by("ada")
        .because("it was said on the phone")
        .await
        .unwrap();
    assert_eq!(app.output::<u32>("a").await, 101);
    // The wait is closed: the signal stays for the next one.
    assert_eq!(app.send("go", 1).await, SignalOutcome::Buffered);
    assert_eq!((ledger.count("first"), ledger.count("last")), (1, 1));
    let log = app.audit("a").await.unwrap();
    assert_eq!(log[0].detail.as_deref(), Some("signal `go` at 2"));
    let skipped = app.checkpoint("a", "go").await;
    assert_eq!(skipped.events.len(), 1, "the timeline tells");
}

async fn the_step_that_a_run_failed_of_is_skipped(world: World) {
    let ledger = Ledger::default();
    let app = failed(&world, &ledger, "a").await;
    let seq = app.checkpoint("a", "second").await.seq.0;
    app.skip_step("a", seq, 99).await.unwrap();
    app.until("a", |now| now.status != RunStatus::Failed).await;
    assert_eq!(app.output::<u32>("a").await, 99);
    assert_eq!((ledger.count("first"), ledger.count("second")), (1, 1));
}

async fn what_a_workflow_has_seen_is_not_skipped(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    for (seq, why) in [(0, "fork the run"), (9, "nothing is recorded")] {
        let refused = app.skip_step("a", seq, 1).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    assert_eq!(app.audit("a").await.unwrap(), []);
    app.send("go", 1).await;
    assert_eq!(app.output::<u32>("a").await, 2);
}

async fn a_run_is_made_to_fail(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    let fail = app.force_fail("a", "the order was a test");
    fail.by("ada").await.unwrap();
    let run = app.ended("a").await;
    assert_eq!(
        (run.status, code(&run)),
        (RunStatus::Failed, Some("forced"))
    );
    assert_eq!(message(&run), "the order was a test");
    assert_eq!(app.send("go", 1).await, SignalOutcome::Buffered);
    assert!(is_wrong_status(app.force_fail("a", "again").await));
    // A requeue lets it go on where it stood.
    app.requeue("a").await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 2);
    assert_eq!((ledger.count("first"), ledger.count("last")), (1, 1));
    let log = app.audit("a").await.unwrap();
    assert_eq!(actions(&log), ["force-fail", "requeue"]);
}

async fn a_change_reaches_the_owner_in_another_process(world: World) {
    let ledger = Ledger::default();
    let app = waiting(&world, &ledger, "a").await;
    let api = world.api().await;
    let seq = api.checkpoint("a", "go").await.seq.0;
    api.skip_step("a", seq, 5).await.unwrap();
    assert_eq!(app.output::<u32>("a").await, 6);
    app.begin(&order(&ledger), 1, "b").await;
    app.waits_for("b", "go").await;
    api.pause("b").await.unwrap();
    api.until("b", |now| now.status == RunStatus::Paused).await;
    api.force_fail("b", "no more").await.unwrap();
    assert_eq!(app.ended("b").await.status, RunStatus::Failed);
    assert_eq!((ledger.count("first"), ledger.count("last")), (2, 1));
}

async fn what_operators_do_is_refused_by_status(world: World) {
    let ledger = Ledger::default();
    let [begun, go_on]: [Arc<Notify>; 2] = Default::default();
    let register = slow(&ledger, &begun, &go_on);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&slow(&ledger, &begun, &go_on), (), "a").await;
    soon("the step", begun.notified()).await;
    assert!(is_wrong_status(app.skip_step("a", 0, 1).await));
    assert!(is_wrong_status(app.force_fail("a", "no").await));
    assert!(is_wrong_status(app.delete_run("a").await));
    assert!(is_wrong_status(app.retry_with_input("a", ()).await));
    assert!(is_wrong_status(app.resume("a").await));
    go_on.notify_one();
    assert_eq!(app.output::<u32>("a").await, 2);
    assert!(is_wrong_status(app.pause("a").await));
    assert!(is_wrong_status(app.skip_step("a", 0, 1).await));
    assert!(app.pause("nobody").await.unwrap_err().is_not_found());
    assert!(app.resume("nobody").await.unwrap_err().is_not_found());
    assert_eq!(app.audit("a").await.unwrap(), []);
    assert_eq!((ledger.count("one"), ledger.count("two")), (1, 1));
}

async fn many_runs_are_cancelled_by_a_query(world: World) {
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    for n in 0..5 {
        let start = app.start(order(&ledger), n).id(format!("run {n}"));
        let tag = if n < 3 { "sale" } else { "other" };
        start.tag(tag).await.unwrap();
        app.waits_for(&format!("run {n}"), "go").await;
    }
    let mut query = RunQuery::default();
    query.tag = Some("sale".into());
    let cancel = app.cancel_where(query.clone());
    let done = cancel.by("ada").because("it is over").await.unwrap();
    assert_eq!((done.matching, done.ended), (3, 0));
    assert_eq!(done.cancelled + done.requested, 3);
    for n in 0..3 {
        let ended = app.ended(&format!("run {n}")).await;
        assert_eq!(ended.status, RunStatus::Cancelled);
    }
    let log = app.audit("run 0").await.unwrap();
    assert_eq!(log[0].reason.as_deref(), Some("it is over"));
    let again = app.cancel_where(query).await.unwrap();
    assert_eq!((again.matching, again.ended), (3, 3));
    let other = app.explain("run 4").await.unwrap();
    assert!(!other.status.is_terminal());
}

async fn who_acted_and_why_is_kept(world: World) {
    let ledger = Ledger::default();
    let app = failed(&world, &ledger, "a").await;
    let by = By::program().actor("grace").reason("the bank is back");
    app.requeue("a").on_behalf(by.clone()).await.unwrap();
    app.until("a", |now| now.status == RunStatus::Failed).await;
    app.ended("a").await;
    app.requeue("a").await.unwrap();
    let log = app.audit("a").await.unwrap();
    let [second, first] = log.as_slice() else {
        panic!("two lines: {log:?}");
    };
    assert_eq!(
        (first.actor.clone(), first.reason.clone()),
        (by.actor, by.reason)
    );
    assert_eq!((&second.actor, &second.reason), (&None, &None));
    assert_eq!(first.run_id.as_str(), "a");
}
