//! The store as the rest of the crate sees it.

use std::sync::Arc;

use sea_orm::{DatabaseConnection, DatabaseTransaction};

use super::clock::DatabaseClock;
use super::commit::Joined;
use super::store::{ClockSource, Reader, SqlStore};
use crate::control_plane::ControlPlane;
use crate::driver::sql::Dialect;
use crate::store::commit::CommitStore;
use crate::store::read::Store;
use crate::time::Clock;

impl Store for SqlStore {
    fn name(&self) -> &'static str {
        self.dialect().name()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        match &self.0.clock {
            ClockSource::Given(clock) => Arc::clone(clock),
            ClockSource::Database(clock) => Arc::<DatabaseClock>::clone(clock),
        }
    }

    fn writers(&self) -> usize {
        match self.dialect() {
            Dialect::Sqlite => 1,
            Dialect::Postgres | Dialect::MySql => 2,
        }
    }

    fn for_people(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(Self(Arc::clone(&self.0), Reader::People)))
    }

    fn control_plane(&self) -> Option<Arc<dyn ControlPlane>> {
        self.0.plane.clone()
    }

    fn host_connection(&self) -> Option<&DatabaseConnection> {
        Some(&self.0.host)
    }

    fn joined<'a>(
        &'a self,
        transaction: &'a DatabaseTransaction,
    ) -> Option<Box<dyn CommitStore + 'a>> {
        let store = self;
        Some(Box::new(Joined { store, transaction }))
    }
}
