//! Customers who order, and the books that show what became of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};
use tokio::task::JoinSet;

use super::place::Place;
use super::shop::{Door, Fleet};

/// What there is of an article that was never sold before.
const FIRST_STOCK: i64 = 1_000_000;

/// Chances from a seed that is printed, so that a failure can be repeated.
pub(crate) fn seeded() -> ChaCha8Rng {
    let seed: u64 = std::env::var("DURABLE_TEST_SEED")
        .ok()
        .map_or_else(rand::random, |it| it.parse().unwrap());
    println!("DURABLE_TEST_SEED={seed}");
    ChaCha8Rng::seed_from_u64(seed)
}

/// How an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Shipped,
    Rejected,
    /// Nobody decides: it waits.
    Open,
}

/// What a customer does with an order: it is decided on before it is placed, or some time later,
/// or never.
#[derive(Debug)]
struct Plan {
    id: String,
    quantity: u32,
    end: End,
    is_early: bool,
    pause: Duration,
}

impl Plan {
    fn new(n: u32, pause_ms: u64, rng: &mut ChaCha8Rng) -> Self {
        Self {
            id: n.to_string(),
            quantity: 1 + n % 5,
            end: match n % 12 {
                5 => End::Rejected,
                11 => End::Open,
                _ => End::Shipped,
            },
            is_early: n % 7 == 3,
            pause: Duration::from_millis(rng.random_range(0..=pause_ms)),
        }
    }

    async fn carry_out(&self, door: &Door) {
        let decide = door.decide(&self.id, self.end == End::Shipped);
        match self.end {
            End::Open => door.place(&self.id, self.quantity).await,
            End::Shipped | End::Rejected if self.is_early => {
                decide.await;
                door.place(&self.id, self.quantity).await;
            }
            End::Shipped | End::Rejected => {
                door.place(&self.id, self.quantity).await;
                tokio::time::sleep(self.pause).await;
                decide.await;
            }
        }
    }

    /// Checks how the order ended.
    async fn check_end(&self, door: &Door) {
        let id = &self.id;
        let outcome = match self.end {
            End::Shipped => "shipped",
            End::Rejected => "rejected",
            End::Open => {
                let waits = |run: &serde_json::Value| run["waiting_for"][0]["name"].is_string();
                let run = door.until(id, waits).await;
                assert_eq!(run["waiting_for"][0]["name"], format!("approve:{id}"));
                return;
            }
        };
        let run = door.ended(id).await;
        assert_eq!(run["status"], "completed", "order {id}: {run}");
        assert_eq!(run["output"]["outcome"], outcome, "order {id}: {run}");
    }

    /// What must have been done, once each.
    const fn effects(&self) -> &[&str] {
        match self.end {
            End::Shipped => &["charge", "finish", "label", "receipt", "reserve"],
            End::Rejected => &["release", "reserve"],
            End::Open => &["reserve"],
        }
    }
}

/// Customers at work.
#[derive(Debug)]
pub(crate) struct Customers {
    working: JoinSet<Vec<Plan>>,
    orders: u32,
    is_closed: Arc<AtomicBool>,
}

impl Customers {
    /// Sends `customers`, who order one after the other, `orders` in all; each waits up to
    /// `pause_ms` before it decides.
    pub(crate) fn send(
        door: &Door,
        (customers, orders): (u32, u32),
        pause_ms: u64,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let mut working = JoinSet::new();
        let is_closed = Arc::<AtomicBool>::default();
        for customer in 0..customers {
            let numbers = (customer..orders).step_by(customers as usize);
            let mut rng = ChaCha8Rng::from_rng(rng);
            let (door, is_closed) = (door.clone(), Arc::clone(&is_closed));
            working.spawn(async move {
                let mut plans = Vec::new();
                for number in numbers {
                    if is_closed.load(SeqCst) {
                        break;
                    }
                    let plan = Plan::new(number, pause_ms, &mut rng);
                    plan.carry_out(&door).await;
                    plans.push(plan);
                }
                plans
            });
        }
        Self {
            working,
            orders,
            is_closed,
        }
    }

    /// Nobody orders any more.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
    }

    /// Waits until all orders have ended and checks the books. An effect may have been begun
    /// again for each of the `interruptions`, or for each time that its run changed hands: a
    /// process that gets no processor for longer than its lease is taken for dead as well.
    pub(crate) async fn check(self, fleet: &Fleet, place: &Place, interruptions: u64) {
        let plans: Vec<Plan> = self
            .working
            .join_all()
            .await
            .into_iter()
            .flatten()
            .collect();
        if !self.is_closed.load(SeqCst) {
            assert_eq!(plans.len(), self.orders as usize);
        }
        assert!(!plans.is_empty());
        for plan in &plans {
            plan.check_end(&fleet.door).await;
        }
        fleet.explains_what_is_open().await;
        check_ledger(place, &plans, interruptions).await;
        check_totals(place, &plans).await;
    }
}

/// An effect in the ledger.
struct Effect {
    order: String,
    name: String,
    key: String,
    executions: i64,
}

/// Every effect was done once, under one key.
async fn check_ledger(place: &Place, plans: &[Plan], interruptions: u64) {
    let sql = "SELECT order_id, effect, idempotency_key, executions FROM effects ORDER BY effect";
    let effects: Vec<_> = rows(place, sql).await;
    let effects: Vec<_> = effects
        .iter()
        .map(|row| Effect {
            order: row.try_get("", "order_id").unwrap(),
            name: row.try_get("", "effect").unwrap(),
            key: row.try_get("", "idempotency_key").unwrap(),
            executions: row.try_get("", "executions").unwrap(),
        })
        .collect();
    let tokens: BTreeMap<String, i64> = rows(place, "SELECT id, token FROM durable_runs")
        .await
        .iter()
        .map(|row| {
            let id = row.try_get("", "id").unwrap();
            (id, row.try_get("", "token").unwrap())
        })
        .collect();
    for plan in plans {
        let of_order = effects.iter().filter(|it| it.order == plan.id);
        let of_order: Vec<_> = of_order.collect();
        // One line per key: an effect under a second key would show as a second line.
        let names: Vec<_> = of_order.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, plan.effects(), "{plan:?}");
        for Effect {
            name,
            key,
            executions,
            ..
        } in of_order
        {
            // The label is the parcel's, which is a run of its own.
            let kind = if name == "label" { "parcel" } else { "order" };
            let run = format!("{kind}-{}", plan.id);
            let is_own = key.starts_with(&format!("{run}:"));
            assert!(is_own, "{name} under {key}");
            // The start gives the first token; a take-over and the claim after it give one each.
            let hands = tokens[&run] / 2;
            let most = hands.max(i64::try_from(interruptions).unwrap()) + 1;
            assert!(
                *executions <= most,
                "{name} under {key}: {executions} times, {most} at most"
            );
        }
    }
    let repeated: i64 = effects.iter().map(|it| it.executions - 1).sum();
    println!(
        "{} effects, {repeated} of them cut off and repeated",
        effects.len()
    );
}

async fn rows(place: &Place, sql: &str) -> Vec<QueryResult> {
    let connection = place.connection().await;
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_all_raw(statement).await.unwrap()
}

/// The tables of the shop and of the workflows agree with the plans.
async fn check_totals(place: &Place, plans: &[Plan]) {
    let with = |end: End| plans.iter().filter(move |plan| plan.end == end);
    let quantity = |end: End| with(end).map(|it| i64::from(it.quantity)).sum::<i64>();
    let count = |end: End| i64::try_from(with(end).count()).unwrap();
    let (sold, open) = (quantity(End::Shipped), quantity(End::Open));
    let stock = place.number("SELECT available FROM stock").await;
    assert_eq!(stock, FIRST_STOCK - sold - open);
    let all = i64::try_from(plans.len()).unwrap();
    for (sql, expected) in [
        ("SELECT count(*) FROM charges", count(End::Shipped)),
        ("SELECT count(*) FROM shipments", count(End::Shipped)),
        ("SELECT count(*) FROM reservations", all),
        (
            "SELECT count(*) FROM reservations WHERE is_released",
            count(End::Rejected),
        ),
        // An order that is shipped has a parcel, which is a run of its own, and starts another one
        // that asks for a review some days later.
        (
            "SELECT count(*) FROM durable_runs",
            all + 2 * count(End::Shipped),
        ),
        (
            "SELECT count(*) FROM durable_runs WHERE workflow = 'ask-for-review'",
            count(End::Shipped),
        ),
        (
            "SELECT count(*) FROM durable_runs WHERE status = 'completed'",
            all - count(End::Open) + count(End::Shipped),
        ),
        // An open order waits for its approval, and for another address.
        ("SELECT count(*) FROM durable_waiters", 2 * count(End::Open)),
        ("SELECT count(*) FROM durable_inbox", 0),
    ] {
        assert_eq!(place.number(sql).await, expected, "{sql}");
    }
    let charged: Vec<i64> = place.column("SELECT total_cents FROM charges").await;
    assert_eq!(charged.iter().sum::<i64>(), 100 * sold);
}
