//! Opening a MySQL or MariaDB database.

use std::{str::FromStr, time::Duration};

use sea_orm::{
    DatabaseConnection, SqlxMySqlConnector,
    sqlx::{
        AssertSqlSafe, ConnectOptions, Executor, MySqlConnection,
        mysql::{MySqlConnectOptions, MySqlPoolOptions},
    },
};

use super::opened::Opened;
use crate::driver::sql::{Connections, Dialect, Few};
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
/// Statements kept prepared per connection: more than there are.
const PREPARED: usize = 256;

/// What a connection that writes is told. A process that stands still in the middle of a
/// transaction keeps its locks, and others wait for them. After ten seconds the server ends it:
/// longer than any network needs between two statements, shorter than the usual lease. MySQL has
/// no such setting and reads a comment there; the locks are kept as long as the process stands.
const WRITER_SETTINGS: &str =
    "SET @durable = 1 /*M!100300 , SESSION idle_transaction_timeout = 10 */";

/// The database at `url`.
pub(crate) async fn at(options: &SqlOptions, url: &str) -> Result<Opened, StoreError> {
    let failed = |error| backend(Dialect::MySql, "open the database", error);
    let url = url.replacen("mariadb:", "mysql:", 1);
    let server = MySqlConnectOptions::from_str(&url).map_err(failed)?;
    let host = pool(options.host_connections).connect_lazy_with(settings(server.clone()));
    // Fails at once if the server is not there, and not at the first run.
    drop(host.acquire().await.map_err(failed)?);
    let host = SqlxMySqlConnector::from_sqlx_mysql_pool(host);
    Ok(opened(options, server, host))
}

/// The database of a connection of the host.
pub(crate) async fn beside(
    options: &SqlOptions,
    host: &DatabaseConnection,
) -> Result<Opened, StoreError> {
    let server = host.get_mysql_connection_pool().connect_options();
    Ok(opened(options, (*server).clone(), host.clone()))
}

fn opened(options: &SqlOptions, server: MySqlConnectOptions, host: DatabaseConnection) -> Opened {
    let server = settings(server);
    let place = server.get_database().unwrap_or_default().to_owned();
    let few = |most| Few::new(server.clone(), most).with_patience(PATIENCE);
    let writers = few(WRITERS).with_setup(|connection: &mut MySqlConnection| {
        Box::pin(async move { connection.execute(WRITER_SETTINGS).await.map(drop) })
    });
    let limit = options.dashboard_timeout;
    let lookers = pool(options.dashboard_connections)
        .acquire_timeout(limit)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection
                    .execute(AssertSqlSafe(looker_settings(limit)))
                    .await?;
                Ok(())
            })
        });
    Opened {
        connections: Connections::MySql {
            writers,
            readers: few(READERS),
            lookers: lookers.connect_lazy_with(server.clone()),
            reserved: server,
        },
        host,
        liveness: if options.is_pooled {
            Liveness::None
        } else {
            Liveness::Server { place }
        },
        plane: None,
    }
}

/// What a connection for people is told: how long a statement may take. MariaDB counts seconds and
/// MySQL milliseconds, and each reads a comment where the other one is told.
fn looker_settings(limit: Duration) -> String {
    format!(
        "SET @durable = 1 /*M!100300 , SESSION max_statement_time = {} */ \
         /*!50708 , SESSION max_execution_time = {} */",
        limit.as_secs_f64(),
        limit.as_millis()
    )
}

fn pool(most: u32) -> MySqlPoolOptions {
    MySqlPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(PATIENCE)
        // A connection that was lost fails the call that gets it, and that is tried again; the
        // ping would double the cost of each call.
        .test_before_acquire(false)
}

fn settings(server: MySqlConnectOptions) -> MySqlConnectOptions {
    server
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging()
}
