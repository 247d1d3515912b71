//! Integration tests, one binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed call should stop the test, and seeds are printed"
)]

mod attempts;
mod attributes;
mod branches;
mod breakpoints;
mod build;
mod cancel;
mod children;
mod codec;
mod control;
mod crash;
mod dead;
mod defects;
mod describe;
mod divergence;
mod drift;
mod entities;
mod events;
mod faults;
mod http;
mod kit;
mod limits;
mod liveness;
mod namespaces;
mod operations;
mod plane;
#[cfg(feature = "store-postgres")]
mod plane_postgres;
mod priority;
mod remote_undo;
mod replay;
mod retention;
mod runs;
mod saga;
mod signals;
mod support;
mod surface;
mod tasks;
mod triggers;
mod unwind;
mod updates;
mod upgrade;
mod versions;
mod webhooks;
