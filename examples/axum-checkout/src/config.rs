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
    /// The database of the shop and of its workflows: `sqlite://<file>`, created when missing,
    /// `postgres://<user>@<host>/<database>` or `mysql://<user>@<host>/<database>`.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://checkout.db")]
    pub(crate) database_url: String,

    /// The address to listen on.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// The port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub(crate) port: u16,

    /// Where the dashboard is mounted.
    #[arg(long, env = "DURABLE_BASE_PATH", default_value = "/durable")]
    pub(crate) base_path: String,

    /// Where the dashboard's base path is reached from outside: what addresses begin with that
    /// others post to, such as the payment provider.
    #[arg(
        long,
        env = "PUBLIC_URL",
        default_value = "http://localhost:3000/durable"
    )]
    pub(crate) public_url: String,

    /// Whether this process executes orders; `false` takes and shows them only.
    #[arg(long, env = "DURABLE_DRIVE", default_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub(crate) drive: bool,

    /// Whether the dashboard only shows what there is.
    #[arg(long, env = "DURABLE_READ_ONLY", default_value = "false", action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub(crate) read_only: bool,

    /// Who signs in to the dashboard, as `<name>:<password>`. Without it only this machine may use it.
    #[arg(
        long,
        env = "DURABLE_OPERATOR",
        hide_env_values = true,
        requires = "login_secret"
    )]
    pub(crate) operator: Option<String>,

    /// What sessions are signed with: 32 characters or more, the same for all instances.
    #[arg(long, env = "DURABLE_LOGIN_SECRET", hide_env_values = true)]
    pub(crate) login_secret: Option<String>,

    /// How long the other instances wait for a sign of life of this one before they take its
    /// orders over, such as `15s`; at least `1s`. One that has died is known of at once.
    #[arg(long, env = "DURABLE_LEASE", default_value = "15s", value_parser = parse_duration)]
    pub(crate) lease: Duration,

    /// How long a waiting order stays in memory, such as `10m`; then it is loaded again when there
    /// is something to do.
    #[arg(long, env = "DURABLE_EVICT_AFTER", default_value = "10m", value_parser = parse_duration)]
    pub(crate) evict_after: Duration,

    /// How many bytes an order and whatever else is kept with a run may have; 8 MiB unless set.
    #[arg(long, env = "DURABLE_MAX_PAYLOAD", default_value_t = 8 * 1024 * 1024)]
    pub(crate) max_payload: usize,

    /// How long each provider takes, in milliseconds, so that a person can watch.
    #[arg(long, env = "CHECKOUT_STEP_MS", default_value_t = 0)]
    pub(crate) step_ms: u64,

    /// How long a parcel lies ready until the carrier has fetched it, in milliseconds.
    #[arg(long, env = "CHECKOUT_SETTLE_MS", default_value_t = 1_000)]
    pub(crate) settle_ms: u64,

    /// How long an order waits for its approval, such as `30s`, `15m` or `24h`.
    #[arg(long, env = "CHECKOUT_APPROVAL_TIMEOUT", default_value = "24h", value_parser = parse_duration)]
    pub(crate) approval_timeout: Duration,

    /// What is logged, such as `info` or `warn,axum_durable=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info,sea_orm_migration=warn")]
    pub(crate) log: String,
}
