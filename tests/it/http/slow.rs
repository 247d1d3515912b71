//! Looking never keeps the engine waiting: what takes too long is broken off.

use std::time::Duration;

use axum::{Router, http::StatusCode};
use axum_durable::{Durable, SqlStore, WithDurable as _, durable_router, store::SqlOptions};
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use super::contract::send;
use crate::support::services::Server;

const LIMIT: Duration = Duration::from_secs(1);

async fn router(store: &SqlStore) -> Router {
    let builder = Durable::builder().store(store.clone()).only_registered();
    let durable = builder.drive(false).build().await.unwrap();
    Router::new().merge(durable_router()).with_durable(durable)
}

async fn is_too_slow(router: &Router, path: &str) {
    let answer = send(router, "GET", path, None).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
    let problem = answer.problem();
    assert_eq!(problem["type"], "urn:axum-durable:too-slow");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("within 1s"), "{detail}");
}

/// Asks while `lock` keeps everybody from the tables, and afterwards.
async fn behind(server: Server, options: SqlOptions, lock: &str, unlock: &str) {
    let Some(place) = server.place().await else {
        return;
    };
    let mut options = options.dashboard_timeout(LIMIT).host_connections(1);
    if let Some(schema) = place.schema() {
        options = options.schema(schema);
    }
    let store = options.connect(&place.url()).await.unwrap();
    let router = router(&store).await;
    let ready = send(&router, "GET", "/runs", None).await;
    assert_eq!(ready.status, StatusCode::OK, "{ready:?}");
    let host = store.connection();
    let lock = lock.replace("{schema}", place.schema().unwrap_or_default());
    host.execute_unprepared(&lock).await.unwrap();
    is_too_slow(&router, "/runs").await;
    is_too_slow(&router, "/runs/none").await;
    host.execute_unprepared(unlock).await.unwrap();
    let after = send(&router, "GET", "/runs", None).await;
    assert_eq!(after.status, StatusCode::OK, "{after:?}");
    assert_eq!(after.json()["runs"], json!([]));
}

const LOCK: &str = "BEGIN; LOCK TABLE {schema}.durable_runs IN ACCESS EXCLUSIVE MODE";

#[tokio::test]
async fn postgres_breaks_off_what_takes_too_long() {
    behind(Server::Postgres, SqlStore::options(), LOCK, "ROLLBACK").await;
}

/// The connections keep nothing there, so each transaction says how long it may take.
#[tokio::test]
async fn postgres_behind_a_pooler_does_so_too() {
    let options = SqlStore::options().through_pooler();
    behind(Server::Postgres, options, LOCK, "ROLLBACK").await;
}

#[tokio::test]
async fn mysql_breaks_off_what_takes_too_long() {
    let lock = "LOCK TABLES durable_runs WRITE, durable_inputs WRITE";
    behind(Server::MySql, SqlStore::options(), lock, "UNLOCK TABLES").await;
}

/// Nobody can lock a reader out there, so there is no end of what it reads.
#[tokio::test]
async fn sqlite_breaks_off_what_takes_too_long() {
    const ENDLESS: &str = "ALTER TABLE durable_runs RENAME TO kept; CREATE VIEW durable_runs AS \
        WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) \
        SELECT kept.* FROM n, kept WHERE n < 0 UNION ALL SELECT kept.* FROM kept, n WHERE n < 0";
    const MENDED: &str = "DROP VIEW durable_runs; ALTER TABLE kept RENAME TO durable_runs";
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("runs.db").display());
    let options = SqlStore::options().dashboard_timeout(LIMIT);
    let store = options.connect(&url).await.unwrap();
    let router = router(&store).await;
    let host = store.connection();
    let run = "INSERT INTO durable_runs (id, workflow, version, status, token, wake_at, wakes, \
        seen_wakes, recoveries, rev, created_at, updated_at) \
        VALUES ('one', 'w', 1, 'completed', 1, 9, 0, 0, 0, 1, 1, 1)";
    host.execute_unprepared(run).await.unwrap();
    host.execute_unprepared(ENDLESS).await.unwrap();
    is_too_slow(&router, "/runs").await;
    host.execute_unprepared(MENDED).await.unwrap();
    let after = send(&router, "GET", "/runs", None).await;
    assert_eq!(after.status, StatusCode::OK, "{after:?}");
    assert_eq!(after.json()["runs"][0]["id"], "one");
}
