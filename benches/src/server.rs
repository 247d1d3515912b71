//! What a database server counts by itself.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait as _, Database, DatabaseConnection, DbBackend, QueryResult, Statement,
};
use tokio::time::Instant;

use crate::{place::Place, report::Failed};

/// How long connections may take to go.
const LAST_SESSIONS: Duration = Duration::from_secs(15);

/// A look at the counters of a server, from a connection that is not counted with the others.
pub(crate) struct Server {
    db: DatabaseConnection,
    /// The database of the measured store.
    database: String,
}

impl Server {
    /// The server of `admin` (a place as the user gave it), to look at what `place` costs there.
    /// `None` for a place without a server.
    pub(crate) async fn of(admin: &Place, place: &Place) -> Result<Option<Self>, Failed> {
        let (Place::Server { url, .. }, Place::Server { url: of, .. }) = (admin, place) else {
            return Ok(None);
        };
        let db = Database::connect(url).await?;
        let address = of
            .split_once('?')
            .map_or(of.as_str(), |(address, _)| address);
        let database = address.rsplit_once('/').map_or("", |(_, name)| name);
        let database = database.to_owned();
        Ok(Some(Self { db, database }))
    }

    /// Transactions that ended, those of single statements included. MariaDB counts explicit
    /// commits only, and those of all its databases.
    async fn transactions(&self) -> Result<i64, Failed> {
        match self.db.get_database_backend() {
            DbBackend::Postgres => {
                let what = "xact_commit + xact_rollback";
                self.of_database(what).await
            }
            _ => self.status("Com_commit").await,
        }
    }

    /// Queries; for PostgreSQL, which does not count them, transactions. MariaDB counts those of
    /// all its databases, and this one.
    pub(crate) async fn queries(&self) -> Result<i64, Failed> {
        match self.db.get_database_backend() {
            DbBackend::Postgres => self.transactions().await,
            _ => self.status("Questions").await,
        }
    }

    /// The transactions once nobody is connected to the database any more: PostgreSQL adds up what
    /// a connection did when it ends.
    pub(crate) async fn left_alone(&self) -> Result<i64, Failed> {
        if self.db.get_database_backend() != DbBackend::Postgres {
            return self.transactions().await;
        }
        let deadline = Instant::now() + LAST_SESSIONS;
        while self.of_database("numbackends::bigint").await? > 0 {
            if Instant::now() > deadline {
                return Err("somebody stays connected to the database".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.transactions().await
    }

    async fn of_database(&self, what: &str) -> Result<i64, Failed> {
        let database = &self.database;
        let text = format!("SELECT {what} FROM pg_stat_database WHERE datname = '{database}'");
        Ok(self.row(&text).await?.try_get_by_index(0)?)
    }

    async fn status(&self, name: &str) -> Result<i64, Failed> {
        let row = self
            .row(&format!("SHOW GLOBAL STATUS LIKE '{name}'"))
            .await?;
        Ok(row.try_get_by_index::<String>(1)?.parse()?)
    }

    async fn row(&self, text: &str) -> Result<QueryResult, Failed> {
        let backend = self.db.get_database_backend();
        let query = Statement::from_string(backend, text);
        let row = self.db.query_one_raw(query).await?;
        Ok(row.ok_or("the server counts nothing")?)
    }
}
