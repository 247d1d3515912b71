//! Instances that are killed or stand still: every order ends right, and the ledger proves it.

use std::time::Duration;

use rand::RngExt;

use crate::support::{
    customers::{Customers, seeded},
    place::{Place, on_every_database, on_sqlite, short_or_long, until},
    shop::Fleet,
};

on_every_database!(
    one_of_three_is_killed_again_and_again,
    the_only_shop_is_killed_again_and_again,
    a_shop_that_stands_still_is_refused_afterwards,
);
on_sqlite!(a_shop_that_is_asked_to_end_finishes_its_step_and_exits_cleanly);

const BUSY: [(&str, &str); 2] = [("CHECKOUT_STEP_MS", "30"), ("CHECKOUT_SETTLE_MS", "100")];

async fn killed_again_and_again(place: Place, size: usize, orders: u32, kills: u64) {
    let mut rng = seeded();
    let mut fleet = Fleet::new(&place, size, &BUSY);
    fleet.open_all().await;
    let customers = Customers::send(&fleet.door, (16, orders), 250, &mut rng);
    for kill in 0..kills {
        // By chance, and not at an event: a process may die anywhere, also between two of them.
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..400))).await;
        let victim = rng.random_range(0..size);
        fleet.kill(victim).await;
        if size > 1 && kill % 4 == 1 {
            fleet.explains_what_is_open().await;
        }
        fleet.open(victim).await;
    }
    customers.check(&fleet, &place, kills).await;
    for number in 0..size {
        assert!(fleet.terminate(number).await.success());
    }
    let owned = "SELECT count(*) FROM durable_runs WHERE owner IS NOT NULL";
    assert_eq!(place.number(owned).await, 0);
}

async fn one_of_three_is_killed_again_and_again(place: Place) {
    let (orders, kills) = short_or_long((150, 8), (6_000, 200));
    killed_again_and_again(place, 3, orders, kills).await;
}

async fn the_only_shop_is_killed_again_and_again(place: Place) {
    let (orders, kills) = short_or_long((100, 6), (3_000, 100));
    killed_again_and_again(place, 1, orders, kills).await;
}

async fn a_shop_that_stands_still_is_refused_afterwards(place: Place) {
    let mut rng = seeded();
    let settings = [BUSY[0], BUSY[1], ("DURABLE_LEASE", "3s")];
    let mut fleet = Fleet::new(&place, 3, &settings);
    fleet.open_all().await;
    let stops = short_or_long(2, 40);
    let customers = Customers::send(&fleet.door, (16, u32::MAX), 50, &mut rng);
    let sold = "SELECT count(*) FROM durable_runs WHERE status = 'completed'";
    for stop in 0..stops {
        let victim = stop % 3;
        let fleet = &fleet;
        // It holds runs in the middle of a step when it is stopped.
        let owners = "SELECT count(DISTINCT owner) FROM durable_runs WHERE status = 'running'";
        until("work", || async { place.number(owners).await >= 2 }).await;
        let id = fleet.enrolled(victim);
        fleet.signal(victim, "-STOP").await;
        while !place.takes_writes().await {
            fleet.signal(victim, "-CONT").await;
            until("the end of its write", || place.takes_writes()).await;
            fleet.signal(victim, "-STOP").await;
        }
        let known = format!("SELECT count(*) FROM durable_instances WHERE id = '{id}'");
        until("the take-over", || async {
            place.number(&known).await == 0
        })
        .await;
        fleet.signal(victim, "-CONT").await;
        until("its new life", || async { fleet.enrolled(victim) != id }).await;
        // What it had locked is free again, and the shops sell before the next one stops.
        let before = place.number(sold).await;
        until("sales", || async {
            place.number(sold).await >= before + 20
        })
        .await;
    }
    customers.close();
    customers.check(&fleet, &place, stops as u64).await;
}

async fn a_shop_that_is_asked_to_end_finishes_its_step_and_exits_cleanly(place: Place) {
    let settings = [("CHECKOUT_STEP_MS", "1500"), ("CHECKOUT_SETTLE_MS", "0")];
    let mut fleet = Fleet::new(&place, 1, &settings);
    fleet.open(0).await;
    let door = fleet.door.clone();
    door.decide("1", true).await;
    door.place("1", 2).await;
    // The effect is there in the middle of its step.
    until("the first step", || async {
        place.number("SELECT count(*) FROM effects").await == 1
    })
    .await;
    assert!(fleet.terminate(0).await.success());
    // What was under way was brought to its end, and nothing was begun after it.
    assert_eq!(place.number("SELECT count(*) FROM effects").await, 1);
    let instances = "SELECT count(*) FROM durable_instances";
    assert_eq!(place.number(instances).await, 0);

    fleet.open(0).await;
    assert_eq!(door.ended("1").await["status"], "completed");
    let executions: Vec<i64> = place.column("SELECT executions FROM effects").await;
    assert_eq!(executions, [1; 5]);
}
