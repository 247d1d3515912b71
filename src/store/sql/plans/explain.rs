//! What the databases say of their plans.

#![expect(
    clippy::print_stderr,
    reason = "a plan that is not as it should be is shown"
)]

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use super::attributed::attributed;
use super::cases::{
    Array, BLOB, Case, ID, Int, Text, amended, batch_of_arrays, batch_of_rows, case, common, heard,
    partial, related,
};
use super::due::due;
use super::later::{flows, forgotten, of_workflow, ways};
use super::place::{Server, fill, open};
use crate::driver::sql::Dialect;
use crate::store::sql::SqlStore;
use crate::store::sql::statements::{
    amend_texts, events::events, mysql, postgres, relations::relations, sqlite,
};

/// The statement with its values in place of the placeholders.
fn filled(case: &Case) -> String {
    let mut text = case.text.clone();
    for (at, value) in case.values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", at + 1), &value.literal());
    }
    text.trim_end().trim_end_matches(';').to_owned()
}

/// Collects what is wrong, so that a test shows all of it.
#[derive(Default)]
struct Complaints(String);

impl Complaints {
    fn check(&mut self, case: &Case, how: &str, plan: &str, has_scan: bool) {
        let missing: Vec<_> = case
            .by
            .iter()
            .filter(|index| !plan.contains(**index))
            .collect();
        if has_scan || !missing.is_empty() {
            let name = &case.name;
            let _ = writeln!(self.0, "== {name} ({how}), not by {missing:?}\n{plan}");
        }
    }

    #[track_caller]
    fn none(self) {
        if !self.0.is_empty() {
            eprintln!("{}", self.0);
            panic!("a plan scans a table");
        }
    }
}

#[tokio::test]
async fn postgres_finds_rows_by_index() {
    let Some((db, _place)) = open(Server::Postgres, Dialect::Postgres).await else {
        return;
    };
    let mut cases = common(&postgres::POSTGRES);
    cases.extend(due(&postgres::POSTGRES));
    cases.extend(amended(amend_texts(Dialect::Postgres)));
    cases.extend(related(relations(Dialect::Postgres)));
    cases.extend(heard(events(Dialect::Postgres)));
    cases.extend(flows(Dialect::Postgres));
    cases.extend(forgotten(Dialect::Postgres));
    cases.extend(attributed(Dialect::Postgres));
    cases.extend(partial(&postgres::POSTGRES));
    cases.extend(batch_of_arrays());
    let signal = [ID, Text("token-5"), BLOB, Int(5), Int(5)];
    cases.push(case(
        "signal",
        postgres::SIGNAL,
        &signal,
        &["durable_waiters_by_token"],
    ));
    let locks = [
        Array("{run-7}", "text[]"),
        Array("{token-5}", "text[]"),
        Array("{1}", "bigint[]"),
    ];
    cases.push(case(
        "lock runs",
        postgres::LOCK_RUNS,
        &locks,
        &["durable_waiters_by_token"],
    ));
    let mut complaints = Complaints::default();
    for statistics in ["not analyzed", "analyzed"] {
        if statistics == "analyzed" {
            db.execute_unprepared("ANALYZE").await.unwrap();
        }
        for case in &cases {
            for mode in ["force_generic_plan", "force_custom_plan"] {
                let plan = explain_postgres(&db, case, mode).await;
                let has_scan = plan.lines().any(|line| {
                    line.contains("Seq Scan on durable_") && !line.contains("durable_instances")
                });
                complaints.check(case, &format!("{statistics}, {mode}"), &plan, has_scan);
            }
        }
    }
    complaints.none();
}

async fn explain_postgres(db: &DatabaseConnection, case: &Case, mode: &str) -> String {
    let values: Vec<_> = case.values.iter().map(|value| value.postgres()).collect();
    let types: Vec<&str> = values.iter().map(|(_, kind)| *kind).collect();
    let literals: Vec<String> = values.into_iter().map(|(literal, _)| literal).collect();
    let with = |list: String| {
        if list.is_empty() {
            list
        } else {
            format!("({list})")
        }
    };
    let (types, literals) = (with(types.join(", ")), with(literals.join(", ")));
    let text = format!(
        "SET plan_cache_mode = {mode}; PREPARE explained {types} AS {}",
        case.text
    );
    let prepared = db.execute_unprepared(&text).await;
    prepared.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let explain = format!("EXPLAIN EXECUTE explained {literals}");
    let rows = rows(db, DbBackend::Postgres, explain).await;
    db.execute_unprepared("DEALLOCATE explained").await.unwrap();
    let lines = rows
        .iter()
        .map(|row| row.try_get_by_index::<String>(0).unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

async fn rows(
    db: &DatabaseConnection,
    backend: DbBackend,
    text: String,
) -> Vec<sea_orm::QueryResult> {
    let statement = Statement::from_string(backend, text.clone());
    let rows = db.query_all_raw(statement).await;
    rows.unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Tables by the names under which the statements know them.
const TABLES: &[&str] = &["r", "c", "i", "w", "s", "p", "t", "l", "e", "f", "h", "x"];

#[tokio::test]
async fn mysql_finds_rows_by_index() {
    let Some((db, _place)) = open(Server::MySql, Dialect::MySql).await else {
        return;
    };
    let mut cases = common(&mysql::MYSQL);
    cases.extend(due(&mysql::MYSQL));
    cases.extend(amended(amend_texts(Dialect::MySql)));
    cases.extend(related(relations(Dialect::MySql)));
    cases.extend(heard(events(Dialect::MySql)));
    cases.extend(flows(Dialect::MySql));
    cases.push(of_workflow(mysql::MYSQL.read.list));
    cases.extend(ways());
    cases.extend(forgotten(Dialect::MySql));
    cases.extend(attributed(Dialect::MySql));
    cases.extend(batch_of_rows(&mysql::MYSQL));
    let mut complaints = Complaints::default();
    for case in &cases {
        let text = format!("EXPLAIN {}", filled(case));
        let mut plan = String::new();
        let mut has_scan = false;
        for row in rows(&db, DbBackend::MySql, text).await {
            let column = |name: &str| row.try_get::<Option<String>>("", name).unwrap();
            let table = column("table").unwrap_or_default();
            let (kind, key) = (column("type"), column("key"));
            let extra = column("Extra").unwrap_or_default();
            let _ = writeln!(plan, "{table}: {kind:?} by {key:?} {extra}");
            let is_ours = table.starts_with("durable_") || TABLES.contains(&&*table);
            let is_list = extra.contains("Table function");
            let in_order =
                case.name.starts_with("newest") && key.as_deref() == Some("durable_runs_newest");
            has_scan |= is_ours
                && !is_list
                && !["durable_instances", "i"].contains(&&*table)
                && match kind.as_deref() {
                    Some("ALL") => true,
                    // A whole index is only read in its order, and up to a limit.
                    Some("index") => !in_order,
                    _ => false,
                };
            if case.by.contains(&"durable_runs_newest") {
                has_scan |= extra.contains("filesort");
            }
        }
        complaints.check(case, "as it is", &plan, has_scan);
    }
    complaints.none();
}

#[tokio::test]
async fn sqlite_finds_rows_by_index() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("plans.db").display());
    drop(SqlStore::connect(&url).await.unwrap());
    let db = Database::connect(&url).await.unwrap();
    fill(&db, Dialect::Sqlite).await;
    let mut cases = common(&sqlite::SQLITE);
    cases.extend(due(&sqlite::SQLITE));
    cases.extend(amended(amend_texts(Dialect::Sqlite)));
    cases.extend(related(relations(Dialect::Sqlite)));
    cases.extend(heard(events(Dialect::Sqlite)));
    cases.extend(flows(Dialect::Sqlite));
    cases.push(of_workflow(sqlite::SQLITE.read.list));
    cases.extend(forgotten(Dialect::Sqlite));
    cases.extend(attributed(Dialect::Sqlite));
    cases.extend(partial(&sqlite::SQLITE));
    cases.extend(batch_of_rows(&sqlite::SQLITE));
    let signal = [ID, Text("token-5"), BLOB, Int(5)];
    for (at, text) in sqlite::SIGNAL.split_inclusive(';').enumerate() {
        cases.push(case(&format!("signal {at}"), text, &signal, &[]));
    }
    let mut complaints = Complaints::default();
    for case in &cases {
        let text = format!("EXPLAIN QUERY PLAN {}", filled(case));
        let mut plan = String::new();
        let mut has_scan = false;
        for row in rows(&db, DbBackend::Sqlite, text).await {
            let line: String = row.try_get("", "detail").unwrap();
            let table = line
                .strip_prefix("SCAN ")
                .and_then(|it| it.split(' ').next());
            has_scan |= table.is_some_and(|table| {
                let is_ours = table.starts_with("durable_") || TABLES.contains(&table);
                // A whole index is only read in its order, and up to a limit.
                let in_order = [
                    "newest",
                    "waiting",
                    "live flows",
                    "live flows of a workflow",
                ]
                .contains(&&*case.name)
                    && case.by.iter().all(|index| line.contains(index));
                is_ours
                    && !["durable_instances", "i"].contains(&table)
                    && !line.contains("VIRTUAL TABLE")
                    && !in_order
            });
            let _ = writeln!(plan, "{line}");
        }
        complaints.check(case, "as it is", &plan, has_scan);
    }
    complaints.none();
}
