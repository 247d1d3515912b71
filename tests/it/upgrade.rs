//! A database of an older build, with what it holds, under this one.
//!
//! What it holds is written as plain SQL: the statements of this build know columns that were not
//! there then.

use std::{future::IntoFuture as _, time::Duration};

use axum_durable::{
    RunStatus,
    model::{DEFAULT_NAMESPACE, RunQuery},
    prelude::*,
    store::ReadStore as _,
};
use axum_durable_migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend};

use crate::support::{
    ledger::Ledger,
    world::{World, code, flow, on_every_server, soon},
};

on_every_server!(
    runs_of_an_older_build_go_on,
    migrations_go_back_and_forth,
    a_migration_that_was_not_recorded_is_repeated,
);

mod on_sqlite {
    use crate::support::world::World;

    #[tokio::test]
    async fn runs_of_an_older_build_go_on() {
        super::runs_of_an_older_build_go_on(World::sqlite()).await;
    }

    #[tokio::test]
    async fn migrations_go_back_and_forth() {
        super::migrations_go_back_and_forth(World::sqlite()).await;
    }
}

/// Charges, waits for somebody to approve, and ships.
fn order(ledger: &Ledger) -> Workflow<u32, u32> {
    let ledger = ledger.clone();
    flow("order", move |ctx, amount: u32| {
        let ledger = ledger.clone();
        async move {
            let run = ctx.run_id().to_string();
            let charge = ctx.step("charge", async || {
                ledger.note(format!("charge {run}"));
                Ok::<_, StepError>(amount)
            });
            let charged = charge.await?;
            let approve = ctx.wait_for_signal::<u32>(format!("approve:{run}"));
            let approved = approve.await?;
            let ship = ctx.step("ship", async || {
                ledger.note(format!("ship {run}"));
                Ok::<_, StepError>(charged + approved)
            });
            ship.await
        }
    })
}

/// A payload in the words of a database.
fn payload(db: &DatabaseConnection, text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    match db.get_database_backend() {
        DbBackend::Postgres => format!("'\\x{hex}'"),
        _ => format!("x'{hex}'"),
    }
}

/// Runs as migration 8 held them: one of each kind, with what belongs to it.
async fn write_runs(db: &DatabaseConnection) {
    let (input, output) = (payload(db, "40"), payload(db, "42"));
    let never = i64::MAX;
    let mut texts = Vec::new();
    for (at, (id, status, owner, wake_at, output)) in (1..).zip([
        ("done", "completed", "NULL", never, output.as_str()),
        ("waits", "suspended", "NULL", never, "NULL"),
        ("due", "pending", "NULL", 1, "NULL"),
        ("held", "running", "'gone'", never, "NULL"),
        ("failed", "failed", "NULL", never, "NULL"),
    ]) {
        let failure = r#"'{"message": "no money", "code": "declined", "retryable": false}'"#;
        let (failure, ended) = match status {
            "completed" => ("NULL", "9"),
            "failed" => (failure, "9"),
            _ => ("NULL", "NULL"),
        };
        let token = u8::from(status != "pending");
        texts.push(format!(
            "INSERT INTO durable_runs (id, workflow, version, status, token, owner, wake_at, wakes, \
             seen_wakes, recoveries, rev, created_at, updated_at, finished_at, tags, failure, output) \
             VALUES ('{id}', 'order', 1, '{status}', {token}, {owner}, {wake_at}, 0, 0, 0, 2, {at}, \
             9, {ended}, '[\"old\"]', {failure}, {output})"
        ));
        let no = format!("SELECT no FROM durable_runs WHERE id = '{id}'");
        texts.push(format!(
            "INSERT INTO durable_inputs (run_no, payload) VALUES (({no}), {input})"
        ));
        texts.push(format!(
            "INSERT INTO durable_tags (tag, run_no) VALUES ('old', ({no}))"
        ));
        let columns = "durable_checkpoints (run_no, seq, ord, kind, name, status, attempt, \
            started_at, finished_at, rev, failure, result)";
        match id {
            "failed" => texts.push(format!(
                "INSERT INTO {columns} VALUES (({no}), 0, 0, 'step', 'charge', 'fatal', 1, 5, 6, 1, \
                 {failure}, NULL)"
            )),
            "waits" | "held" => {
                texts.push(format!(
                    "INSERT INTO {columns} VALUES (({no}), 0, 0, 'step', 'charge', 'completed', 1, \
                     5, 6, 1, NULL, {input})"
                ));
                texts.push(format!(
                    "INSERT INTO {columns} VALUES (({no}), 1, NULL, 'signal', 'approve:{id}', \
                     'waiting', 1, 7, NULL, 2, NULL, NULL)"
                ));
                texts.push(format!(
                    "INSERT INTO durable_waiters (run_no, seq, token) \
                     VALUES (({no}), 1, 'approve:{id}')"
                ));
            }
            _ => {}
        }
    }
    for text in texts {
        db.execute_unprepared(&text).await.unwrap();
    }
}

/// As a build left it that had migration 13 and not yet 12.
async fn migrate_but_for_priorities(db: &DatabaseConnection) {
    const SKIPPED: &str = "m20261129_000012_priority";
    Migrator::up(db, Some(3)).await.unwrap();
    let skip = format!("INSERT INTO durable_migrations VALUES ('{SKIPPED}', 0)");
    db.execute_unprepared(&skip).await.unwrap();
    Migrator::up(db, None).await.unwrap();
    let forget = format!("DELETE FROM durable_migrations WHERE version = '{SKIPPED}'");
    db.execute_unprepared(&forget).await.unwrap();
}

async fn runs_of_an_older_build_go_on(world: World) {
    let db = world.connection().await;
    Migrator::up(&db, Some(8)).await.unwrap();
    write_runs(&db).await;
    migrate_but_for_priorities(&db).await;
    db.close().await.unwrap();
    // The store does the rest. What is there is read as it was.
    let store = world.sql().await;
    let listed = store.list(&RunQuery::default()).await.unwrap().runs;
    let ids: Vec<_> = listed.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(ids, ["failed", "held", "due", "waits", "done"]);
    for run in &listed {
        assert_eq!((&*run.namespace, run.priority), (DEFAULT_NAMESPACE, 0));
        assert_eq!(run.tags, ["old".into()]);
        assert!(run.attributes.is_empty() && run.fingerprint.is_none());
    }
    let mut failed = RunQuery::default();
    failed.statuses = vec![RunStatus::Failed];
    failed.tag = Some("old".into());
    let found = store.list(&failed).await.unwrap().runs;
    assert_eq!(found.len(), 1);
    assert_eq!(code(&found[0]), Some("declined"));
    drop(store);
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    assert_eq!(app.output::<u32>("done").await, 42);
    // What it had begun goes on, also what a process held that is no more, and what failed begins
    // again where it failed.
    app.requeue("failed").await.unwrap();
    for (id, approved) in [("waits", 2), ("due", 3), ("held", 4), ("failed", 5)] {
        app.send(&format!("approve:{id}"), approved).await;
        assert_eq!(app.output::<u32>(id).await, 40 + approved, "{id}");
        let charged = u32::from(["due", "failed"].contains(&id));
        assert_eq!(ledger.count(&format!("charge {id}")), charged, "{id}");
        assert_eq!(ledger.count(&format!("ship {id}")), 1, "{id}");
    }
    // New runs use what is new.
    let start = app.start(order(&ledger), 1).id("new").priority(3);
    let start = start.delay(Duration::from_millis(5)).into_future();
    soon("the start", app.run(start)).await.unwrap();
    world.clock.advance(Duration::from_millis(10));
    app.send("approve:new", 1).await;
    assert_eq!(app.output::<u32>("new").await, 2);
    assert_eq!(app.record("new").await.run.priority, 3);
}

/// MySQL commits what changes tables by itself, so that a crash may come before it is recorded. On
/// the other databases both are one transaction.
async fn a_migration_that_was_not_recorded_is_repeated(world: World) {
    let db = world.connection().await;
    if db.get_database_backend() != DbBackend::MySql {
        return;
    }
    for migration in Migrator::migrations() {
        for _ in 0..2 {
            Migrator::up(&db, Some(1)).await.unwrap();
            let forget = format!(
                "DELETE FROM durable_migrations WHERE version = '{}'",
                migration.name()
            );
            db.execute_unprepared(&forget).await.unwrap();
        }
        Migrator::up(&db, Some(1)).await.unwrap();
    }
    db.close().await.unwrap();
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(&ledger), 1, "a").await;
    app.send("approve:a", 1).await;
    assert_eq!(app.output::<u32>("a").await, 2);
}

async fn migrations_go_back_and_forth(world: World) {
    let db = world.connection().await;
    Migrator::up(&db, None).await.unwrap();
    Migrator::down(&db, None).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    db.close().await.unwrap();
    let ledger = Ledger::default();
    let register = order(&ledger);
    let app = world.open(|it| it.register(register)).await;
    app.begin(&order(&ledger), 1, "a").await;
    app.send("approve:a", 1).await;
    assert_eq!(app.output::<u32>("a").await, 2);
}
