//! The shop as its customers see it: the built program, asked over HTTP, killed in the middle.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed call should stop the test"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "there is no engine in this process to spawn on"
)]

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
};

use reqwest::{Client, Response, StatusCode};
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// A running shop.
struct Shop {
    child: Child,
    url: String,
    client: Client,
}

impl Shop {
    async fn open(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_axum-checkout"))
            .current_dir(folder)
            .env("PORT", "0")
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .env("CHECKOUT_SETTLE_MS", "10")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = log.next_line().await.unwrap().expect("the shop opens");
            if let Some((_, url)) = line.split_once("the shop is open at ") {
                break url.trim().to_owned();
            }
        };
        // Somebody must read the rest, or the shop would wait for it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let client = Client::new();
        Self { child, url, client }
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.url);
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    async fn post(&self, path: &str, body: String) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).body(body);
        let request = request.header("content-type", "application/json");
        request.send().await.unwrap()
    }

    async fn place(&self, id: &str) -> Response {
        let order = json!({
            "id": id, "sku": "mug", "quantity": 2, "total_cents": 1999, "email": "ada@example.com",
        });
        self.post("/orders", order.to_string()).await
    }

    async fn decide(&self, id: &str, approved: bool) -> Value {
        let body = json!({"approved": approved, "by": "Ada"}).to_string();
        let answer = self.post(&format!("/orders/{id}/approve"), body).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        answer.json().await.unwrap()
    }

    async fn readdress(&self, id: &str, address: &str) -> Response {
        let request = self.client.put(format!("{}/orders/{id}/address", self.url));
        let body = json!({"address": address}).to_string();
        let request = request.header("content-type", "application/json");
        request.body(body).send().await.unwrap()
    }

    /// What the payment provider of an order was told to call: its path.
    async fn callback(&self, id: &str) -> String {
        loop {
            let run = self.get(&format!("/orders/{id}")).await["run"].clone();
            let waits = run["waiting_for"].as_array().unwrap();
            if let Some(wait) = waits.iter().find(|it| it["kind"] == "webhook") {
                assert_eq!(wait["name"], "bank");
                break;
            }
            assert!(run["output"].is_null(), "{run}");
        }
        let timeline = self.get(&format!("/durable/api/runs/order-{id}")).await["timeline"].clone();
        let mut steps = timeline.as_array().unwrap().iter();
        let made = steps.find(|it| it["kind"] == "token").unwrap();
        let url = made["result"]["url"].as_str().unwrap();
        url.strip_prefix("http://localhost:3000")
            .unwrap()
            .to_owned()
    }

    /// Follows an order until as many operations have changed, or to its end.
    async fn follow(&self, id: &str, changes: usize) {
        self.follow_run(&format!("order-{id}"), changes).await;
    }

    /// Follows a run in the same way.
    async fn follow_run(&self, id: &str, changes: usize) {
        let url = format!("{}/durable/api/runs/{id}/stream", self.url);
        let mut stream = self.client.get(url).send().await.unwrap();
        let mut text = String::new();
        while let Some(bytes) = stream.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&bytes).unwrap());
            let seen = text.matches("event: checkpoint").count();
            if seen >= changes || text.contains("event: end") {
                return;
            }
        }
    }

    /// Waits for an order's end.
    async fn ended(&self, id: &str) -> Value {
        self.follow(id, usize::MAX).await;
        self.get(&format!("/orders/{id}")).await["run"].clone()
    }

    async fn effects(&self, id: &str) -> Vec<(String, u64)> {
        let effects = self.get(&format!("/orders/{id}/effects")).await;
        let effects = effects.as_array().unwrap().iter().map(|row| {
            let effect = row["effect"].as_str().unwrap().to_owned();
            (effect, row["executions"].as_u64().unwrap())
        });
        let mut effects: Vec<_> = effects.collect();
        effects.sort();
        effects
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    async fn stop(mut self) -> ExitStatus {
        let id = self.child.id().unwrap().to_string();
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap();
        self.child.wait().await.unwrap()
    }
}

async fn number(folder: &Path, sql: &str) -> i64 {
    let url = format!("sqlite://{}", folder.join("checkout.db").display());
    let db = Database::connect(url).await.unwrap();
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::Sqlite, sql))
        .await;
    row.unwrap().unwrap().try_get_by_index(0).unwrap()
}

const ONCE: [&str; 5] = ["charge", "finish", "label", "receipt", "reserve"];

fn once(effects: &[&str]) -> Vec<(String, u64)> {
    effects
        .iter()
        .map(|effect| ((*effect).to_owned(), 1))
        .collect()
}

#[tokio::test]
async fn an_approved_order_is_charged_and_shipped_once() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::open(folder.path(), &[]).await;
    let placed = shop.place("7").await;
    assert_eq!(placed.status(), StatusCode::ACCEPTED);
    assert_eq!(placed.headers()["location"], "/durable/api/runs/order-7");
    let placed: Value = placed.json().await.unwrap();
    assert_eq!(placed, json!({"run_id": "order-7", "status": "pending"}));
    shop.follow("7", 3).await;
    let waiting = shop.get("/orders/7").await;
    assert_eq!(waiting["run"]["status"], "suspended");
    assert_eq!(waiting["run"]["waiting_for"][0]["name"], "approve:7");
    assert_eq!(waiting["order"]["sku"], "mug");
    assert_eq!(
        shop.decide("7", true).await,
        json!({"outcome": "delivered"})
    );
    let run = shop.ended("7").await;
    assert_eq!(run["output"]["outcome"], "shipped");
    assert_eq!(shop.effects("7").await, once(&ONCE));
    let again: Value = shop.place("7").await.json().await.unwrap();
    assert_eq!(again, json!({"run_id": "order-7", "status": "completed"}));
    assert_eq!(shop.get("/healthz").await["status"], "ok");
    assert!(shop.stop().await.success());
}

#[tokio::test]
async fn refused_orders_give_their_goods_back() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::open(folder.path(), &[("CHECKOUT_APPROVAL_TIMEOUT", "50ms")]).await;
    // Before the order is there: kept, and used.
    assert_eq!(
        shop.decide("no", false).await,
        json!({"outcome": "buffered"})
    );
    shop.place("no").await;
    shop.place("late").await;
    let rejected = shop.ended("no").await;
    assert_eq!(
        rejected["output"],
        json!({"outcome": "rejected", "by": "Ada"})
    );
    let late = shop.ended("late").await;
    assert_eq!(late["output"], json!({"outcome": "timed_out"}));
    for id in ["no", "late"] {
        assert_eq!(shop.effects(id).await, once(&["release", "reserve"]));
    }
    let left = number(
        folder.path(),
        "SELECT available FROM stock WHERE sku = 'mug'",
    )
    .await;
    assert_eq!(left, 1_000_000);
}

#[tokio::test]
async fn the_address_may_change_until_somebody_approves() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::open(folder.path(), &[]).await;
    shop.place("home").await;
    let refused = shop.readdress("home", " ").await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    for address in ["Elm Street 1", "Oak Street 2"] {
        let told: Value = shop.readdress("home", address).await.json().await.unwrap();
        assert_eq!(told, json!({"address": address}));
    }
    assert_eq!(shop.get("/orders/home").await["stage"], "approval");
    shop.decide("home", true).await;
    assert_eq!(shop.ended("home").await["output"]["outcome"], "shipped");
    assert_eq!(shop.get("/orders/home").await["stage"], "shipping");
    let parcel = shop.get("/durable/api/runs/parcel-home").await;
    assert_eq!(parcel["run"]["input"]["address"], "Oak Street 2");
    assert_eq!(parcel["run"]["parent"], "order-home");
    let late = shop.readdress("home", "Pine Street 3").await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_bank_is_asked_for_large_sums() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::open(folder.path(), &[]).await;
    for (id, confirmed, outcome) in [("yes", true, "shipped"), ("no", false, "declined")] {
        shop.decide(id, true).await;
        let order = json!({
            "id": id, "sku": "mug", "quantity": 2, "total_cents": 250_000, "email": "a@b",
        });
        shop.post("/orders", order.to_string()).await;
        let callback = shop.callback(id).await;
        let answer = json!({"confirmed": confirmed}).to_string();
        let answer = shop.post(&callback, answer).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        assert_eq!(shop.ended(id).await["output"]["outcome"], outcome);
    }
    assert_eq!(shop.effects("yes").await, once(&ONCE));
    let taken_back = once(&["charge", "refund", "release", "reserve"]);
    assert_eq!(shop.effects("no").await, taken_back);
}

#[tokio::test]
async fn a_cart_becomes_orders_once_whenever_the_shop_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut shop = Shop::open(folder.path(), &[]).await;
    let put_in = |sku: &str, quantity: u32| {
        json!({"sku": sku, "quantity": quantity, "cents": 999}).to_string()
    };
    for (pieces, body) in [
        (2, put_in("mug", 2)),
        (3, put_in("mug", 1)),
        (4, put_in("mug", 1)),
    ] {
        let told = shop.post("/carts/ada/items", body).await;
        assert_eq!(
            told.json::<Value>().await.unwrap(),
            json!({"pieces": pieces})
        );
        shop.kill().await;
        shop = Shop::open(folder.path(), &[]).await;
    }
    let refused = shop.post("/carts/ada/items", put_in("mug", 0)).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let cart = shop.get("/carts/ada").await;
    assert_eq!(
        cart["lines"],
        json!([{"sku": "mug", "quantity": 4, "cents": 999}])
    );

    shop.decide("c-1", true).await;
    for id in ["c", "empty"] {
        let asked = json!({"id": id, "email": "ada@example.com"}).to_string();
        let placed = shop.post("/carts/ada/checkout", asked.clone()).await;
        assert_eq!(placed.status(), StatusCode::ACCEPTED);
        shop.kill().await;
        shop = Shop::open(folder.path(), &[]).await;
        shop.post("/carts/ada/checkout", asked).await;
        shop.follow_run(&format!("check-out-{id}"), usize::MAX)
            .await;
    }
    let done = shop.get("/durable/api/runs/check-out-c").await;
    assert_eq!(done["run"]["output"], json!(["c-1"]));
    let empty = shop.get("/durable/api/runs/check-out-empty").await;
    assert_eq!(empty["run"]["error"]["code"], "empty_cart");
    assert_eq!(shop.ended("c-1").await["output"]["outcome"], "shipped");
    assert_eq!(shop.get("/orders/c-1").await["order"]["total_cents"], 3_996);
    assert_eq!(shop.get("/carts/ada").await["lines"], json!([]));
    let orders = number(folder.path(), "SELECT COUNT(*) FROM orders").await;
    assert_eq!(orders, 1);
    let booked = number(folder.path(), "SELECT booked_cents FROM orders").await;
    assert_eq!(booked, 3_996);
}

#[tokio::test]
async fn what_is_no_order_is_refused_with_a_problem() {
    let folder = TempDir::new().unwrap();
    let shop = Shop::open(folder.path(), &[]).await;
    let empty = r#"{"id":"1","sku":"mug","quantity":0,"total_cents":1,"email":"a"}"#;
    for (body, status) in [("{", 400), ("{}", 422), (empty, 422)] {
        let answer = shop.post("/orders", body.to_owned()).await;
        assert_eq!(answer.status().as_u16(), status, "{body}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn orders_survive_kills_at_any_time() {
    // So many operations of an order have changed when the shop is killed.
    let kills = [1, 3, 5, 6, 8];
    let folder = TempDir::new().unwrap();
    let slow = [("CHECKOUT_STEP_MS", "20")];
    let mut shop = Shop::open(folder.path(), &slow).await;
    let mut ids = Vec::new();
    for changes in kills {
        let round: Vec<_> = (0..4).map(|n| format!("{changes}-{n}")).collect();
        for id in &round {
            shop.decide(id, true).await;
            shop.place(id).await;
        }
        shop.follow(&round[0], changes).await;
        shop.kill().await;
        shop = Shop::open(folder.path(), &slow).await;
        ids.extend(round);
    }
    for id in &ids {
        let run = shop.ended(id).await;
        assert_eq!(run["output"]["outcome"], "shipped", "{run}");
        let effects = shop.effects(id).await;
        let names: Vec<_> = effects.iter().map(|(effect, _)| effect.as_str()).collect();
        assert_eq!(names, ONCE);
        // A kill repeats at most what it has cut off.
        let repeated: u64 = effects.iter().map(|(_, executions)| executions - 1).sum();
        assert!(repeated <= 2 * kills.len() as u64, "{effects:?}");
    }
    let path = folder.path();
    let orders = i64::try_from(ids.len()).unwrap();
    let left = number(path, "SELECT available FROM stock WHERE sku = 'mug'").await;
    assert_eq!(left, 1_000_000 - 2 * orders);
    // Each shipment was an event, and started one run.
    let asking = "SELECT COUNT(*) FROM durable_runs WHERE workflow = 'ask-for-review'";
    assert_eq!(number(path, asking).await, orders);
    for table in ["charges", "shipments", "reservations"] {
        let rows = number(path, &format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(rows, orders, "{table}");
    }
    assert!(shop.stop().await.success());
}
