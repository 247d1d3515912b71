//! Several processes on one store: who lives keeps its runs, who died loses them at once.

use std::{sync::Arc, time::Duration};

use axum_durable::{
    Durable, DurableError, RunStatus, engine::EngineConfig, engine::SignalOutcome, prelude::*,
    testing::StoreCall, time::Timestamp,
};
use sea_orm::TransactionTrait;
use tokio::{sync::Notify, time::Instant};

use crate::support::{
    ledger::Ledger,
    probes::{Gate, Quiet, Watch},
    world::{App, World, code, flow, in_every_world, soon},
};

in_every_world!(
    the_runs_of_a_dead_process_go_on_long_before_its_lease_ends,
    the_runs_of_a_live_process_are_left_alone,
    a_paused_process_whose_runs_were_taken_over_cannot_write,
    a_process_that_cannot_renew_its_lease_starts_nothing,
    a_run_that_kills_its_process_is_given_up,
    a_run_that_only_waits_survives_any_number_of_crashes,
    nothing_is_left_of_a_process_that_died_with_a_waiting_run,
    a_draining_process_finishes_its_step_and_hands_its_runs_over,
    a_drain_that_is_too_short_leaves_the_step_to_others,
    what_arrives_right_before_a_drain_is_left_to_others,
    a_start_by_the_same_id_finds_the_first_run,
    runs_leave_memory_when_there_are_too_many,
    runs_leave_memory_when_they_wait_long,
    what_finds_no_room_begins_as_soon_as_there_is_some,
    a_delayed_run_begins_when_its_time_has_come,
);

/// Works in two steps. The first execution of the first step waits to be let go on.
#[derive(Debug, Clone, Default)]
struct Work {
    ledger: Ledger,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Work {
    fn flow(&self) -> Workflow<(), u32> {
        let work = self.clone();
        flow("work", move |ctx, ()| {
            let work = work.clone();
            async move {
                let first = ctx.step("first", async || {
                    let times = work.ledger.note("first");
                    if times == 1 {
                        work.begun.notify_one();
                        work.go_on.notified().await;
                    }
                    Ok::<_, StepError>(times)
                });
                let first = first.await?;
                let second = ctx.step("second", async || {
                    Ok::<_, StepError>(work.ledger.note("second"))
                });
                second.await?;
                Ok(first)
            }
        })
    }

    async fn open(&self, world: &World) -> App {
        let flow = self.flow();
        world.open(|it| it.register(flow)).await
    }

    /// Starts the run and waits until its first step is under way.
    async fn begin(&self, app: &App) {
        app.begin(&self.flow(), (), "a").await;
        soon("the step", self.begun.notified()).await;
    }
}

/// `durable-bench takeover` measures how soon. Here it counts that nobody waits for the lease.
async fn the_runs_of_a_dead_process_go_on_long_before_its_lease_ends(world: World) {
    let work = Work::default();
    let owner = work.open(&world).await;
    owner.begin(&work.flow(), (), "a").await;
    soon("the step", work.begun.notified()).await;
    let flow = work.flow();
    let config = EngineConfig::default();
    let lease = config.lease_ttl;
    let heir = world.open(|it| it.register(flow).config(config)).await;
    let died = Instant::now();
    owner.crash().await;
    assert_eq!(heir.output::<u32>("a").await, 2);
    let took = died.elapsed();
    assert!(took < lease * 2 / 3, "it took {took:?}");
}

async fn the_runs_of_a_live_process_are_left_alone(world: World) {
    let work = Work::default();
    let owner = work.open(&world).await;
    work.begin(&owner).await;
    let (watch, flow) = (Watch::default(), work.flow());
    let other = world
        .open_probed(watch.clone(), |it| it.register(flow))
        .await;
    let looks = watch.until(|| watch.calls(StoreCall::Lease) > 10);
    soon("the looks for dead processes", looks).await;
    work.go_on.notify_one();
    assert_eq!(owner.output::<u32>("a").await, 1);
    assert_eq!(other.output::<u32>("a").await, 1);
}

async fn a_paused_process_whose_runs_were_taken_over_cannot_write(world: World) {
    let work = Work::default();
    let (watch, flow) = (Watch::default(), work.flow());
    // It is renewed every third of that, by the process's own clock: not before the heir is there.
    let short = Duration::from_secs(9);
    let zombie = world
        .open_probed(watch.clone(), move |it| it.register(flow).lease_ttl(short))
        .await;
    let first_id = zombie.engine().instance();
    work.begin(&zombie).await;
    // It still believes in its lease when the store's clock says that it is over.
    world.clock.advance(2 * short);
    let heir = work.open(&world).await;
    assert_eq!(heir.output::<u32>("a").await, 2);

    work.go_on.notify_one();
    soon("the refusal", watch.until(|| watch.refusal().is_some())).await;
    let refusal = watch.refusal().unwrap();
    assert!(refusal.starts_with("lease on run `a` is lost"), "{refusal}");
    assert_eq!(heir.output::<u32>("a").await, 2);
    assert_eq!(
        (work.ledger.count("first"), work.ledger.count("second")),
        (2, 1)
    );

    // It goes on as a new instance.
    let renamed = watch.until(|| zombie.engine().instance() != first_id);
    soon("the new instance", renamed).await;
    heir.crash().await;
    zombie.begin(&work.flow(), (), "b").await;
    assert_eq!(zombie.output::<u32>("b").await, 3);
}

async fn a_process_that_cannot_renew_its_lease_starts_nothing(world: World) {
    let work = Work::default();
    let (gate, flow) = (Gate::failing(StoreCall::Lease), work.flow());
    let config = |it: axum_durable::durable::DurableBuilder, evicts: bool| {
        let mut config = EngineConfig::default();
        config.lease_ttl = Duration::from_secs(1);
        // Only renewals are counted.
        config.recovery_interval = Duration::from_secs(3_600);
        config.evict_at_every_wait = evicts;
        it.config(config)
    };
    let evicts = world.evicts;
    let app = world
        .open_probed(gate.clone(), move |it| config(it.register(flow), evicts))
        .await;
    work.begin(&app).await;
    gate.shut();
    // Three renewals fit into a lease.
    soon("the failed renewals", gate.hit(4)).await;
    work.go_on.notify_one();
    let is_written = |_: &axum_durable::control::Explanation| true;
    while app.record("a").await.history.is_empty() {
        app.until("a", is_written).await;
    }
    soon("one more", gate.hit(5)).await;
    assert_eq!(work.ledger.count("second"), 0);
    gate.open();
    assert_eq!(app.output::<u32>("a").await, 1);
    assert_eq!(work.ledger.count("second"), 1);
}

async fn a_run_that_kills_its_process_is_given_up(world: World) {
    const MOST: u32 = 3;
    let (ledger, begun) = (Ledger::default(), Arc::new(Notify::new()));
    let deadly = {
        let (ledger, begun) = (ledger.clone(), Arc::clone(&begun));
        flow("deadly", move |ctx, ()| {
            let (ledger, begun) = (ledger.clone(), Arc::clone(&begun));
            async move {
                let step = ctx.step("die", async || {
                    ledger.note("die");
                    begun.notify_one();
                    std::future::pending::<Result<(), StepError>>().await
                });
                step.await
            }
        })
    };
    let open = || {
        let register = deadly.clone();
        world.open(|it| it.register(register).max_recovery_attempts(MOST))
    };
    let app = open().await;
    app.begin(&deadly, (), "a").await;
    soon("the first life", begun.notified()).await;
    app.crash().await;
    let mut lives = 1;
    let dead = loop {
        let app = open().await;
        let ended = app.ended("a");
        tokio::select! {
            biased;
            () = begun.notified() => lives += 1,
            dead = ended => break dead,
        }
        assert!(lives < 20, "it lives on");
        app.crash().await;
    };
    assert_eq!(
        (dead.status, code(&dead)),
        (RunStatus::Dead, Some("too_many_recoveries"))
    );
    assert_eq!(ledger.count("die"), lives);
    // The first life is no recovery. That the run had begun there is not stored, as nothing was
    // written but its start, so one more life is not counted.
    assert!((MOST + 1..=MOST + 2).contains(&lives), "{lives} lives");
}

async fn a_run_that_only_waits_survives_any_number_of_crashes(world: World) {
    let open = || world.open(|it| it.register(waiting()).max_recovery_attempts(2));
    let app = open().await;
    app.begin(&waiting(), (), "a").await;
    app.waits_for("a", "go a").await;
    app.crash().await;
    for _ in 0..6 {
        let app = open().await;
        // Claimed, replayed, and waiting again.
        let is_so = |now: &axum_durable::control::Explanation| {
            now.status == RunStatus::Suspended
                && now.wakes.contains(app.engine().instance().as_str())
        };
        if world.evicts {
            app.waits_for("a", "go a").await;
        } else {
            let why = app.until("a", is_so).await;
            assert!(
                why.reason.starts_with("waiting for signal `go a`"),
                "{why:?}"
            );
        }
        app.crash().await;
    }
    let app = open().await;
    app.send("go a", 8).await;
    assert_eq!(app.output::<u32>("a").await, 8);
}

/// Waits for a signal.
fn waiting() -> Workflow<(), u32> {
    flow("waiting", |ctx, ()| async move {
        let token = format!("go {}", ctx.run_id());
        ctx.wait_for_signal(token).await
    })
}

async fn a_draining_process_finishes_its_step_and_hands_its_runs_over(world: World) {
    let work = Work::default();
    let open = || {
        let flow = work.flow();
        world.open(|it| it.register(flow).register(waiting()))
    };
    let owner = open().await;
    work.begin(&owner).await;
    owner.begin(&waiting(), (), "w").await;
    owner.waits_for("w", "go w").await;
    let heir = open().await;

    let durable = (*owner).clone();
    let drain = owner.run(async move { durable.drain(Duration::from_secs(20)).await });
    let hand_over = async {
        // The waiting run is free at once, while the step goes on.
        owner
            .until("w", |now| now.wakes.contains("any instance"))
            .await;
        assert_eq!(heir.send("go w", 5).await, SignalOutcome::Delivered);
        assert_eq!(heir.output::<u32>("w").await, 5);
        work.go_on.notify_one();
    };
    let (is_drained, ()) = soon("the drain", async { tokio::join!(drain, hand_over) }).await;
    assert!(is_drained);
    assert_eq!(owner.engine().residents(), (0, 0));
    assert_eq!(heir.output::<u32>("a").await, 1);
    assert_eq!(
        (work.ledger.count("first"), work.ledger.count("second")),
        (1, 1)
    );

    // It still takes starts, for others to execute.
    owner.begin(&work.flow(), (), "late").await;
    assert_eq!(heir.output::<u32>("late").await, 2);
}

async fn a_drain_that_is_too_short_leaves_the_step_to_others(world: World) {
    let work = Work::default();
    let owner = work.open(&world).await;
    work.begin(&owner).await;
    let durable = (*owner).clone();
    let cut = owner.run(async move { durable.engine().shutdown(Duration::ZERO).await });
    soon("the shutdown", cut).await;
    let run = owner.get_run("a").await.unwrap().unwrap();
    assert_eq!(
        (run.owner, run.recoveries),
        (None, 0),
        "given back, and not a recovery"
    );
    let heir = work.open(&world).await;
    assert_eq!(heir.output::<u32>("a").await, 2);
}

/// The signal and the drain reach the run in one piece: the workflow moves on and may not begin
/// what follows. Nothing would wake the run but the commit with which it leaves.
async fn what_arrives_right_before_a_drain_is_left_to_others(world: World) {
    let ledger = Ledger::default();
    let approved = {
        let ledger = ledger.clone();
        flow("approved", move |ctx, ()| {
            let ledger = ledger.clone();
            async move {
                let value = ctx.wait_for_signal::<u32>("go").await?;
                let body = async || Ok::<_, StepError>(ledger.note("after"));
                ctx.step("after", body).await?;
                Ok(value)
            }
        })
    };
    // On the test's own runtime, which has one thread: the run's task is polled after both.
    let store = world.store(Quiet).await;
    let mut config = EngineConfig::default();
    config.evict_at_every_wait = world.evicts;
    let builder = Durable::builder().config(config).store(store);
    let builder = builder.only_registered().register(approved.clone());
    let owner = builder.build().await.unwrap();
    let start = owner.start(approved.clone(), ()).id("a").into_future();
    soon("the start", start).await.unwrap();
    let is_waiting = async {
        while owner.explain("a").await.unwrap().waiting_for.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon("the wait", is_waiting).await;

    let sent = owner.signal("go", 7_u32).into_future();
    assert_eq!(
        soon("the signal", sent).await.unwrap(),
        SignalOutcome::Delivered
    );
    let patience = Duration::from_secs(60);
    assert!(soon("the drain", owner.drain(patience)).await);
    let left = owner.get_run("a").await.unwrap().unwrap();
    assert_eq!(left.owner, None);
    assert_ne!(left.wake_at, Timestamp::MAX, "nobody would ever wake it");
    assert_eq!(ledger.count("after"), 0);

    let heir = world.open(|it| it.register(approved)).await;
    assert_eq!(heir.output::<u32>("a").await, 7);
    assert_eq!(ledger.count("after"), 1);
    soon("the shutdown", owner.shutdown()).await;
}

async fn a_start_by_the_same_id_finds_the_first_run(world: World) {
    let app = world.open(|it| it.register(waiting())).await;
    let other = world.open(|it| it.register(waiting())).await;
    assert!(app.begin(&waiting(), (), "a").await.is_new());
    assert!(!other.begin(&waiting(), (), "a").await.is_new());
    let flow = waiting();
    let starts = (0..20).map(|n| [&app, &other][n % 2].begin(&flow, (), "b"));
    let starts = futures_util::future::join_all(starts).await;
    assert_eq!(starts.iter().filter(|it| it.is_new()).count(), 1);
    for run in ["a", "b"] {
        app.send(&format!("go {run}"), 3).await;
        assert_eq!(other.output::<u32>(run).await, 3);
        assert!(!app.begin(&waiting(), (), run).await.is_new());
    }
}

async fn runs_leave_memory_when_there_are_too_many(world: World) {
    let app = world
        .open(|it| it.register(waiting()).max_resident_runs(3))
        .await;
    for n in 0..10 {
        app.begin(&waiting(), (), &n.to_string()).await;
        app.waits_for(&n.to_string(), &format!("go {n}")).await;
    }
    while app.engine().residents().0 > 3 {
        app.until("0", |_| true).await;
        tokio::task::yield_now().await;
    }
    for n in 0..10 {
        assert_eq!(
            app.send(&format!("go {n}"), n).await,
            SignalOutcome::Delivered
        );
    }
    for n in 0..10 {
        assert_eq!(app.output::<u32>(&n.to_string()).await, n);
    }
}

async fn runs_leave_memory_when_they_wait_long(world: World) {
    let minute = Duration::from_secs(60);
    let app = world
        .open(move |it| it.register(waiting()).evict_after(minute))
        .await;
    app.begin(&waiting(), (), "a").await;
    app.waits_for("a", "go a").await;
    world.clock.advance(2 * minute);
    let gone = app
        .until("a", |now| now.wakes.contains("any instance"))
        .await;
    assert_eq!(gone.status, RunStatus::Suspended);
    assert_eq!(app.send("go a", 1).await, SignalOutcome::Delivered);
    assert_eq!(app.output::<u32>("a").await, 1);
}

async fn what_finds_no_room_begins_as_soon_as_there_is_some(world: World) {
    let work = Work::default();
    let mut config = EngineConfig::default();
    config.evict_at_every_wait = world.evicts;
    config.max_resident_runs = 1;
    // It does not look by chance a while later.
    config.poll_interval = Duration::from_secs(3_600);
    let flow = work.flow();
    let app = world.open(|it| it.config(config).register(flow)).await;
    work.begin(&app).await;
    app.begin(&work.flow(), (), "b").await;
    work.go_on.notify_one();
    assert_eq!(app.output::<u32>("a").await, 1);
    assert_eq!(app.output::<u32>("b").await, 2);
}

async fn a_delayed_run_begins_when_its_time_has_come(world: World) {
    let work = Work::default();
    let app = work.open(&world).await;
    let hour = Duration::from_secs(3_600);
    let start = app.start(work.flow(), ()).id("a").delay(hour).into_future();
    soon("the start", app.run(start)).await.unwrap();
    let why = app.explain("a").await.unwrap();
    assert_eq!(why.reason, "delayed for another 1h 0m");
    app.crash().await;
    let app = work.open(&world).await;
    world.clock.advance(hour / 2);
    assert_eq!(
        app.explain("a").await.unwrap().reason,
        "delayed for another 30m 0s"
    );
    assert_eq!(work.ledger.count("first"), 0);
    world.clock.advance(hour / 2);
    soon("the step", work.begun.notified()).await;
    work.go_on.notify_one();
    assert_eq!(app.output::<u32>("a").await, 1);
}

#[tokio::test]
async fn a_run_started_in_a_transaction_exists_once_that_is_committed() {
    let world = World::sqlite();
    let app = world.open(|it| it.register(waiting())).await;
    let sql = world.sql().await;
    app.send("go kept", 1).await;

    let tx = sql.connection().begin().await.unwrap();
    let start = app.start(waiting(), ()).id("dropped");
    assert!(start.in_transaction(&tx).await.unwrap().is_new());
    tx.rollback().await.unwrap();
    assert!(app.get_run("dropped").await.unwrap().is_none());

    let durable = (*app).clone();
    let started = app.run(async move {
        let tx = sql.connection().begin().await.unwrap();
        let start = |id: &str| durable.start(waiting(), ()).id(id);
        let first = start("kept").in_transaction(&tx).await.unwrap();
        let again = start("kept").in_transaction(&tx).await.unwrap();
        tx.commit().await.unwrap();
        (first.is_new(), again.is_new())
    });
    assert_eq!(soon("the transaction", started).await, (true, false));
    assert_eq!(app.output::<u32>("kept").await, 1);
}

#[tokio::test]
async fn a_store_without_transactions_says_so() {
    let world = World::memory();
    let app = world.open(|it| it.register(waiting())).await;
    let sql = World::sqlite();
    let sql = sql.sql().await;
    let refused = app
        .start(waiting(), ())
        .in_transaction(&sql.connection().begin().await.unwrap())
        .await;
    assert!(
        matches!(refused, Err(DurableError::NoTransactions { .. })),
        "{refused:?}"
    );
}

/// An engine holds its runs and they hold it: both must go, and the connections with them.
async fn nothing_is_left_of_a_process_that_died_with_a_waiting_run(world: World) {
    let held = Arc::new(());
    let left = Arc::downgrade(&held);
    let holder = flow("holder", move |ctx, ()| {
        let held = Arc::clone(&held);
        async move {
            ctx.wait_for_signal::<()>("go").await?;
            drop(held);
            Ok(())
        }
    });
    let registered = holder.clone();
    let app = world.open(|it| it.register(registered)).await;
    app.begin(&holder, (), "a").await;
    app.waits_for("a", "go").await;
    drop(holder);
    app.crash().await;
    assert_eq!(left.strong_count(), 0);
}
