//! Tables of thousands of rows on each database.

#[path = "../../../../tests/services/mod.rs"]
mod services;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
pub(in crate::store::sql) use services::{Place, Server};

use crate::driver::sql::Dialect;
use crate::store::sql::SqlStore;

/// Rows in the larger tables. Few enough to be written at once, enough that no planner takes a
/// scan for cheaper than its index.
const RUNS: u32 = 6_000;

/// Writes rows in portions.
pub(super) async fn insert(
    db: &DatabaseConnection,
    into: &str,
    rows: impl Iterator<Item = String>,
) {
    let rows: Vec<String> = rows.collect();
    for portion in rows.chunks(1_000) {
        let text = format!("INSERT INTO {into} VALUES {}", portion.join(", "));
        db.execute_unprepared(&text).await.unwrap();
    }
}

pub(super) async fn fill_runs(db: &DatabaseConnection) {
    let never = i64::MAX;
    let runs = (1..=RUNS).map(|n| {
        let (status, owner, wake_at) = match n % 10 {
            0 => ("pending", "NULL".to_owned(), i64::from(n)),
            1 => ("suspended", format!("'i-{}'", n % 40), never),
            2 => ("suspended", "NULL".to_owned(), i64::from(n) + 1_000_000),
            _ => ("completed", "NULL".to_owned(), never),
        };
        let priority = match n / 10 % 10 {
            0 => "7",
            1 => "-7",
            _ => "NULL",
        };
        let at = n + 1_000_000;
        format!(
            "({n}, 'run-{n}', 'checkout', 1, '{status}', 1, {owner}, {wake_at}, 0, 0, 0, 3, {at}, \
             {at}, {priority})"
        )
    });
    let columns = "durable_runs (no, id, workflow, version, status, token, owner, wake_at, wakes, \
        seen_wakes, recoveries, rev, created_at, updated_at, priority)";
    insert(db, columns, runs).await;
}

fn blob(dialect: Dialect, text: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("'\\x{text}'"),
        Dialect::Sqlite | Dialect::MySql => format!("x'{text}'"),
    }
}

/// Waits for events, events that are kept, and who has heard them.
async fn fill_events(db: &DatabaseConnection, dialect: Dialect) {
    let listens = (1..=RUNS).map(|n| format!("({n}, 1, {n}, '[{n}]')"));
    insert(db, "durable_listens (run_no, seq, anchor, facts)", listens).await;
    let events = (1..=RUNS).map(|n| {
        let id = blob(dialect, &format!("{n:032x}"));
        format!("({id}, 'paid', {}, {id})", n + 1_000)
    });
    let columns = "durable_events (id, name, expires_at, payload)";
    insert(db, columns, events).await;
    let facts = (1..=2 * RUNS).map(|n| format!("({}, {})", n % 3_000, n / 2));
    insert(db, "durable_event_facts (fact, event_no)", facts).await;
    let heard = (1..=RUNS).map(|n| {
        let id = blob(dialect, &format!("{n:032x}"));
        format!("({}, {id}, {})", n % 700, n + 1_000)
    });
    insert(db, "durable_heard (run_no, id, forget_at)", heard).await;
}

/// Many runs: most have ended, some are due, some wait, each instance holds some.
pub(super) async fn fill(db: &DatabaseConnection, dialect: Dialect) {
    fill_runs(db).await;
    let buffered = |is: bool| match (dialect, is) {
        (Dialect::Postgres, true) => "true",
        (Dialect::Postgres, false) => "false",
        (_, true) => "1",
        (_, false) => "0",
    };
    let blob = |text: String| blob(dialect, &text);
    let output = format!(
        "UPDATE durable_runs SET output = {} WHERE status = 'completed'",
        blob("61".to_owned())
    );
    db.execute_unprepared(&output).await.unwrap();
    let inputs = (1..=RUNS).map(|n| format!("({n}, {})", blob("61".to_owned())));
    insert(db, "durable_inputs (run_no, payload)", inputs).await;
    let checkpoints = (1..=3 * RUNS).map(|n| {
        let (run, seq) = (n / 3, n % 3);
        format!("({run}, {seq}, {seq}, 'step', 'charge', 'completed', 1, {n}, 1)")
    });
    let columns = "durable_checkpoints \
        (run_no, seq, ord, kind, name, status, attempt, started_at, rev)";
    insert(db, columns, checkpoints).await;
    let tags = (1..=RUNS).map(|n| format!("('tag-{}', {n})", n % 600));
    insert(db, "durable_tags (tag, run_no)", tags).await;
    let numbers = (1..=RUNS).map(|n| format!("({n}, 'total', 'number', {n}, NULL)"));
    let texts = (1..=RUNS).map(|n| format!("({n}, 'region', 'text', NULL, 'region-{n}')"));
    let columns = "durable_attributes (run_no, name, kind, num, word)";
    insert(db, columns, numbers.chain(texts)).await;
    let waiters = (1..=RUNS).map(|n| format!("({n}, 1, 'token-{n}')"));
    insert(db, "durable_waiters (run_no, seq, token)", waiters).await;
    let signals = (1..=RUNS).map(|n| {
        let (id, is) = (blob(format!("{n:032x}")), buffered(n % 2 == 0));
        format!("({id}, 'other-{n}', {is}, {n})")
    });
    insert(
        db,
        "durable_signals (id, token, buffered, sent_at)",
        signals,
    )
    .await;
    let inbox = (1..=RUNS).map(|n| format!("({n}, 'signal', 2)"));
    insert(db, "durable_inbox (run_no, kind, seq)", inbox).await;
    let joins = (1..=RUNS).map(|n| format!("({n}, {}, 1)", RUNS + 1 - n));
    insert(db, "durable_joins (target_no, run_no, seq)", joins).await;
    fill_events(db, dialect).await;
    let published = (1..=RUNS).map(|n| format!("({n}, 'key', {})", blob("61".to_owned())));
    insert(db, "durable_published (run_no, name, payload)", published).await;
    let lines = (1..=RUNS).map(|n| format!("('run-{}', {n}, 'pause')", n % 900));
    insert(db, "durable_audit (run_id, acted_at, action)", lines).await;
    let instances = (1..=40).map(|n| format!("('i-{n}', {n})"));
    insert(db, "durable_instances (id, lease_until)", instances).await;
}

/// A connection of its own, and what takes the place away again.
pub(super) async fn open(server: Server, dialect: Dialect) -> Option<(DatabaseConnection, Place)> {
    let place = server.place().await?;
    let mut options = SqlStore::options();
    if let Some(schema) = place.schema() {
        options = options.schema(schema);
    }
    drop(options.connect(&place.url()).await.unwrap());
    let mut options = ConnectOptions::new(place.url());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    if let Some(schema) = place.schema() {
        let text = format!("SET search_path = {schema}");
        db.execute_unprepared(&text).await.unwrap();
    }
    fill(&db, dialect).await;
    Some((db, place))
}
