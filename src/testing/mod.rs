//! What tests of this crate and of its users need: a clock to be set by hand, and suites that hold
//! an implementation to its contract.
//!
//! A store of your own runs the same cases as the built-in ones:
//!
//! ```
//! use axum_durable::{store::MemoryStore, store_conformance};
//!
//! store_conformance!(my_store, |clock| async move { (MemoryStore::with_clock(clock), ()) });
//! # fn main() {}
//! ```

pub mod clock;
pub mod conformance;
mod probe;

pub use clock::ManualClock;
pub use probe::{Probe, ProbedStore, StoreCall};
