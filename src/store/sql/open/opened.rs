//! A database that was opened, before it is a store.

use std::sync::{Arc, atomic::AtomicBool};

use parking_lot::Mutex;
use sea_orm::DatabaseConnection;
use tokio::time::Instant;

use crate::control_plane::ControlPlane;
use crate::driver::sql::{Args, Connections, Database, Dialect, Limit};
use crate::store::error::StoreError;
use crate::store::sql::clock::DatabaseClock;
use crate::store::sql::error::backend;
use crate::store::sql::options::SqlOptions;
use crate::store::sql::record;
use crate::store::sql::statements::statements;
use crate::store::sql::store::{ClockSource, Liveness, Reader, Shared, SqlStore};
use crate::time::{SystemClock, Timestamp};

/// A database that was opened, before it is a store.
pub(crate) struct Opened {
    pub(super) connections: Connections,
    pub(crate) host: DatabaseConnection,
    pub(super) liveness: Liveness,
    /// How instances tell each other news, where the database can carry them.
    pub(super) plane: Option<Arc<dyn ControlPlane>>,
}

impl Opened {
    /// A store on migrated tables.
    pub(crate) async fn into_store(self, options: &SqlOptions) -> Result<SqlStore, StoreError> {
        let database = Database::new(
            self.connections,
            options.schema.clone(),
            Limit {
                time: options.dashboard_timeout,
                is_local: options.is_pooled,
            },
        );
        let clock = match &options.clock {
            Some(clock) => ClockSource::Given(Arc::clone(clock)),
            None if database.dialect() == Dialect::Sqlite => {
                ClockSource::Given(Arc::new(SystemClock))
            }
            None => ClockSource::Database(Arc::new(ask(&database).await?)),
        };
        Ok(SqlStore(
            Arc::new(Shared {
                clock,
                database,
                host: self.host,
                keeps_names: AtomicBool::new(!options.is_pooled),
                liveness: self.liveness,
                plane: self.plane,
                seats: Mutex::default(),
            }),
            Reader::Engine,
        ))
    }
}

async fn ask(database: &Database) -> Result<DatabaseClock, StoreError> {
    let dialect = database.dialect();
    let failed = |error| backend(dialect, "ask the database for its time", error);
    let mut session = database.read().await.map_err(failed)?;
    let asked = Instant::now();
    let text = statements(dialect).read.now;
    let sets = session.run(text, &Args::new()).await.map_err(failed)?;
    session.finish();
    let now = sets.first(0).map(|row| record::get(row, 0)).transpose()?;
    let now = Timestamp::from_millis(now.unwrap_or_default());
    Ok(DatabaseClock::new(asked, now))
}
