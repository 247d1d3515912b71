//! What tests of this crate and of its users need.
//!
//! [`TestDurable`] is an engine in memory whose clock the test moves. [`crash_everywhere`] and
//! [`simulate`] run a workflow through crashes and other trouble, [`replay`] checks its code
//! against a history of production. Suites hold an implementation to its contract.
//!
//! A store or a transport of your own runs the same cases as the built-in ones:
//!
//! ```
//! use axum_durable::{store::MemoryStore, store_conformance};
//! use axum_durable::{transport::InProcess, transport_conformance};
//!
//! store_conformance!(my_store, |clock| async move { (MemoryStore::with_clock(clock), ()) });
//! transport_conformance!(my_transport, || async { (InProcess::default(), ()) });
//! # fn main() {}
//! ```

mod app;
pub mod clock;
pub mod conformance;
mod crash;
mod fuse;
mod pilot;
mod probe;
mod process;
mod replay;
mod scenario;
mod shuffle;
mod simulate;
mod steps;

pub use app::TestDurable;
pub use clock::ManualClock;
pub use crash::crash_everywhere;
pub use fuse::{Death, Fuse};
pub use probe::{Probe, ProbedStore, StoreCall};
pub use process::Process;
pub use replay::{Divergence, Replay, ReplayError, Replayed, replay};
pub use scenario::{Scenario, TrialReport};
pub use simulate::simulate;
