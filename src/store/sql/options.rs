//! Settings of the store.

use std::{sync::Arc, time::Duration};

use crate::time::Clock;

/// Settings of a [`SqlStore`](super::SqlStore).
#[derive(Debug, Clone)]
#[must_use = "nothing is opened before `connect`"]
pub struct SqlOptions {
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) is_synchronous: bool,
    pub(super) auto_migrate: bool,
    pub(super) schema: Option<Arc<str>>,
    pub(super) is_pooled: bool,
    pub(super) host_connections: u32,
    pub(super) dashboard_connections: u32,
    pub(super) dashboard_timeout: Duration,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            clock: None,
            is_synchronous: true,
            auto_migrate: true,
            schema: None,
            is_pooled: false,
            host_connections: 10,
            dashboard_connections: 3,
            dashboard_timeout: Duration::from_secs(5),
        }
    }
}

impl SqlOptions {
    /// The clock that judges leases and due times. Default: on SQLite this machine's, because the
    /// file is on this machine; elsewhere the database's, so that instances whose own clocks differ
    /// agree. For tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// SQLite: acknowledges commits before they are on the disk (`synchronous=NORMAL`).
    ///
    /// Faster for a handful of concurrent runs. A power cut may then lose the last moments, in
    /// which steps may have had effects that will be repeated; a crash of the process loses
    /// nothing. Default: `FULL`.
    pub const fn synchronous_normal(mut self) -> Self {
        self.is_synchronous = false;
        self
    }

    /// Whether to bring the tables up to date when the store is opened. Default: yes, because a
    /// new user has no migrations to run. Without, call `Migrator::up` of
    /// `axum-durable-migrations` first.
    pub const fn auto_migrate(mut self, migrate: bool) -> Self {
        self.auto_migrate = migrate;
        self
    }

    /// PostgreSQL: the schema of the tables, created when missing. Default: the one in which the
    /// connections look first, usually `public`.
    pub fn schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Says that the connections go through a pooler in transaction mode, such as `PgBouncer` (1.21
    /// or newer with `max_prepared_statements`).
    ///
    /// Nothing is then kept on a connection: no settings for the planner, and no lock that tells
    /// that the process lives, so a crash is noticed when the lease ends. Default: direct
    /// connections.
    pub const fn through_pooler(mut self) -> Self {
        self.is_pooled = true;
        self
    }

    /// How many connections [`SqlStore::connection`](super::SqlStore::connection) may open, beside those of the store itself.
    /// Default: 10, as SeaORM's own; on SQLite it is always one.
    pub const fn host_connections(mut self, connections: u32) -> Self {
        self.host_connections = connections;
        self
    }

    /// How many connections the dashboard and its API read on, beside those of the engine: one at
    /// least. Default: 3. A page asks for two or three things at once; more would let those who
    /// look take processors of the database from those who work.
    pub const fn dashboard_connections(mut self, connections: u32) -> Self {
        self.dashboard_connections = if connections == 0 { 1 } else { connections };
        self
    }

    /// How long a read of the dashboard may take before the database breaks it off, and how long
    /// it waits for one of those connections; then the API answers 503. Default: 5 s. People wait
    /// no longer, and a search without an index ends before it disturbs the engine.
    pub const fn dashboard_timeout(mut self, timeout: Duration) -> Self {
        self.dashboard_timeout = timeout;
        self
    }
}
