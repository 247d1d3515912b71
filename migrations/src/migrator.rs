//! The list of migrations.

use sea_orm_migration::prelude::{Alias, DynIden, IntoIden, MigrationTrait, MigratorTrait};

use crate::{m20261120_000001_runs, m20261120_000002_signals, m20261120_000003_instances};

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
        ]
    }

    fn migration_table_name() -> DynIden {
        Alias::new("durable_migrations").into_iden()
    }
}
