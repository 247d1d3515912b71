//! What the environment may set.

use std::time::Duration;

use axum_durable::parse_duration;
use clap::{ArgAction, Parser, builder::BoolishValueParser};

/// A checkout service whose orders survive crashes: the example of axum-durable.
///
/// Each setting is a flag or an environment variable.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Config {
    /// The SQLite database of the shop and of its workflows; created when missing.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://checkout.db")]
    pub(crate) database_url: String,

    /// The address to listen on.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// The port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub(crate) port: u16,

    /// Whether this process executes orders; `false` takes and shows them only.
    #[arg(long, env = "DURABLE_DRIVE", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub(crate) drive: bool,

    /// How long each provider takes, in milliseconds, so that a person can watch.
    #[arg(long, env = "CHECKOUT_STEP_MS", default_value_t = 0)]
    pub(crate) step_ms: u64,

    /// How long a shipped order settles before it is finished, in milliseconds.
    #[arg(long, env = "CHECKOUT_SETTLE_MS", default_value_t = 1_000)]
    pub(crate) settle_ms: u64,

    /// How long an order waits for its approval, such as `30s`, `15m` or `24h`.
    #[arg(long, env = "CHECKOUT_APPROVAL_TIMEOUT", default_value = "24h", value_parser = parse_duration)]
    pub(crate) approval_timeout: Duration,

    /// What is logged, such as `info` or `warn,axum_durable=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info,sea_orm_migration=warn")]
    pub(crate) log: String,
}
