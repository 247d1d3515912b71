//! The real program and real engines against what goes wrong in the world: processes that are
//! killed or stand still, databases that go away, connections that are lost halfway.
//!
//! Each test runs on SQLite, PostgreSQL and MariaDB. A database that does not answer is named and
//! left out, unless `CI=true`. `DURABLE_TEST_LONG=1` takes more of everything.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed call should stop the test, and seeds are printed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "there is no engine around a test to spawn on"
)]

mod fleet;
mod load;
mod network;
mod outage;
mod recovery;
mod support;
mod transactions;
