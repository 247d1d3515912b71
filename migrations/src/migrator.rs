//! The list of migrations.

use sea_orm_migration::prelude::{Alias, DynIden, IntoIden, MigrationTrait, MigratorTrait};

use crate::{
    m20261120_000001_runs, m20261120_000002_signals, m20261120_000003_instances,
    m20261120_000004_relations, m20261120_000005_control, m20261120_000006_events,
    m20261120_000007_requests, m20261120_000008_looking, m20261129_000009_attributes,
    m20261129_000010_flows, m20261129_000011_ends, m20261129_000012_priority,
    m20261129_000013_of_workflow, m20261129_000015_order, m20261129_000016_aside,
};

/// Every migration of this build, oldest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_runs::Migration),
            Box::new(m20261120_000002_signals::Migration),
            Box::new(m20261120_000003_instances::Migration),
            Box::new(m20261120_000004_relations::Migration),
            Box::new(m20261120_000005_control::Migration),
            Box::new(m20261120_000006_events::Migration),
            Box::new(m20261120_000007_requests::Migration),
            Box::new(m20261120_000008_looking::Migration),
            Box::new(m20261129_000009_attributes::Migration),
            Box::new(m20261129_000010_flows::Migration),
            Box::new(m20261129_000011_ends::Migration),
            Box::new(m20261129_000012_priority::Migration),
            Box::new(m20261129_000013_of_workflow::Migration),
            Box::new(m20261129_000015_order::Migration),
            Box::new(m20261129_000016_aside::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        Alias::new("durable_migrations").into_iden()
    }
}
