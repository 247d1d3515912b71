//! The routes, the database and the engine put together.

use std::{error::Error, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    routing::{get, post},
};
use axum_durable::{Durable, SqlStore, prelude::*};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::database;
use crate::orders;
use crate::providers::Shop;
use crate::workflow::{Settings, checkout};

/// How long open requests may take once the engine has stopped.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// Serves the shop until the process is asked to end.
pub(crate) async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
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
        .drive(config.drive)
        .build()
        .await?;

    let listener = TcpListener::bind((config.host.as_str(), config.port)).await?;
    tracing::info!("the shop is open at http://{}", listener.local_addr()?);
    // The peer's address tells the router of `axum-durable` who asks from this machine.
    let app = router(durable.clone(), shop);
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

/// The routes of the shop and of `axum-durable`.
fn router(durable: Durable, shop: Shop) -> Router {
    Router::new()
        .route("/orders", post(orders::place))
        .route("/orders/{id}", get(orders::show))
        .route("/orders/{id}/approve", post(orders::approve))
        .route("/orders/{id}/effects", get(orders::effects))
        .route("/healthz", get(healthz))
        .merge(durable_router())
        .layer(DurableLayer::new(durable))
        .with_state(shop)
}

async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}
