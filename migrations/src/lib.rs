//! The database schema of `axum-durable`, as a [SeaORM migrator](sea_orm_migration).
//!
//! The store applies it when it connects. A host that runs its own migrations turns that off and
//! calls [`Migrator`] itself, before its first start:
//!
//! ```no_run
//! use axum_durable_migrations::{Migrator, MigratorTrait};
//! # async fn migrate(db: sea_orm_migration::sea_orm::DatabaseConnection)
//! # -> Result<(), sea_orm_migration::DbErr> {
//! Migrator::up(&db, None).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Its own table `durable_migrations` keeps it apart from the migrations of the host.
//! A migration that was released is never changed, and none of them imports an entity: it must
//! mean the same for ever.

mod m20261120_000001_runs;
mod m20261120_000002_signals;
mod m20261120_000003_instances;
mod m20261120_000004_relations;
mod m20261120_000005_control;
mod m20261120_000006_events;
mod m20261120_000007_requests;
mod m20261120_000008_looking;
mod m20261129_000009_attributes;
mod m20261129_000010_flows;
mod m20261129_000011_ends;
mod m20261129_000012_priority;
mod m20261129_000013_of_workflow;
mod m20261129_000015_order;
mod m20261129_000016_aside;
mod migrator;
mod texts;

pub use migrator::Migrator;
pub use sea_orm_migration::MigratorTrait;
