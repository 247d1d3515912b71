//! A checkout service that survives kill -9: the example of `axum-durable`.
//!
//! | file | what it is |
//! |---|---|
//! | `config` | what the environment may set |
//! | `app` | the routes, the database and the engine put together |
//! | `orders` | the handlers |
//! | `cart` | carts: an entity, its handlers, and the workflow that makes orders of one |
//! | `workflow` | what happens to an order, from reservation to shipment |
//! | `reviews` | what happens some days later, started by an event |
//! | `providers/` | the outside world: stock, payments, shipping, mail |
//! | `entity/`, `migration` | the app's own tables |

mod app;
mod cart;
mod config;
mod database;
pub mod entity;
mod migration;
mod orders;
mod providers;
mod reviews;
mod workflow;

use std::{
    error::Error,
    io::{IsTerminal as _, stdout},
};

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use config::Config;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::parse();
    let filter = EnvFilter::try_new(&config.log)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    log.with_ansi(stdout().is_terminal()).init();
    app::serve(config).await
}
