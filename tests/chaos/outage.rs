//! A database that is away, locked, full or busy with others.

use std::{sync::Arc, time::Duration};

use axum_durable::{SqlStore, prelude::*};
use sea_orm::{
    ConnectionTrait as _, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use tokio::{process::Command, sync::Notify, task::JoinSet};

use crate::support::{
    engine::{Counts, completed, explained, flow, open, open_on, renewed, start_all},
    place::{Place, on_every_database, on_every_server, on_sqlite, short_or_long, soon, until},
    shop::Fleet,
};

on_every_server!(
    a_database_is_away_with_a_thousand_runs_in_the_middle_of_a_step,
    deadlocks_are_tried_again,
);
on_every_database!(the_hosts_connections_are_all_busy);
on_sqlite!(
    another_program_holds_the_write_lock,
    a_disk_is_full_for_a_while,
);

/// Places so many orders, all at once.
async fn place_all(fleet: &Fleet, orders: u32) {
    let mut customers = JoinSet::new();
    for customer in 0..50 {
        let door = fleet.door.clone();
        customers.spawn(async move {
            for n in (customer..orders).step_by(50) {
                door.decide(&n.to_string(), true).await;
                door.place(&n.to_string(), 1).await;
            }
        });
    }
    customers.join_all().await;
}

const SHIPPED: &str =
    "SELECT count(*) FROM durable_runs WHERE status = 'completed' AND workflow = 'checkout'";

async fn all_shipped_once(place: &Place, orders: u32) {
    let orders = i64::from(orders);
    until("the end of all orders", || async {
        place.number(SHIPPED).await == orders
    })
    .await;
    assert_eq!(
        place.number("SELECT count(*) FROM effects").await,
        5 * orders
    );
    assert_eq!(place.number("SELECT count(*) FROM charges").await, orders);
    let left = place.number("SELECT available FROM stock").await;
    assert_eq!(left, 1_000_000 - orders);
}

async fn a_database_is_away_with_a_thousand_runs_in_the_middle_of_a_step(place: Place) {
    const ORDERS: u32 = 1_000;
    let proxy = place.proxy().await;
    let settings = [("CHECKOUT_STEP_MS", "1500"), ("CHECKOUT_SETTLE_MS", "10")];
    let mut fleet = Fleet::new(&place, 1, &settings).at(place.url_behind(&proxy));
    fleet.open(0).await;
    place_all(&fleet, ORDERS).await;
    let begun = "SELECT count(*) FROM effects";
    until("the first steps", || async {
        place.number(begun).await > 50
    })
    .await;

    proxy.refuse(true);
    proxy.cut();
    let (memory, ticks) = fleet.usage(0);
    let away = short_or_long(Duration::from_secs(3), Duration::from_secs(60));
    // The outage itself: what the program uses up in that time is measured.
    tokio::time::sleep(away).await;
    let (memory_then, ticks_then) = fleet.usage(0);
    let (grown, used) = (memory_then.saturating_sub(memory), ticks_then - ticks);
    println!("away for {away:?}: {grown} KiB more memory, {used}0 ms of processor time");
    assert!(grown < 64 * 1024, "{grown} KiB more memory");
    // A loop that does not wait would take all of a processor.
    let hundredths = u64::try_from(away.as_millis() / 10).unwrap();
    assert!(used < hundredths * 7 / 10, "{used} of {hundredths} ticks");
    proxy.refuse(false);

    fleet.explains_what_is_open().await;
    all_shipped_once(&place, ORDERS).await;
    let given_up = "SELECT count(*) FROM durable_runs WHERE status <> 'completed' \
                    AND workflow <> 'ask-for-review'";
    assert_eq!(place.number(given_up).await, 0);
    assert!(fleet.terminate(0).await.success());
}

/// Another program locks rows of runs in an order that nobody else would.
async fn deadlocks_are_tried_again(place: Place) {
    const RUNS: u32 = 20;
    let counts = Counts::default();
    let work = counts.steps();
    let durable = open(&place.url(), |it| it.register(work.clone())).await;
    let done = Arc::new(Notify::new());
    let mut others = JoinSet::new();
    for _ in 0..2 {
        let (place, done) = (place.clone(), Arc::clone(&done));
        others.spawn(async move {
            let connection = place.connection().await;
            let mut stop = std::pin::pin!(done.notified());
            stop.as_mut().enable();
            let mut deadlocks = 0_u32;
            loop {
                let tx = connection.begin().await.unwrap();
                let mut lost = false;
                for n in (0..RUNS).rev() {
                    let lock = format!("SELECT id FROM durable_runs WHERE id = 'd-{n}' FOR UPDATE");
                    lost = tx.execute_unprepared(&lock).await.is_err();
                    if lost {
                        break;
                    }
                }
                deadlocks += u32::from(lost);
                drop(tx.rollback().await);
                // Without, nobody else would get at the rows at all.
                let pause = tokio::time::sleep(Duration::from_millis(2));
                tokio::select! {
                    () = &mut stop => return deadlocks,
                    () = pause => {}
                }
            }
        });
    }
    let steps = short_or_long(10, 200);
    soon(
        "the starts",
        start_all(&durable, &work, ("d", RUNS), |_| steps),
    )
    .await;
    completed(&place, RUNS).await;
    done.notify_waiters();
    let deadlocks: u32 = others.join_all().await.iter().sum();
    println!("the other program lost {deadlocks} deadlocks");
    counts.assert_once(RUNS * steps);
    durable.shutdown().await;
}

/// The engine has connections of its own: a host that uses up its own harms only itself.
async fn the_hosts_connections_are_all_busy(place: Place) {
    let counts = Counts::default();
    let work = counts.steps();
    let lease = Duration::from_secs(6);
    let store = SqlStore::connect(&place.url()).await.unwrap();
    let register = |it: axum_durable::durable::DurableBuilder| it.register(work.clone());
    let durable = open_on(store.clone(), |it| register(it).lease_ttl(lease)).await;
    let other = open(&place.url(), |it| register(it).lease_ttl(lease)).await;
    // As many transactions as there are connections; the last one of these finds none.
    let mut held = Vec::new();
    let most = Duration::from_millis(500);
    while let Ok(Ok(tx)) = tokio::time::timeout(most, store.connection().begin()).await {
        tx.query_one_raw(sea_orm::Statement::from_string(
            store.connection().get_database_backend(),
            "SELECT count(*) FROM durable_runs",
        ))
        .await
        .unwrap();
        held.push(tx);
        assert!(held.len() < 200, "the host's connections have no bound");
    }
    println!("{} connections of the host are busy", held.len());
    let rounds = short_or_long(2, 30);
    for round in 0..rounds {
        let name = format!("r{round}");
        soon("the starts", start_all(&durable, &work, (&name, 10), |_| 3)).await;
        completed(&place, 10 * (round + 1)).await;
        // Longer than a lease in all.
        renewed(&place, lease * 3 / 4).await;
    }
    counts.assert_once(rounds * 30);
    let instances = "SELECT count(*) FROM durable_instances";
    assert_eq!(place.number(instances).await, 2);
    let recovered = "SELECT count(*) FROM durable_runs WHERE token > 1";
    assert_eq!(place.number(recovered).await, 0);
    drop(held);
    durable.shutdown().await;
    other.shutdown().await;
}

/// Longer than a write waits for the lock, so that commits fail.
async fn another_program_holds_the_write_lock(place: Place) {
    let counts = Counts::default();
    let (work, waits) = (counts.steps(), waiting());
    let durable = open(&place.url(), |it| {
        it.register(work.clone()).register(waits.clone())
    })
    .await;
    start_all(&durable, &waits, ("waits", 1), |_| ()).await;
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let connection = place.connection().await;
    let lock = connection.begin_with_options(options).await.unwrap();
    let locked = async {
        // The fault itself: for a shorter time, a write would wait and not fail.
        tokio::time::sleep(short_or_long(
            Duration::from_secs(6),
            Duration::from_secs(60),
        ))
        .await;
        explained(&durable, "waits-0").await;
        lock.rollback().await.unwrap();
    };
    let starts = start_all(&durable, &work, ("r", 100), |_| 3);
    soon("the starts", async { tokio::join!(starts, locked) }).await;
    completed(&place, 100).await;
    counts.assert_once(300);
    durable.shutdown().await;
}

fn waiting() -> Workflow<(), ()> {
    flow("waiting", |ctx, ()| async move {
        ctx.wait_for_signal::<()>("go").await?;
        Ok(())
    })
}

/// The operating system refuses to let files grow, until it is told otherwise.
async fn a_disk_is_full_for_a_while(place: Place) {
    const ORDERS: u32 = 150;
    let settings = [("CHECKOUT_STEP_MS", "0"), ("CHECKOUT_SETTLE_MS", "10")];
    let mut fleet = Fleet::new(&place, 1, &settings);
    // In blocks of 512 bytes; a write beyond it fails and sends a signal that is ignored here.
    fleet.launcher = Some(r#"trap "" XFSZ; ulimit -S -f 1600; exec "$0""#);
    fleet.open(0).await;
    let is_full = || fleet.logged(0, "commit failed") > 8;
    // The customers go when it is full: what they ask for would take more of a processor than
    // what is measured.
    tokio::select! {
        () = place_all(&fleet, ORDERS) => panic!("all orders fit"),
        () = until("a full disk", || async { is_full() }) => {}
    }
    let (_, ticks) = fleet.usage(0);
    // What the program uses up in that time is measured.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = fleet.usage(0).1 - ticks;
    println!("while the disk is full: {used}0 ms of processor time in a second");
    assert!(used < 70, "{used} of 100 ticks");
    let id = fleet.process(0).to_string();
    let raised = Command::new("prlimit")
        .args(["--fsize=unlimited:unlimited", "--pid", &id])
        .status();
    assert!(raised.await.unwrap().success());
    soon("the orders", place_all(&fleet, ORDERS)).await;
    all_shipped_once(&place, ORDERS).await;
}
