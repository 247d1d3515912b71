//! Take-overs, rows that cannot be read, clocks that are wrong.

use std::time::{Duration, UNIX_EPOCH};

use axum_durable::{
    Durable, SqlStore,
    id::{InstanceId, RunId},
    model::{NewRun, WorkflowKey},
    payload::Payload,
    prelude::*,
    store::{Batch, Claim, CommitStore as _, LeaseStore as _, Store as _},
};
use sea_orm::ConnectionTrait as _;
use tokio::{process::Command, task::JoinSet};

use crate::support::{
    customers::{Customers, seeded},
    engine::{Counts, completed, explained, flow, open, renewed, start_all},
    place::{Place, on_every_database, on_every_server, on_postgres, short_or_long, soon, until},
    shop::Fleet,
};

on_every_database!(
    of_recoverers_at_once_each_run_goes_to_one,
    a_row_that_cannot_be_read_harms_its_run_only,
);
on_postgres!(dates_that_differ_by_an_hour_change_nothing);
on_every_server!(shops_whose_clocks_are_an_hour_off_sell_as_usual);

const LEASE: Duration = Duration::from_secs(15);

const RUNS: u64 = 40;

fn key() -> WorkflowKey {
    WorkflowKey::new("steps", 1)
}

/// What recoverers found: recovered runs, and the tokens of claimed ones.
#[derive(Debug, Default)]
struct Found {
    recovered: u64,
    tokens: Vec<u64>,
}

impl Found {
    async fn look(&mut self, store: &SqlStore, me: &InstanceId) {
        self.recovered += store.recover(me, 10, &|_| None).await.unwrap().runs;
        let claim = Claim {
            instance: me,
            workflows: &[key()],
            namespace: None,
            limit: 1_000,
        };
        let claimed = store.claim(claim).await.unwrap().runs;
        self.tokens.extend(claimed.iter().map(|it| it.run.token.0));
    }
}

/// Starts runs that belong to an instance.
async fn start_under(store: &SqlStore, owner: &InstanceId) {
    let starts = (0..RUNS).map(|n| {
        let id = RunId::from_trusted(format!("{owner}-{n}"));
        let mut run = NewRun::new(id, key(), Payload::null(), store.clock().now());
        run.owner = Some(owner.clone());
        run
    });
    let batch = Batch {
        starts: starts.collect(),
        ..Batch::default()
    };
    store.commit(&batch).await.unwrap();
}

async fn of_recoverers_at_once_each_run_goes_to_one(place: Place) {
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(SqlStore::connect(&place.url()).await.unwrap());
    }
    for round in 0..short_or_long(8_u32, 100) {
        let instance = |name: &str| InstanceId::from_trusted(format!("{name}-{round}"));
        let dead = instance("dead");
        let lock = stores[0].enroll(&dead, LEASE).await.unwrap();
        start_under(&stores[0], &dead).await;
        let mut enrolled = Vec::new();
        for (number, store) in stores.iter().enumerate() {
            let me = instance(&format!("live-{number}"));
            let lock = store.enroll(&me, LEASE).await.unwrap();
            enrolled.push((store.clone(), me, lock));
        }
        drop(lock);
        let mut recoverers = JoinSet::new();
        for (store, me, _) in &enrolled {
            let (store, me) = (store.clone(), me.clone());
            recoverers.spawn(async move {
                let mut found = Found::default();
                found.look(&store, &me).await;
                found
            });
        }
        let mut all = Found::default();
        for found in soon("the recoverers", recoverers.join_all()).await {
            all.recovered += found.recovered;
            all.tokens.extend(found.tokens);
        }
        // A lock that dies with a connection is free once the server has noticed, which may be
        // too late for all of them.
        let (store, me, _) = &enrolled[0];
        let known = format!("SELECT count(*) FROM durable_instances WHERE id = '{dead}'");
        while place.number(&known).await > 0 {
            all.look(store, me).await;
        }
        all.look(store, me).await;
        assert_eq!(all.recovered, RUNS, "round {round}: {all:?}");
        assert_eq!(all.tokens.len() as u64, RUNS, "round {round}: {all:?}");
        // Token 1 was the start's; the take-over and the claim each took a larger one.
        assert!(all.tokens.iter().all(|it| *it == 3), "{all:?}");
        for (store, me, lock) in enrolled {
            store.resign(&me).await.unwrap();
            drop(lock);
        }
        let sql = "UPDATE durable_runs SET status = 'completed', wake_at = 9223372036854775807";
        let connection = place.connection().await;
        connection.execute_unprepared(sql).await.unwrap();
    }
}

/// Two steps with a wait for signal `go-<input>` between them.
fn paused(counts: &Counts) -> Workflow<u32, u32> {
    let counts = counts.clone();
    flow("paused", move |ctx, n: u32| {
        let counts = counts.clone();
        async move {
            let body = async |step: StepCtx| Ok::<_, StepError>(counts.note(&step));
            ctx.step("before", body).await?;
            ctx.wait_for_signal::<()>(format!("go-{n}")).await?;
            let body = async |step: StepCtx| Ok::<_, StepError>(counts.note(&step));
            ctx.step("after", body).await?;
            Ok(n)
        }
    })
}

async fn a_row_that_cannot_be_read_harms_its_run_only(place: Place) {
    let runs = short_or_long(300, 1_000);
    let counts = Counts::default();
    let paused = paused(&counts);
    let register = |it: axum_durable::durable::DurableBuilder| it.register(paused.clone());
    let durable = open(&place.url(), register).await;
    start_all(&durable, &paused, ("p", runs), |n| n).await;
    let waiters = "SELECT count(*) FROM durable_waiters";
    let all = i64::from(runs);
    until("the waits", || async { place.number(waiters).await == all }).await;
    durable.shutdown().await;

    let broken = format!("p-{}", runs / 2);
    let connection = place.connection().await;
    let sql = format!(
        "UPDATE durable_checkpoints SET kind = 'nonsense' WHERE seq = 0 AND run_no = \
         (SELECT no FROM durable_runs WHERE id = '{broken}')"
    );
    connection.execute_unprepared(&sql).await.unwrap();
    let durable = open(&place.url(), register).await;
    for n in 0..runs {
        durable.signal(format!("go-{n}"), ()).await.unwrap();
    }
    completed(&place, runs - 1).await;
    let aside = "SELECT count(*) FROM durable_runs WHERE status = 'blocked'";
    until("the broken one", || async {
        place.number(aside).await == 1
    })
    .await;
    let run = durable.get_run(broken.as_str()).await.unwrap().unwrap();
    assert_eq!(run.failure.unwrap().code.as_deref(), Some("unreadable"));
    counts.assert_once(2 * runs - 1);

    // Mended, it goes on.
    let sql = "UPDATE durable_checkpoints SET kind = 'step' WHERE kind = 'nonsense'";
    connection.execute_unprepared(sql).await.unwrap();
    durable.requeue(broken.as_str()).await.unwrap();
    completed(&place, runs).await;
    counts.assert_once(2 * runs);
    durable.shutdown().await;
}

/// The dates of the machines and of the database differ by an hour. That the database is the one
/// that is moved makes no difference: what counts is that only its clock is asked.
async fn dates_that_differ_by_an_hour_change_nothing(place: Place) {
    for hours in [1, -1] {
        let connection = place.connection().await;
        let shift = format!(
            "CREATE SCHEMA IF NOT EXISTS shifted; \
             CREATE OR REPLACE FUNCTION shifted.clock_timestamp() RETURNS timestamptz \
             LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '{hours} hours' $$; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, shifted, \
             pg_catalog', current_database()); END $$"
        );
        connection.execute_unprepared(&shift).await.unwrap();
        under_another_date(&place, hours).await;
        for table in ["checkpoints", "runs"] {
            let sql = format!("DELETE FROM durable_{table}");
            connection.execute_unprepared(&sql).await.unwrap();
        }
    }
}

async fn under_another_date(place: &Place, hours: i64) {
    const RUNS: u32 = 20;
    const LEASE: Duration = Duration::from_secs(6);
    let counts = Counts::default();
    let napping = {
        let counts = counts.clone();
        flow("napping", move |ctx, ()| {
            let counts = counts.clone();
            async move {
                ctx.sleep(Duration::from_millis(500)).await;
                let body = async |step: StepCtx| Ok::<_, StepError>(counts.note(&step));
                ctx.step("after", body).await?;
                Ok(())
            }
        })
    };
    let waiting = flow("waiting", |ctx, token: String| async move {
        let wait = ctx.wait_for_signal::<()>(token);
        wait.timeout(Duration::from_secs(2 * 3_600)).await
    });
    let mut engines = Vec::new();
    for _ in 0..3 {
        let add = |it: axum_durable::durable::DurableBuilder| {
            it.register(napping.clone()).register(waiting.clone())
        };
        engines.push(open(&place.url(), |it| add(it).lease_ttl(LEASE)).await);
    }
    let began = tokio::time::Instant::now();
    for (number, engine) in engines.iter().enumerate() {
        let (naps, waits) = (format!("n{number}"), format!("w{number}"));
        let starts = async {
            start_all(engine, &napping, (&naps, RUNS), |_| ()).await;
            start_all(engine, &waiting, (&waits, 1), |_| waits.clone()).await;
        };
        soon("the starts", starts).await;
        is_explained_by_the_right_clock(place, engine, &format!("{waits}-0")).await;
        engine.signal(waits, ()).await.unwrap();
    }
    completed(place, 3 * (RUNS + 1)).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(500), "woken too early");
    assert!(took < Duration::from_secs(600), "woken after {took:?}");
    counts.assert_once(3 * RUNS);
    // Each renews its own lease in time for the others, until all of them have outlived one.
    renewed(place, LEASE).await;
    let instances = "SELECT count(*) FROM durable_instances";
    assert_eq!(place.number(instances).await, 3);
    let recovered = "SELECT count(*) FROM durable_runs WHERE recoveries > 0";
    assert_eq!(place.number(recovered).await, 0);
    let now = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let expected = now + hours * 3_600_000;
    let times: Vec<i64> = place.column("SELECT finished_at FROM durable_runs").await;
    for at in times {
        let off = (expected - at).abs();
        assert!(off < 120_000, "finished {off} ms off the database's time");
    }
    for engine in engines {
        engine.shutdown().await;
    }
}

/// A run that has just begun to wait, for two hours at most, is said to do so. By a clock that is
/// an hour late, three hours would be left; by one that is an hour early, one, and the wait would
/// have lasted for another one.
async fn is_explained_by_the_right_clock(place: &Place, engine: &Durable, run: &str) {
    let waits = format!(
        "SELECT count(*) FROM durable_waiters WHERE run_no = \
         (SELECT no FROM durable_runs WHERE id = '{run}')"
    );
    until("the wait", || async { place.number(&waits).await == 1 }).await;
    let why = explained(engine, run).await;
    let spans = why.rsplit_once(" since ").unwrap().1;
    let (since, left) = spans.split_once(", times out in ").unwrap();
    assert!(seconds(since) < 120, "{why}");
    assert!((7_080..=7_200).contains(&seconds(left)), "{why}");
}

/// What a span such as `1h 59m` says, in seconds.
fn seconds(span: &str) -> u64 {
    let units = span.split(' ').map(|part| {
        let (number, unit) = part.split_at(part.len() - 1);
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => panic!("{span}"),
        };
        number.parse::<u64>().unwrap() * unit
    });
    units.sum()
}

/// The clock of one machine is an hour fast and that of another one an hour slow. Only their
/// clocks of the day: an hour more or less since the start is no fault that machines have.
async fn shops_whose_clocks_are_an_hour_off_sell_as_usual(place: Place) {
    // Not by the command, which would stay between this process and the shop.
    const CLOCKS: [Option<&str>; 3] = [
        Some(
            r#"LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1' FAKETIME=+1h DONT_FAKE_MONOTONIC=1 exec "$0""#,
        ),
        Some(
            r#"LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1' FAKETIME=-1h DONT_FAKE_MONOTONIC=1 exec "$0""#,
        ),
        None,
    ];
    let faketime = Command::new("faketime").arg("--version").output().await;
    if let Err(error) = faketime {
        let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
        assert!(!is_ci, "faketime cannot be started: {error}");
        println!("skipped: faketime is not installed");
        return;
    }
    let mut rng = seeded();
    let settings = [("CHECKOUT_STEP_MS", "10"), ("CHECKOUT_SETTLE_MS", "300")];
    let mut fleet = Fleet::new(&place, CLOCKS.len(), &settings);
    for (number, clock) in CLOCKS.into_iter().enumerate() {
        fleet.launcher = clock;
        fleet.open(number).await;
    }
    let orders = short_or_long(60, 2_000);
    let customers = Customers::send(&fleet.door, (8, orders), 100, &mut rng);
    customers.check(&fleet, &place, 0).await;
    // Nobody was taken for dead.
    let instances = "SELECT count(*) FROM durable_instances";
    assert_eq!(place.number(instances).await, 3);
    let recovered = "SELECT count(*) FROM durable_runs WHERE token > 1";
    assert_eq!(place.number(recovered).await, 0);
    // The database's clock counts: no run ended before it began, or an hour after.
    let odd = "SELECT count(*) FROM durable_runs \
               WHERE finished_at < created_at OR finished_at > created_at + 600000";
    assert_eq!(place.number(odd).await, 0);
}
