//! The control plane over PostgreSQL's [`LISTEN`] and [`NOTIFY`].
//!
//! | file | what happens there |
//! |---|---|
//! | `aside` | what planes say to each other, beside bulletins |
//! | `plane` | sending |
//! | `listen` | hearing, and finding out whether one does |
//!
//! [`LISTEN`]: https://www.postgresql.org/docs/current/sql-listen.html
//! [`NOTIFY`]: https://www.postgresql.org/docs/current/sql-notify.html

mod aside;
mod listen;
mod plane;

pub use plane::PostgresPlane;
