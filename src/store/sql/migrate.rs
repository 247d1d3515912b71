//! Bringing the tables up to date, with instances that start at the same time.

use axum_durable_migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};

use super::error::backend;
use super::options::SqlOptions;
use crate::driver::sql::Dialect;
use crate::store::error::StoreError;

/// What is being done, for errors.
const MIGRATE: &str = "migrate the database";

/// The key of the lock that guards migrations: `durable` in ASCII.
const GUARD: i64 = 0x0064_7572_6162_6c65;

/// The name of the lock on MySQL, where names are those of the whole server.
const MYSQL_GUARD: &str = "concat('durable-', left(sha1(database()), 16))";

/// Seconds that an instance waits for another one that migrates.
const PATIENCE: u32 = 60;

/// Looks, and migrates in one transaction that only one instance is in: those that start together
/// wait for each other. A crash in the middle leaves the schema as it was, but on MySQL, whose DDL
/// commits by itself: there each migration passes over what it has done already.
pub(super) async fn migrate(
    options: &SqlOptions,
    db: &DatabaseConnection,
) -> Result<(), StoreError> {
    let Some(dialect) = Dialect::of(db.get_database_backend()) else {
        return Ok(());
    };
    let failed = |error| backend(dialect, MIGRATE, error);
    let settings = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    if dialect == Dialect::Sqlite && is_current(options, dialect, db).await? {
        return Ok(());
    }
    let transaction = db.begin_with_options(settings).await.map_err(failed)?;
    guard(options, dialect, &transaction)
        .await
        .map_err(failed)?;
    let migrated = bring_up_to_date(options, dialect, &transaction).await;
    if dialect == Dialect::MySql {
        // It belongs to the connection and not to the transaction.
        let free = format!("DO RELEASE_LOCK({MYSQL_GUARD})");
        transaction
            .execute_unprepared(&free)
            .await
            .map_err(failed)?;
    }
    migrated?;
    transaction.commit().await.map_err(failed)
}

async fn bring_up_to_date(
    options: &SqlOptions,
    dialect: Dialect,
    transaction: &DatabaseTransaction,
) -> Result<(), StoreError> {
    if is_current(options, dialect, transaction).await? {
        return Ok(());
    }
    let migrated = Migrator::up(transaction, None).await;
    migrated.map_err(|error| backend(dialect, MIGRATE, error))
}

/// Waits until this transaction is the only one that migrates, and goes to the tables' schema.
async fn guard(
    options: &SqlOptions,
    dialect: Dialect,
    transaction: &DatabaseTransaction,
) -> Result<(), DbErr> {
    let mut text = match dialect {
        Dialect::Sqlite => return Ok(()),
        Dialect::Postgres => format!("SELECT pg_advisory_xact_lock({GUARD})"),
        Dialect::MySql => format!("DO GET_LOCK({MYSQL_GUARD}, {PATIENCE})"),
    };
    if let (Dialect::Postgres, Some(schema)) = (dialect, &options.schema) {
        text += &format!("; CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
        text += &format!("; SET LOCAL search_path TO \"{schema}\"");
    }
    transaction.execute_unprepared(&text).await.map(drop)
}

/// Whether nothing is to be migrated.
async fn is_current<C: ConnectionTrait>(
    options: &SqlOptions,
    dialect: Dialect,
    db: &C,
) -> Result<bool, StoreError> {
    let done = applied(dialect, db).await;
    let done = done.map_err(|error| backend(dialect, MIGRATE, error))?;
    let known = Migrator::migrations();
    let known: Vec<&str> = known.iter().map(|one| one.name()).collect();
    let is_newer = |name: &&String| !known.contains(&name.as_str());
    if let Some(newer) = done.iter().rev().find(is_newer) {
        return Err(StoreError::SchemaAhead {
            found: newer.clone(),
        });
    }
    let is_missing = |name: &&str| !done.iter().any(|one| one == name);
    match known.into_iter().find(is_missing) {
        Some(missing) if !options.auto_migrate => {
            let missing = missing.to_owned();
            Err(backend(dialect, MIGRATE, SchemaBehind { missing }))
        }
        missing => Ok(missing.is_none()),
    }
}

/// The names of the migrations in the database, oldest first.
async fn applied<C: ConnectionTrait>(dialect: Dialect, db: &C) -> Result<Vec<String>, DbErr> {
    const APPLIED: &str = "SELECT version FROM durable_migrations ORDER BY version";
    let has_table = match dialect {
        Dialect::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'durable_migrations'"
        }
        Dialect::Postgres => "SELECT 1 WHERE to_regclass('durable_migrations') IS NOT NULL",
        Dialect::MySql => "SHOW TABLES LIKE 'durable_migrations'",
    };
    let ask = |text| Statement::from_string(db.get_database_backend(), text);
    if db.query_one_raw(ask(has_table)).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = db.query_all_raw(ask(APPLIED)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The tables are older than this build.
#[derive(Debug, thiserror::Error)]
#[error("migration `{missing}` is missing; run `Migrator::up` or leave `auto_migrate` on")]
struct SchemaBehind {
    missing: String,
}
