//! The real program and `kill -9`: every order ends right, and the ledger proves it.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;

use crate::support::shop::{Door, Shop};

const ORDERS: u32 = 200;

const KILLS: u64 = 10;

/// Customers who order one after the other.
const CUSTOMERS: u32 = 8;

/// What there is of an article that was never sold before.
const FIRST_STOCK: i64 = 1_000_000;

/// What a customer does with order `n`: it is rejected, decided on before it is placed, or
/// approved at some time later.
struct Plan {
    id: String,
    quantity: u32,
    is_approved: bool,
    is_early: bool,
    pause: Duration,
}

impl Plan {
    fn new(n: u32, rng: &mut ChaCha8Rng) -> Self {
        Self {
            id: n.to_string(),
            quantity: 1 + n % 5,
            is_approved: n % 6 != 5,
            is_early: n % 7 == 3,
            pause: Duration::from_millis(rng.random_range(0..250)),
        }
    }

    async fn carry_out(&self, door: &Door) {
        if self.is_early {
            door.decide(&self.id, self.is_approved).await;
        }
        door.place(&self.id, self.quantity).await;
        tokio::time::sleep(self.pause).await;
        if !self.is_early {
            door.decide(&self.id, self.is_approved).await;
        }
    }

    /// Checks what was done in the outside world.
    async fn check(&self, door: &Door) {
        let id = &self.id;
        let run = door.ended(id).await;
        assert_eq!(run["status"], "completed", "order {id}: {run}");
        let outcome = if self.is_approved {
            "shipped"
        } else {
            "rejected"
        };
        assert_eq!(run["output"]["outcome"], outcome, "order {id}: {run}");
        let effects = door.effects(id).await;
        let expected: &[&str] = if self.is_approved {
            &["charge", "finish", "label", "receipt", "reserve"]
        } else {
            &["release", "reserve"]
        };
        // One line per key: an effect under a second key would show as a second line.
        let names: Vec<_> = effects.iter().map(|(effect, ..)| effect.as_str()).collect();
        assert_eq!(names, expected, "order {id}: {effects:?}");
        for (effect, key, executions) in &effects {
            assert!(
                key.starts_with(&format!("order-{id}:")),
                "{effect} under {key}"
            );
            assert!(
                *executions <= KILLS + 1,
                "{effect} of order {id}: {executions} times"
            );
        }
    }
}

#[tokio::test]
async fn every_order_ends_right_however_often_the_shop_is_killed() {
    let seed: u64 = std::env::var("DURABLE_TEST_SEED")
        .ok()
        .map_or_else(rand::random, |it| it.parse().unwrap());
    println!("DURABLE_TEST_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let settings = [("CHECKOUT_STEP_MS", "30"), ("CHECKOUT_SETTLE_MS", "100")];
    let mut shop = Shop::new(&settings);
    shop.open().await;

    let plans: Vec<Plan> = (0..ORDERS).map(|n| Plan::new(n, &mut rng)).collect();
    let mut customers = JoinSet::new();
    let mut shares: Vec<Vec<Plan>> = (0..CUSTOMERS).map(|_| Vec::new()).collect();
    for (n, plan) in plans.into_iter().enumerate() {
        let share = n % shares.len();
        shares[share].push(plan);
    }
    for share in shares {
        let door = shop.door.clone();
        customers.spawn(async move {
            for plan in &share {
                plan.carry_out(&door).await;
            }
            share
        });
    }
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..500))).await;
        shop.kill().await;
        shop.open().await;
    }
    let plans: Vec<Plan> = customers.join_all().await.into_iter().flatten().collect();
    for plan in &plans {
        plan.check(&shop.door).await;
    }
    check_books(&shop, &plans).await;
    let repeated = "SELECT sum(executions) - count(*) FROM effects";
    println!(
        "{} effects were cut off and repeated",
        shop.number(repeated).await
    );
    assert!(shop.terminate().await.success());
}

/// Whether the tables of the shop and of the workflows agree with the plans.
async fn check_books(shop: &Shop, plans: &[Plan]) {
    let sold: Vec<&Plan> = plans.iter().filter(|plan| plan.is_approved).collect();
    let quantity: i64 = sold.iter().map(|plan| i64::from(plan.quantity)).sum();
    let orders = i64::try_from(sold.len()).unwrap();
    let stock = shop.number("SELECT available FROM stock").await;
    assert_eq!(stock, FIRST_STOCK - quantity);
    for (sql, expected) in [
        ("SELECT count(*) FROM charges", orders),
        ("SELECT sum(total_cents) FROM charges", 100 * quantity),
        ("SELECT count(*) FROM shipments", orders),
        ("SELECT count(*) FROM reservations", i64::from(ORDERS)),
        (
            "SELECT count(*) FROM reservations WHERE is_released",
            i64::from(ORDERS) - orders,
        ),
        ("SELECT count(*) FROM durable_runs", i64::from(ORDERS)),
        (
            "SELECT count(*) FROM durable_runs WHERE status <> 'completed'",
            0,
        ),
        (
            "SELECT count(*) FROM durable_runs WHERE owner IS NOT NULL",
            0,
        ),
        ("SELECT count(*) FROM durable_waiters", 0),
        ("SELECT count(*) FROM durable_inbox", 0),
    ] {
        assert_eq!(shop.number(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_shop_that_is_asked_to_end_finishes_its_step_and_exits_cleanly() {
    let mut shop = Shop::new(&[("CHECKOUT_STEP_MS", "400"), ("CHECKOUT_SETTLE_MS", "0")]);
    shop.open().await;
    shop.door.decide("1", true).await;
    shop.door.place("1", 2).await;
    shop.door
        .until("1", |run| {
            run["status"] == "running" || run["status"] == "pending"
        })
        .await;
    assert!(shop.terminate().await.success());
    // What was under way was brought to its end, and nothing was begun after it.
    assert_eq!(shop.number("SELECT count(*) FROM effects").await, 1);
    assert_eq!(
        shop.number("SELECT count(*) FROM durable_instances").await,
        0
    );

    shop.open().await;
    assert_eq!(shop.door.ended("1").await["status"], "completed");
    for (effect, _, executions) in shop.door.effects("1").await {
        assert_eq!(executions, 1, "{effect}");
    }
}
