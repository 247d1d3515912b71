//! The load, the kills, and what came of it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use clap::Args;
use parking_lot::Mutex;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use super::{
    books::{Books, PRICE},
    shops::{Addresses, Shops},
};
use crate::{
    load::percentile,
    report::{Failed, rounded, say},
};

/// How long a customer waits before trying another shop.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a customer waits for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How long the last orders may take once nobody orders any more.
const LAST_ORDERS: Duration = Duration::from_secs(120);

/// What is held under load, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// The database of the shops: `sqlite://…`, `postgres://…` or `mysql://…`
    #[arg(long)]
    database_url: String,
    /// How long customers order
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Instances of the shop; the first one is never killed, so that its memory can be followed
    #[arg(long, default_value_t = 3)]
    instances: usize,
    /// Customers, each of whom orders one thing after the other
    #[arg(long, default_value_t = 16)]
    customers: usize,
    /// Seconds between two kills
    #[arg(long, default_value_t = 30)]
    kill_every: u64,
    /// The program `axum-checkout`; the one beside this program unless given
    #[arg(long)]
    program: Option<PathBuf>,
}

/// What the customers share.
struct Market {
    addresses: Addresses,
    client: Client,
    next_order: AtomicU32,
    next_shop: AtomicUsize,
    is_closing: AtomicBool,
    tries_again: AtomicU32,
    place_ms: Mutex<Vec<f64>>,
    approve_ms: Mutex<Vec<f64>>,
    shipped_ms: Mutex<Vec<f64>>,
    /// Orders of this load begin with it, so that a database may be used again.
    tag: u32,
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no engine in this process to spawn on"
)]
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}

/// Holds shops under load and prints what came of it.
pub(crate) async fn soak(soak: Soak) -> Result<(), Failed> {
    let program = match &soak.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("axum-checkout"),
    };
    let size = soak.instances.max(1);
    let mut shops = Shops::open(&program, &soak.database_url, size).await?;
    let books = Books::open(&soak.database_url).await?;
    let market = Arc::new(Market::new(Arc::clone(&shops.addresses))?);
    let mut customers = JoinSet::new();
    for _ in 0..soak.customers {
        customers.spawn(Arc::clone(&market).shop());
    }
    let (memory, kills) = watch(&soak, &mut shops).await?;
    market.is_closing.store(true, SeqCst);
    while let Some(ended) = customers.join_next().await {
        ended??;
    }
    let deadline = Instant::now() + LAST_ORDERS;
    while books.open_orders().await? > 0 && Instant::now() < deadline {
        tokio::time::sleep(PAUSE).await;
    }
    let orders = i64::from(market.next_order.load(SeqCst));
    let errors = books.errors(orders).await?;
    let report = json!({
        "workload": "soak",
        "store": soak.database_url.split(':').next(),
        "minutes": soak.minutes,
        "instances": size,
        "customers": soak.customers,
        "kills": kills,
        "orders": orders,
        "orders_s": rounded(orders as f64 / (soak.minutes * 60.0)),
        "tries_again": market.tries_again.load(SeqCst),
        "effects_begun_again": books.repeated().await?,
        "place_ms": spread(&market.place_ms),
        "approve_ms": spread(&market.approve_ms),
        "shipped_ms": spread(&market.shipped_ms),
        "memory_mib": memory,
        "errors": errors,
    });
    say(&report.to_string())?;
    if errors.is_empty() {
        Ok(())
    } else {
        Err("the books do not agree".into())
    }
}

/// Kills one instance after the other and follows the memory of the first one, at a tenth, the
/// half and the end of the time.
async fn watch(soak: &Soak, shops: &mut Shops<'_>) -> Result<(Value, u32), Failed> {
    let size = soak.instances.max(1);
    let end = Instant::now() + Duration::from_secs_f64(soak.minutes * 60.0);
    let mut kills = 0_u32;
    let mut memory = Vec::new();
    let mut next_kill = Instant::now() + Duration::from_secs(soak.kill_every);
    while Instant::now() < end {
        tokio::time::sleep_until((Instant::now() + LOOK).min(end).min(next_kill)).await;
        memory.push(shops.memory(0));
        if Instant::now() >= next_kill && size > 1 {
            let victim = 1 + kills as usize % (size - 1);
            shops.kill(victim).await?;
            shops.start(victim).await?;
            kills += 1;
            next_kill = Instant::now() + Duration::from_secs(soak.kill_every);
        }
    }
    let at = |tenths: usize| {
        let place = (memory.len() * tenths / 10).min(memory.len().saturating_sub(1));
        memory.get(place).copied().and_then(rounded)
    };
    let memory = json!({"tenth": at(1), "half": at(5), "end": at(10)});
    Ok((memory, kills))
}

fn spread(values: &Mutex<Vec<f64>>) -> Value {
    let mut values = values.lock();
    json!({
        "p50": rounded(percentile(&mut values, 50)),
        "p99": rounded(percentile(&mut values, 99)),
        "max": rounded(percentile(&mut values, 100)),
    })
}

impl Market {
    fn new(addresses: Addresses) -> Result<Self, Failed> {
        Ok(Self {
            addresses,
            client: Client::builder().timeout(ANSWER).build()?,
            next_order: AtomicU32::new(0),
            next_shop: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
            tries_again: AtomicU32::new(0),
            place_ms: Mutex::default(),
            approve_ms: Mutex::default(),
            shipped_ms: Mutex::default(),
            tag: std::process::id(),
        })
    }

    /// Orders until the market closes.
    async fn shop(self: Arc<Self>) -> Result<(), Failed> {
        while !self.is_closing.load(SeqCst) {
            let number = self.next_order.fetch_add(1, SeqCst);
            let id = format!("{}-{number}", self.tag);
            let order = json!({
                "id": id, "sku": "mug", "quantity": 1, "total_cents": PRICE, "email": "a@b",
            });
            let begun = Instant::now();
            self.timed("/orders", &order, &self.place_ms).await?;
            let approval = json!({"approved": true, "by": "soak"});
            let path = format!("/orders/{id}/approve");
            self.timed(&path, &approval, &self.approve_ms).await?;
            while self.ask(&format!("/orders/{id}"), None).await?["run"]["status"] != "completed" {
                tokio::time::sleep(PAUSE).await;
            }
            let took = begun.elapsed().as_secs_f64() * 1_000.0;
            self.shipped_ms.lock().push(took);
        }
        Ok(())
    }

    async fn timed(&self, path: &str, body: &Value, into: &Mutex<Vec<f64>>) -> Result<(), Failed> {
        let begun = Instant::now();
        self.ask(path, Some(body)).await?;
        into.lock().push(begun.elapsed().as_secs_f64() * 1_000.0);
        Ok(())
    }

    /// Asks one shop after the other until one answers.
    async fn ask(&self, path: &str, body: Option<&Value>) -> Result<Value, Failed> {
        loop {
            let at = self.next_shop.fetch_add(1, SeqCst) % self.addresses.len();
            let address = self.addresses.get(at).and_then(|it| it.read().clone());
            if let Some(address) = address {
                let url = format!("{address}{path}");
                let request = match body {
                    Some(body) => self.client.post(url).json(body),
                    None => self.client.get(url),
                };
                if let Ok(answer) = request.send().await {
                    let status = answer.status();
                    if status.is_client_error() && status.as_u16() != 404 {
                        return Err(format!("{path} was refused: {status}").into());
                    }
                    if let (true, Ok(answer)) = (status.is_success(), answer.json().await) {
                        return Ok(answer);
                    }
                }
            }
            self.tries_again.fetch_add(1, SeqCst);
            tokio::time::sleep(PAUSE).await;
        }
    }
}
