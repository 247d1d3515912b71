//! How careful a batch is written.

use super::bind::is_bound;
use super::gates::Gates;
use crate::driver::sql::Dialect;
use crate::model::RunStatus;
use crate::store::commit::{Batch, Delivery, RunCommit};

/// How a batch is written: with what it needs at first, and with everything if that was too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Care {
    /// The gates that are taken first.
    pub(super) gates: Gates,
    /// Whether all runs are locked before anything is looked at.
    pub(super) locks: bool,
    /// Whether something that has to be handed on makes the batch stop.
    pub(super) is_strict: bool,
    /// Whether one statement is the whole transaction.
    pub(super) is_alone: bool,
}

impl Care {
    /// What needs nothing known beforehand.
    pub(super) const FULL: Self = Self {
        gates: Gates::ALL,
        locks: true,
        is_strict: false,
        is_alone: false,
    };

    /// What runs need that are stored inside a transaction under way.
    pub(super) const PLAIN: Self = Self {
        gates: Gates::NONE,
        locks: false,
        is_strict: false,
        is_alone: false,
    };

    pub(super) fn of(batch: &Batch, dialect: Dialect) -> Self {
        let has_others = || batch.commits.iter().any(tells_others) || tells_many(batch);
        if dialect != Dialect::Sqlite && has_others() {
            return Self::FULL;
        }
        let gates = Gates::of(batch);
        let delivers = !batch.deliveries.is_empty();
        let mut commits = batch.commits.iter();
        let has_more = commits.any(|commit| has_labels(commit) || commit.beyond.is_some())
            || batch.starts.iter().any(is_bound);
        Self {
            gates,
            // A single delivery locks a single run, which cannot be in the wrong order.
            locks: delivers && batch.deliveries.len() + batch.commits.len() > 1,
            is_strict: true,
            is_alone: dialect == Dialect::Postgres && gates.is_empty() && !delivers && !has_more,
        }
    }
}

/// Whether a commit gives its run tags or search attributes.
pub(super) fn has_labels(commit: &RunCommit) -> bool {
    !commit.tags.is_empty() || !commit.attributes.is_empty()
}

/// Whether a commit is known to have something for other runs, whoever they are.
fn tells_others(commit: &RunCommit) -> bool {
    let sends = commit
        .beyond
        .as_ref()
        .is_some_and(|it| !it.sends.is_empty());
    let ends = commit.status.is_terminal() && commit.is_joined;
    sends || ends || commit.status == RunStatus::Cancelled
}

/// Whether events go to runs nobody knows yet while other runs are locked: two such batches would
/// wait for each other. One that only publishes one event locks its runs in order.
fn tells_many(batch: &Batch) -> bool {
    let mut deliveries = batch.deliveries.iter();
    let has_event = deliveries.any(|it| matches!(it, Delivery::Event { .. }));
    has_event && batch.deliveries.len() + batch.commits.len() > 1
}
