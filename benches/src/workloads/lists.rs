//! What looking at very many runs costs: the API's lists, asked over HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum_durable::{WithDurable as _, durable_router};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use tokio::time::Instant;

use super::bench::{Bench, Engine};
use crate::{
    flows::{Effects, Gate},
    place::Place,
    report::{Failed, rounded, say},
};

const RUNS: usize = 1_000_000;

/// Requests for each kind of page, one at a time, as one person asks.
const REQUESTS: usize = 200;

/// Runs that one statement of the filling inserts.
const CHUNK: usize = 100_000;

/// Pages that people ask for. The rare ones, of which the table has none or few, cost most.
const PAGES: &[(&str, &str)] = &[
    ("newest", "/runs"),
    ("next page", "/runs?after=<next>"),
    (
        "failed",
        "/runs?status=failed,dead,blocked,compensation_failed",
    ),
    ("dead", "/runs?status=dead"),
    ("blocked, none", "/runs?status=blocked"),
    ("waiting", "/runs?status=suspended"),
    ("running, none", "/runs?status=running,pending"),
    ("undo failed, none", "/runs?status=compensation_failed"),
    ("workflow", "/runs?workflow=workflow-7"),
    ("tag", "/runs?tag=team-7"),
    ("tag, next page", "/runs?tag=team-7&after=<next>"),
    ("tag, none", "/runs?tag=nobody"),
    ("id", "/runs?id_prefix=run-7777"),
    ("one hour", "/runs?since=1700003600000&until=1700007200000"),
    ("failures", "/failures"),
    ("survey", "/survey"),
];

/// Prints a line for each kind of page: how long it takes with very many runs in the store.
pub(crate) async fn lists(bench: &Bench) -> Result<(), Failed> {
    let runs = bench.sizes.runs_or(RUNS);
    let (place, _files) = bench.place.fresh("lists").await?;
    let Place::Server { url, name } = &place else {
        return Err("`lists` does not apply: it fills a server".into());
    };
    let store = place.open().await?;
    let db = Database::connect(url).await?;
    let is_postgres = url.starts_with("postgres");
    let asked = async {
        if is_postgres {
            fill_postgres(bench, &db, name, runs).await?;
        } else {
            fill_mysql(bench, &db, name, runs).await?;
        }
        let engine = Engine::over(store, Effects::new(None, Gate::Open), |it| it.drive(false));
        let engine = engine.await?;
        let app = Router::new().merge(durable_router());
        let app = app.with_durable(engine.durable.clone());
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base = format!("http://{}/durable/api", listener.local_addr()?);
        let serving = axum::serve(listener, app);
        let asking = ask(bench, &base, runs);
        let asked = tokio::select! {
            served = serving => served.map_err(Failed::from),
            asked = asking => asked,
        };
        engine.durable.shutdown().await;
        asked
    };
    let asked = asked.await;
    // So many runs are not left behind.
    let dropped = if is_postgres {
        format!("DROP SCHEMA {name} CASCADE")
    } else {
        format!("DROP DATABASE {name}")
    };
    db.execute_unprepared(&dropped).await?;
    db.close().await?;
    asked
}

/// Nine of ten have completed, the others wait, failed or were cancelled.
async fn fill_postgres(
    bench: &Bench,
    db: &DatabaseConnection,
    name: &str,
    runs: usize,
) -> Result<(), Failed> {
    for from in (1..=runs).step_by(CHUNK) {
        bench.progress.show("fill", from, runs);
        let to = (from + CHUNK - 1).min(runs);
        let text = format!(
            "WITH n AS (SELECT n, CASE WHEN n % 100 < 92 THEN 'completed' \
                 WHEN n % 100 < 94 THEN 'failed' WHEN n % 1000 = 994 THEN 'dead' \
                 WHEN n % 100 < 98 THEN 'suspended' ELSE 'cancelled' END AS status \
                 FROM generate_series({from}, {to}) n), \
             runs AS (INSERT INTO {name}.durable_runs (id, workflow, version, status, token, wake_at, \
                 wakes, seen_wakes, recoveries, rev, created_at, updated_at, finished_at, tags, \
                 failure, output) \
                 SELECT 'run-' || n, 'workflow-' || n % 20, 1, status, 1, 9223372036854775807, \
                 0, 0, 0, 3, 1700000000000 + n * 10, 1700000000500 + n * 10, \
                 CASE WHEN status <> 'suspended' THEN 1700000000500 + n * 10 END, \
                 '[\"team-' || n % 50 || '\"]', \
                 CASE WHEN status IN ('failed', 'dead') THEN '{{\"message\": \"card ' || n || \
                 ' was declined\", \"code\": \"declined\", \"retryable\": false}}' END, \
                 CASE WHEN status = 'completed' THEN '{{}}'::bytea END FROM n \
                 RETURNING no, status, created_at), \
             tags AS (INSERT INTO {name}.durable_tags (tag, run_no) \
                 SELECT 'team-' || no % 50, no FROM runs) \
             INSERT INTO {name}.durable_checkpoints \
                 (run_no, seq, kind, name, status, attempt, started_at, rev) \
                 SELECT no, 0, 'signal', 'approve:' || no, 'waiting', 1, created_at, 1 \
                 FROM runs WHERE status = 'suspended'"
        );
        db.execute_unprepared(&text).await?;
    }
    db.execute_unprepared("ANALYZE").await?;
    Ok(())
}

/// The same runs.
async fn fill_mysql(
    bench: &Bench,
    db: &DatabaseConnection,
    name: &str,
    runs: usize,
) -> Result<(), Failed> {
    // Neither has a table of numbers that the other one knows.
    let digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 \
        UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 \
        UNION ALL SELECT 8 UNION ALL SELECT 9)";
    for from in (1..=runs).step_by(CHUNK) {
        bench.progress.show("fill", from, runs);
        let to = (from + CHUNK - 1).min(runs);
        let numbers = format!(
            "(SELECT n, CASE WHEN n % 100 < 92 THEN 'completed' \
             WHEN n % 100 < 94 THEN 'failed' WHEN n % 1000 = 994 THEN 'dead' \
             WHEN n % 100 < 98 THEN 'suspended' ELSE 'cancelled' END AS status \
             FROM (SELECT {from} + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d AS n \
             FROM {digits} a, {digits} b, {digits} c, {digits} d, {digits} e) n \
             WHERE n <= {to} ORDER BY n) numbers"
        );
        for text in [
            format!(
                "INSERT INTO {name}.durable_runs (no, id, workflow, version, status, token, \
                 wake_at, wakes, seen_wakes, recoveries, rev, created_at, updated_at, \
                 finished_at, tags, failure, output) \
                 SELECT n, CONCAT('run-', n), CONCAT('workflow-', n % 20), 1, status, 1, \
                 9223372036854775807, 0, 0, 0, 3, 1700000000000 + n * 10, 1700000000500 + n * 10, \
                 CASE WHEN status <> 'suspended' THEN 1700000000500 + n * 10 END, \
                 CONCAT('[\"team-', n % 50, '\"]'), \
                 CASE WHEN status IN ('failed', 'dead') THEN CONCAT('{{\"message\": \"card ', n, \
                 ' was declined\", \"code\": \"declined\", \"retryable\": false}}') END, \
                 CASE WHEN status = 'completed' THEN '{{}}' END FROM {numbers}"
            ),
            format!(
                "INSERT INTO {name}.durable_tags (tag, run_no) \
                 SELECT CONCAT('team-', n % 50), n FROM {numbers}"
            ),
            format!(
                "INSERT INTO {name}.durable_checkpoints \
                 (run_no, seq, kind, name, status, attempt, started_at, rev) \
                 SELECT n, 0, 'signal', CONCAT('approve:', n), 'waiting', 1, \
                 1700000000000 + n * 10, 1 FROM {numbers} WHERE status = 'suspended'"
            ),
        ] {
            db.execute_unprepared(&text).await?;
        }
    }
    let analyze = format!("ANALYZE TABLE {name}.durable_runs, {name}.durable_tags");
    db.execute_unprepared(&analyze).await?;
    Ok(())
}

async fn ask(bench: &Bench, base: &str, runs: usize) -> Result<(), Failed> {
    let client = reqwest::Client::new();
    for (page, path) in PAGES {
        let mut next = String::new();
        let mut took = Vec::with_capacity(REQUESTS);
        for request in 0..REQUESTS {
            bench.progress.show(page, request, REQUESTS);
            let path = match next.as_str() {
                "" => path
                    .replace("?after=<next>", "")
                    .replace("&after=<next>", ""),
                next => path.replace("<next>", next),
            };
            let began_at = Instant::now();
            let answer = client.get(format!("{base}{path}")).send().await?;
            let answer: serde_json::Value = answer.error_for_status()?.json().await?;
            took.push(began_at.elapsed());
            next = answer["next"].as_str().unwrap_or_default().to_owned();
        }
        bench.progress.clear();
        took.sort_unstable();
        let part = |percent: usize| {
            let at = (took.len() * percent).div_ceil(100).max(1) - 1;
            took.get(at)
                .and_then(|it| rounded(it.as_secs_f64() * 1_000.0))
        };
        let line = serde_json::json!({
            "workload": "lists", "store": bench.place.to_string(), "runs": runs, "page": page,
            "p50_ms": part(50), "p95_ms": part(95), "p99_ms": part(99),
        });
        say(&line.to_string())?;
    }
    Ok(())
}
