//! The store seam: the few atomic transitions that durability rests on.
//!
//! The traits are cut by transition and not by table, because a store of plain reads and writes
//! could not promise that a checkpoint, a waiter and a wake-up land together. Each trait lists its
//! contract in numbered clauses; `testing::conformance` has a case for each number.
//!
//! | trait | what it promises |
//! |---|---|
//! | [`CommitStore`] | everything that changes runs, in one transaction for many runs |
//! | [`LeaseStore`] | who drives which run: instances, claims, take-over |
//! | [`ReadStore`] | what the engine loads and what people look at |
//! | [`AmendStore`] | what operators change, and the log of it |
//! | [`PruneStore`] | what is forgotten after its time |
//!
//! What is not here: who calls it when (`engine`), and how values are encoded (`payload`).

mod amend;
mod commit;
mod error;
mod event;
mod lease;
mod prune;
mod read;

mod cursor;
mod rules;
mod seal;

mod codec;
mod codec_amend;
mod codec_prune;
mod memory;
#[cfg(feature = "_sql")]
mod sql;

pub use amend::{AmendStore, Amended, Amendment, Fork, Removal, Stand};
pub use codec::CodecStore;
pub use commit::{
    Batch, BatchAck, Beyond, CommitAck, CommitStore, Custody, Delivery, DeliveryAck, NewJoin,
    NewWaiter, RunCommit, StartAck,
};
pub use error::StoreError;
pub use event::NewListen;
pub use lease::{
    Claim, Claimed, LeaseStore, Letter, Liveness, LivenessLock, Outlook, Recovery, UnreadableRun,
};
pub use memory::MemoryStore;
pub use prune::{Forget, Forgotten, Prune, PruneCursor, PruneStore, Pruned};
pub use read::{ReadStore, RunRecord, Store};
#[cfg(feature = "_sql")]
pub use sql::{SqlOptions, SqlStore};
