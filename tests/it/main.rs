//! Integration tests, one binary.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failed call should stop the test, and seeds are printed"
)]

mod attempts;
mod build;
mod cancel;
mod crash;
mod divergence;
mod faults;
mod http;
mod kill;
mod liveness;
mod operations;
mod replay;
mod runs;
mod signals;
mod support;
