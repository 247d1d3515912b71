//! What the engine loads and what people look at. Nothing here changes anything.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{commit::CommitStore, error::StoreError, lease::LeaseStore};
use crate::id::{InstanceId, RunId};
use crate::model::{Checkpoint, InboxItem, NewRun, Run, RunPage, RunQuery};
use crate::payload::Payload;
use crate::time::Clock;

/// A run with all that is needed to execute it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunRecord {
    /// The run.
    pub run: Run,
    /// Its checkpoints, by `seq`.
    pub history: Vec<Checkpoint>,
    /// What arrived and was not taken, oldest first.
    pub inbox: Vec<InboxItem>,
}

impl RunRecord {
    /// A run with its history and inbox.
    #[must_use]
    pub const fn new(run: Run, history: Vec<Checkpoint>, inbox: Vec<InboxItem>) -> Self {
        Self {
            run,
            history,
            inbox,
        }
    }
}

/// What can be read.
///
/// # Contract
///
/// 40. Every call sees all batches that were acknowledged before it began, and of no batch a part.
/// 41. `load` returns run, history and inbox of one moment; `None` if there is no such run.
/// 42. `list` is newest first by start, then by id, and a page continues where the last one
///     ended, also when runs were started meanwhile.
/// 43. `changed_since` returns the checkpoints whose `rev` is larger, by `seq`.
/// 44. `held` lists every run that the instance owns.
#[async_trait]
pub trait ReadStore: Send + Sync {
    /// Loads a run with its history and inbox.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`], or why a row cannot be read.
    async fn load(&self, run: &RunId) -> Result<Option<RunRecord>, StoreError>;

    /// Reads one run without its history.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`], or why the row cannot be read.
    async fn run(&self, run: &RunId) -> Result<Option<Run>, StoreError>;

    /// Lists a page of runs, without their inputs and outputs.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidCursor`], [`StoreError::Backend`], or why a row cannot be read.
    async fn list(&self, query: &RunQuery) -> Result<RunPage, StoreError>;

    /// Reads the checkpoints that changed after revision `rev` of the run.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`], or why a row cannot be read.
    async fn changed_since(&self, run: &RunId, rev: u64) -> Result<Vec<Checkpoint>, StoreError>;

    /// Reads the value that a run has published under a key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn published(&self, run: &RunId, key: &str) -> Result<Option<Payload>, StoreError>;

    /// Lists what an instance owns.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError>;
}

/// Everything that the engine needs from persistence.
///
/// The store also hands out the clock by which it judges due times.
pub trait Store: CommitStore + LeaseStore + ReadStore + fmt::Debug + Send + Sync + 'static {
    /// A short name for messages, such as `sqlite`.
    fn name(&self) -> &'static str;

    /// The clock by which this store judges leases and due times.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Whether runs can be stored in a SQL transaction of the caller's.
    fn joins_transactions(&self) -> bool {
        false
    }

    /// Gives the payloads of a run the form in which this store keeps them. A caller that writes
    /// the run into a transaction of its own does this first.
    fn seal(&self, run: &mut NewRun) {
        let _ = run;
    }
}
