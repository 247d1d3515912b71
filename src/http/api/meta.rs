//! What this instance is, and what may be done through it.

use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::Redactor;
use crate::durable::Durable;
use crate::http::access::Access;

/// What can be done through this API, whatever whoever asks is allowed. Pages show nothing else.
const CAPABILITIES: &[&str] = &[
    "start",
    "signal",
    "retry",
    "retry_with_input",
    "cancel",
    "pause",
    "fork",
    "skip_step",
    "force_fail",
    "delete",
    "audit",
    "batches",
    "survey",
    "failures",
    "history",
    "continue",
    "updates",
    "tasks",
    "events",
    "workers",
    "metrics",
    "facets",
    "undo",
];

/// How the router was set up.
#[derive(Debug, Clone)]
pub(in crate::http) struct Offers {
    /// Whether it has a login of its own.
    pub(in crate::http) login: bool,
    /// What may change values before they are shown.
    pub(in crate::http) redactor: Option<Redactor>,
}

/// What this instance is, and what may be done through it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Meta {
    /// The library's version.
    version: &'static str,
    /// The id of this process.
    instance: String,
    /// Whether this process executes runs.
    drives: bool,
    /// The store, such as `sqlite`.
    store: &'static str,
    /// Whether instances tell each other news. Without it, what happens elsewhere is seen in the
    /// store, within a second.
    control_plane: bool,
    /// The time, in milliseconds since 1970.
    now: i64,
    /// What the API offers: `start`, `signal`, `retry`, `retry_with_input`, `cancel`, `pause`,
    /// `fork`, `skip_step`, `force_fail`, `delete`, `audit`, `batches`, `survey`, `failures`,
    /// `history`, `continue`, `tasks`, `updates`, `events`, `workers`, `metrics`,
    /// `facets`, `undo`. More words may come.
    capabilities: &'static [&'static str],
    /// Whether one signs in here, by `POST login` and `POST logout` below the mount.
    login: bool,
    /// Who has signed in here.
    user: Option<String>,
    /// What whoever asks may do.
    access: AccessView,
    /// The runs in this process's memory.
    residents: Residents,
    /// How it is set up.
    settings: Settings,
}

/// What whoever asks may do.
#[derive(Debug, Serialize, ToSchema)]
struct AccessView {
    /// Who it is, if the host says so.
    actor: Option<String>,
    /// Whether payloads are shown.
    payloads: bool,
    /// Whether runs may be changed.
    act: bool,
    /// Whether runs may be deleted, made to fail and given results by hand.
    administer: bool,
}

/// The runs in this process's memory.
#[derive(Debug, Serialize, ToSchema)]
struct Residents {
    /// How many there are.
    runs: usize,
    /// How many of them only wait.
    parked: usize,
    /// How many there may be.
    most: usize,
}

/// How an instance is set up. Durations are in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
struct Settings {
    /// How long the others wait for a sign of life.
    lease_ttl_ms: u64,
    /// The longest wait between two looks for due runs.
    poll_interval_ms: u64,
    /// How often dead instances are looked for.
    recovery_interval_ms: u64,
    /// How long a waiting run stays in memory.
    evict_after_ms: u64,
    /// Recoveries without progress after which a run is given up.
    max_recovery_attempts: u32,
    /// Changes in one commit at the most.
    journal_batch: usize,
}

/// Says what this instance is, and what may be done through it.
#[utoipa::path(
    get,
    path = "/meta",
    operation_id = "get_meta",
    tag = "meta",
    responses((status = 200, description = "About this instance.", body = Meta))
)]
pub(super) async fn meta(
    durable: Durable,
    access: Access,
    Extension(offers): Extension<Offers>,
) -> Json<Meta> {
    let engine = durable.engine();
    let config = engine.config();
    let (runs, parked) = engine.residents();
    let millis = |it: std::time::Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    Json(Meta {
        version: env!("CARGO_PKG_VERSION"),
        instance: engine.instance().to_string(),
        drives: config.drive,
        store: engine.store().name(),
        control_plane: engine.has_control_plane(),
        now: engine.clock().now().as_millis(),
        capabilities: CAPABILITIES,
        login: offers.login,
        user: access.name().filter(|_| offers.login).map(str::to_owned),
        access: AccessView {
            actor: access.name().map(str::to_owned),
            payloads: access.may_see_payloads(),
            act: access.may_act(),
            administer: access.may_administer(),
        },
        residents: Residents {
            runs,
            parked,
            most: config.max_resident_runs,
        },
        settings: Settings {
            lease_ttl_ms: millis(config.lease_ttl),
            poll_interval_ms: millis(config.poll_interval),
            recovery_interval_ms: millis(config.recovery_interval),
            evict_after_ms: millis(config.evict_after),
            max_recovery_attempts: config.max_recovery_attempts,
            journal_batch: config.journal_batch,
        },
    })
}
