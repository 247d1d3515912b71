//! What every store must do.
//!
//! The numbers are those of the clauses in the contracts of
//! [`CommitStore`](crate::store::CommitStore), [`LeaseStore`](crate::store::LeaseStore) and
//! [`ReadStore`](crate::store::ReadStore). Run the suite with
//! [`store_conformance!`](crate::store_conformance).
//!
//! Beside the cases, [`two_stores_answer_alike`] drives two stores with the same random operations
//! and compares every answer.

mod actor;
mod commit;
mod deliver;
mod differential;
mod lease;
mod random;
mod read;
mod suite;
mod wait;

pub use actor::Actor;
pub use commit::*;
pub use deliver::*;
pub use differential::two_stores_answer_alike;
pub use lease::*;
pub use read::*;
pub use wait::*;
