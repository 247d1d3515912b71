//! Opening a PostgreSQL database.

use std::{str::FromStr, sync::Arc, time::Duration};

use sea_orm::{
    DatabaseConnection, SqlxPostgresConnector,
    sqlx::{
        ConnectOptions, Executor, PgConnection,
        postgres::{PgConnectOptions, PgPoolOptions},
    },
};

use super::opened::Opened;
use crate::control_plane::{ControlPlane, PostgresPlane};
use crate::driver::sql::{Connections, Dialect, Few};
use crate::id::stable_hash;
use crate::store::error::StoreError;
use crate::store::sql::error::backend;
use crate::store::sql::options::SqlOptions;
use crate::store::sql::store::Liveness;

/// Connections that write: a second one helps when more runs are in flight than fit in a batch,
/// a third one does not.
const WRITERS: usize = 2;
/// Connections that read, for claims of histories, handles and the HTTP API.
const READERS: usize = 4;
/// How long a call waits for a free connection before it fails; longer hides an overload.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements kept prepared per connection: a batch's text depends on what it holds.
const PREPARED: usize = 256;

/// What a connection that writes is told. Our statements look rows up by key, in lists of unknown
/// length; without statistics the planner would rather read whole tables, and plan each time anew.
///
/// A process that stands still in the middle of a transaction keeps its locks, and others wait for
/// them. After ten seconds the server ends it: longer than any network needs between two
/// statements, shorter than the usual lease.
const WRITER_SETTINGS: &str = "SET enable_seqscan = off; SET enable_mergejoin = off; \
     SET plan_cache_mode = force_generic_plan; SET idle_in_transaction_session_timeout = '10s'";

/// The database at `url`.
pub(crate) async fn at(options: &SqlOptions, url: &str) -> Result<Opened, StoreError> {
    let failed = |error| backend(Dialect::Postgres, "open the database", error);
    let server = PgConnectOptions::from_str(url).map_err(failed)?;
    let host = pool(options.host_connections).connect_lazy_with(settings(server.clone()));
    // Fails at once if the server is not there, and not at the first run.
    drop(host.acquire().await.map_err(failed)?);
    let host = SqlxPostgresConnector::from_sqlx_postgres_pool(host);
    Ok(opened(options, server, host))
}

/// The database of a connection of the host.
pub(crate) async fn beside(
    options: &SqlOptions,
    host: &DatabaseConnection,
) -> Result<Opened, StoreError> {
    let server = host.get_postgres_connection_pool().connect_options();
    Ok(opened(options, (*server).clone(), host.clone()))
}

fn opened(options: &SqlOptions, server: PgConnectOptions, host: DatabaseConnection) -> Opened {
    let server = settings(server);
    let is_pooled = options.is_pooled;
    let few = |most| Few::new(server.clone(), most).with_patience(PATIENCE);
    let mut writers = few(WRITERS);
    if !is_pooled {
        writers = writers.with_setup(|connection: &mut PgConnection| {
            Box::pin(async move { connection.execute(WRITER_SETTINGS).await.map(drop) })
        });
    }
    // Said as the connection is made, it costs no round trip. A pooler would not pass it on, so
    // there each transaction says it.
    let looking = if is_pooled {
        server.clone()
    } else {
        let limit = options.dashboard_timeout.as_millis();
        server.clone().options([("statement_timeout", limit)])
    };
    let place = format!(
        "{}/{}",
        server.get_database().unwrap_or_default(),
        options.schema.as_deref().unwrap_or_default()
    );
    // A name of at most 63 bytes that instances on the same tables share.
    let channel = format!("durable_{:016x}", stable_hash(&place));
    let plane = PostgresPlane::new(server.clone(), channel);
    Opened {
        connections: Connections::Postgres {
            writers,
            readers: few(READERS),
            lookers: pool(options.dashboard_connections)
                .acquire_timeout(options.dashboard_timeout)
                .connect_lazy_with(looking),
            reserved: server,
        },
        host,
        liveness: if is_pooled {
            Liveness::None
        } else {
            Liveness::Server { place }
        },
        plane: (!is_pooled).then(|| Arc::new(plane) as Arc<dyn ControlPlane>),
    }
}

fn pool(most: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(PATIENCE)
        // A connection that was lost fails the call that gets it, and that is tried again; the
        // ping would double the cost of each call.
        .test_before_acquire(false)
}

fn settings(server: PgConnectOptions) -> PgConnectOptions {
    server
        .application_name("axum-durable")
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging()
}
