//! The database servers that tests use: a schema or database of its own for each test.
//!
//! A server that cannot be reached is named once and its tests are skipped; with `CI=true` it must
//! be there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    reason = "each test binary uses a part of it, and what fails is meant to fail its test"
)]

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sea_orm::{ConnectionTrait, Database, DbErr};

/// A server that tests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Postgres,
    MySql,
}

/// A place for the tables of one test, removed with this value.
#[derive(Debug)]
pub(crate) struct Place {
    server: Server,
    admin: String,
    name: String,
}

impl Server {
    /// The server's address, which the environment may set.
    fn admin(self) -> String {
        let (variable, default) = match self {
            Self::Postgres => (
                "DURABLE_TEST_POSTGRES",
                "postgres://root@127.0.0.1:5432/test",
            ),
            Self::MySql => ("DURABLE_TEST_MYSQL", "mysql://root@127.0.0.1:3306/test"),
        };
        std::env::var(variable).unwrap_or_else(|_| default.to_owned())
    }

    /// A new place there, or `None` if the server is not at hand.
    pub(crate) async fn place(self) -> Option<Place> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("durable_test_{}_{number}", std::process::id());
        let admin = self.admin();
        let word = match self {
            Self::Postgres => "SCHEMA",
            Self::MySql => "DATABASE",
        };
        match execute(&admin, &format!("CREATE {word} {name}")).await {
            Ok(()) => Some(Place {
                server: self,
                admin,
                name,
            }),
            Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
                panic!("{self:?} must be reachable at {admin} in CI: {error}")
            }
            Err(error) => {
                eprintln!("skipped: {self:?} is not reachable at {admin}: {error}");
                None
            }
        }
    }
}

impl Place {
    /// What `SqlStore` connects to.
    pub(crate) fn url(&self) -> String {
        match self.server {
            Server::Postgres => self.admin.clone(),
            Server::MySql => {
                let (server, _) = self.admin.rsplit_once('/').unwrap();
                format!("{server}/{}", self.name)
            }
        }
    }

    /// The schema of the tables, where a URL does not say it.
    pub(crate) fn schema(&self) -> Option<&str> {
        (self.server == Server::Postgres).then_some(self.name.as_str())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let text = match self.server {
            Server::Postgres => format!("DROP SCHEMA {} CASCADE", self.name),
            Server::MySql => format!("DROP DATABASE {}", self.name),
        };
        let admin = self.admin.clone();
        // A runtime of its own, because this one may be ending.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(execute(&admin, &text))
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("{} stays behind: {error}", self.name);
        }
    }
}

async fn execute(url: &str, text: &str) -> Result<(), DbErr> {
    let db = Database::connect(url).await?;
    db.execute_unprepared(text).await?;
    db.close().await
}
