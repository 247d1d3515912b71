//! What every transport must do.
//!
//! The numbers are those of the clauses in the contract of
//! [`Transport`](crate::transport::Transport). Run the suite with
//! [`transport_conformance!`](crate::transport_conformance). Its first cases send envelopes, the
//! others let runs use the transport, also one that loses and repeats more than it does itself.

mod envelopes;
mod faults;
mod steps;
mod suite;

pub use envelopes::*;
pub use steps::*;
