//! The routes, the database and the engine put together.

use std::{error::Error, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    routing::{get, post, put},
};
use axum_durable::{Access, Durable, DurableRouter, Login, PasswordHash, SqlStore, prelude::*};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::cart::{self, Cart, check_out};
use crate::config::Config;
use crate::database;
use crate::orders;
use crate::providers::Shop;
use crate::reviews::ask_for_review;
use crate::workflow::{Settings, checkout, restock, ship};

/// How long open requests may take once the engine has stopped.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Serves the shop until the process is asked to end.
pub(crate) async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let console = console(&config)?;
    let db = database::open(&config.database_url).await?;
    let shop = Shop::new(db, Duration::from_millis(config.step_ms));
    let durable = Durable::builder()
        .store(SqlStore::connect(&config.database_url).await?)
        .provide(shop.clone())
        .provide(Settings {
            approval_timeout: config.approval_timeout,
            settle: Duration::from_millis(config.settle_ms),
        })
        .register(checkout)
        .register(ship)
        .register(restock)
        .register(ask_for_review)
        .register(Cart::entity)
        .register(check_out)
        .public_url(&config.public_url)
        .drive(config.drive)
        .lease_ttl(config.lease)
        .evict_after(config.evict_after)
        .max_payload(config.max_payload)
        .build()
        .await?;

    let listener = TcpListener::bind((config.host.as_str(), config.port)).await?;
    tracing::info!("the shop is open at http://{}", listener.local_addr()?);
    // The peer's address tells the router of `axum-durable` who asks from this machine.
    let app = router(durable.clone(), console, shop);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, app).with_graceful_shutdown(durable.shutdown_on_signal());
    let stopping = durable.engine().stopping().clone();
    let too_late = async move {
        stopping.cancelled().await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        served = server.into_future() => served?,
        () = too_late => tracing::warn!("requests cut off by the end of the drain"),
    }
    Ok(())
}

/// The routes of `axum-durable`: for this machine, or for whoever signs in.
fn console(config: &Config) -> Result<DurableRouter, Box<dyn Error>> {
    let mut console = DurableRouter::new().base_path(&config.base_path);
    if let (Some(operator), Some(secret)) = (&config.operator, &config.login_secret) {
        let operator = operator.split_once(':');
        let (name, password) = operator.ok_or("an operator is `<name>:<password>`")?;
        let login = Login::new(secret)?;
        console = console.login(login.user(name, PasswordHash::of(password), Access::full()));
    }
    Ok(if config.read_only {
        console.read_only()
    } else {
        console
    })
}

/// The routes of the shop and of `axum-durable`.
fn router(durable: Durable, console: DurableRouter, shop: Shop) -> Router {
    Router::new()
        .route("/orders", post(orders::place))
        .route("/orders/{id}", get(orders::show))
        .route("/orders/{id}/approve", post(orders::approve))
        .route("/orders/{id}/address", put(orders::readdress))
        .route("/orders/{id}/effects", get(orders::effects))
        .route("/carts/{customer}", get(cart::show))
        .route("/carts/{customer}/items", post(cart::put_in))
        .route("/carts/{customer}/checkout", post(cart::place))
        .route("/healthz", get(healthz))
        .merge(console.into_router())
        .layer(DurableLayer::new(durable))
        .with_state(shop)
}

async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}
