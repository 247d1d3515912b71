//! Suites that hold an implementation of a seam to its contract, one case for each clause.

pub mod store;
pub mod transport;
