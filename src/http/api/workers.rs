//! Who executes runs, and how it goes.

use std::{collections::BTreeMap, fmt::Write as _};

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::params::{ApiQuery, Format, MetricsParams, View};
use crate::http::problem::Problem;
use crate::model::InstanceRow;
use crate::time::Timestamp;

/// The instances that execute runs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkerList {
    /// The instances, oldest first. Those that execute nothing are not among them.
    workers: Vec<WorkerView>,
    /// The time, by the store's clock.
    now: i64,
}

/// An instance that executes runs.
#[derive(Debug, Serialize, ToSchema)]
struct WorkerView {
    /// Its id.
    id: String,
    /// Whether it is the one that answers.
    is_this: bool,
    /// Whether its lease is good. The others take over where it is not.
    is_alive: bool,
    /// Until when its lease is good.
    lease_until: i64,
    /// The runs that it owns.
    runs: u64,
    /// When it last said what follows, about every 15 s; absent before it did.
    reported_at: Option<i64>,
    /// The name of its machine.
    host: Option<String>,
    /// The number of its process there.
    process: Option<u32>,
    /// The version of this library in it.
    version: Option<String>,
    /// Tells its build from others.
    build: Option<String>,
    /// When it was started.
    started_at: Option<i64>,
    /// The workflows that it executes.
    workflows: Vec<String>,
    /// The steps that it executes as a worker.
    steps: Vec<String>,
    /// Runs in its memory.
    resident: Option<usize>,
    /// Those of them that only wait.
    parked: Option<usize>,
    /// How many there may be.
    most: Option<usize>,
}

impl WorkerView {
    fn new(row: InstanceRow, this: &str, now: Timestamp) -> Self {
        let report = row.report;
        let of = report.as_ref();
        Self {
            is_this: row.id.as_str() == this,
            id: row.id.to_string(),
            is_alive: now < row.lease_until,
            lease_until: row.lease_until.as_millis(),
            runs: row.runs,
            reported_at: row.reported_at.map(Timestamp::as_millis),
            host: of.map(|it| it.host.clone()),
            process: of.map(|it| it.process),
            version: of.map(|it| it.version.clone()),
            build: of.map(|it| it.build.clone()),
            started_at: of.map(|it| it.started_at.as_millis()),
            resident: of.map(|it| it.runs),
            parked: of.map(|it| it.parked),
            most: of.map(|it| it.most_runs),
            workflows: of.map_or_else(Vec::new, |it| it.workflows.clone()),
            steps: report.map_or_else(Vec::new, |it| it.steps),
        }
    }
}

/// Lists the instances that execute runs.
#[utoipa::path(
    get,
    path = "/workers",
    operation_id = "list_workers",
    tag = "meta",
    responses(
        (status = 200, description = "The instances.", body = WorkerList),
    )
)]
pub(super) async fn list(View(control): View) -> Result<Json<WorkerList>, Problem> {
    let instances = control.instances().await?;
    let now = control.engine().clock().now();
    let this = control.engine().instance();
    let workers = instances.into_iter();
    let workers = workers.map(|row| WorkerView::new(row, this.as_str(), now));
    Ok(Json(WorkerList {
        workers: workers.collect(),
        now: now.as_millis(),
    }))
}

/// Numbers of this process since its engine began.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Metrics {
    /// The process.
    instance: String,
    /// When its engine began.
    since: i64,
    /// The time.
    at: i64,
    /// Commits of runs.
    commits: u64,
    /// Runs that have come to an end here, by the status in which they ended.
    ended: BTreeMap<&'static str, u64>,
    /// Runs in its memory.
    resident: usize,
    /// Those of them that only wait.
    parked: usize,
    /// How many there may be.
    most: usize,
}

impl Metrics {
    /// The [text format](https://prometheus.io/docs/instrumenting/exposition_formats/) 0.0.4.
    fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (label, value) in values {
                let _ = writeln!(text, "{name}{label} {value}");
            }
        };
        let one = |value: u64| [(String::new(), value)];
        let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let ended = self.ended.iter();
        let ended = ended.map(|(status, count)| (format!("{{status=\"{status}\"}}"), *count));
        let ended: Vec<_> = ended.collect();
        let name = "durable_run_commits_total";
        line(name, "counter", "Commits of runs.", &one(self.commits));
        let name = "durable_runs_ended_total";
        line(name, "counter", "Runs that came to an end here.", &ended);
        let (name, resident) = ("durable_resident_runs", size(self.resident));
        line(name, "gauge", "Runs in memory.", &one(resident));
        let (name, parked) = ("durable_parked_runs", size(self.parked));
        line(
            name,
            "gauge",
            "Runs in memory that only wait.",
            &one(parked),
        );
        let (name, most) = ("durable_resident_runs_limit", size(self.most));
        line(name, "gauge", "Runs that may be in memory.", &one(most));
        text
    }
}

/// Shows numbers of this process since its engine began.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "meta",
    params(MetricsParams),
    responses(
        (status = 200, description = "The numbers; as text with `format=prometheus`.", body = Metrics),
        (status = 400, description = "There is no such format.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(
    View(control): View,
    ApiQuery(params): ApiQuery<MetricsParams>,
) -> Response {
    let engine = control.engine();
    let (report, counts) = (engine.report(), engine.counts());
    let ended = counts.ended.iter();
    let metrics = Metrics {
        instance: engine.instance().to_string(),
        since: report.started_at.as_millis(),
        at: engine.clock().now().as_millis(),
        commits: counts.commits,
        ended: ended
            .map(|(status, count)| (status.as_str(), *count))
            .collect(),
        resident: report.runs,
        parked: report.parked,
        most: report.most_runs,
    };
    match params.format {
        Format::Json => Json(metrics).into_response(),
        Format::Prometheus => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            (kind, metrics.to_text()).into_response()
        }
    }
}
