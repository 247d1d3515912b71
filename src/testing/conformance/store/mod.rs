//! What every store must do.
//!
//! The numbers are those of the clauses in the contracts of
//! [`CommitStore`](crate::store::CommitStore), [`LeaseStore`](crate::store::LeaseStore),
//! [`ReadStore`](crate::store::ReadStore), [`AmendStore`](crate::store::AmendStore) and
//! [`PruneStore`](crate::store::PruneStore). Run the suite with [`store_conformance!`](crate::store_conformance).
//!
//! Beside the cases, [`stores_answer_alike`] drives several stores with the same random operations
//! and compares every answer.

mod actor;
mod amend;
mod answers;
mod attributes;
mod commit;
mod deliver;
mod differential;
mod events;
mod flows;
mod heirs;
mod lease;
mod priority;
mod prune;
mod random;
mod random_events;
mod random_lists;
mod random_prune;
mod read;
mod relate;
mod suite;
mod tally;
mod wait;

pub use actor::Actor;
pub use amend::*;
pub use attributes::*;
pub use commit::*;
pub use deliver::*;
pub use differential::stores_answer_alike;
pub use events::*;
pub use flows::*;
pub use heirs::*;
pub use lease::*;
pub use priority::*;
pub use prune::*;
pub use read::*;
pub use relate::*;
pub use tally::Tally;
pub use wait::*;
