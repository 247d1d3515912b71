//! What the engine loads and what people look at. Nothing here changes anything.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{
    amend::AmendStore, commit::CommitStore, error::StoreError, lease::LeaseStore, prune::PruneStore,
};
use crate::control_plane::ControlPlane;
use crate::id::{InstanceId, RunId};
use crate::model::{
    Checkpoint, FlowQuery, InboxItem, InstanceRow, LiveFlows, Run, RunPage, RunQuery, RunStatus,
};
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
///     ended, also when runs were started meanwhile. What is asked for and what is left out both
///     hold.
/// 43. `changed_since` returns the checkpoints whose `rev` is larger, by `seq`; `open_operations`
///     those without an outcome, run by run.
/// 44. `held` lists every run that the instance owns.
/// 45. `instances` lists those that are known, oldest first, each with how many runs it owns and
///     what it last reported.
/// 46. A run keeps the fingerprint that it was stored with, until it begins anew with another one
///     (clause 51). `live_flows` counts the runs that have not ended by code and fingerprint, and
///     names the oldest of each; it looks at no more than it is told to, and says whether these
///     were all.
/// 47. `list` takes conditions on search attributes, all of which hold: a run without such an
///     attribute, or with one of another kind, does not match, whatever the comparison. Texts
///     compare by their bytes. It takes a namespace, by its bytes too.
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

    /// Lists the operations that each of `runs` waits for or tries again, for people: a store may
    /// leave out their payloads and logs. Runs that do not exist or wait for nothing are left out.
    ///
    /// The default loads every run. A store that can ask for the open operations alone does so.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`], or why a row cannot be read.
    async fn open_operations(
        &self,
        runs: &[RunId],
    ) -> Result<Vec<(RunId, Checkpoint)>, StoreError> {
        let mut open = Vec::new();
        for run in runs {
            let history = self.load(run).await?.map(|record| record.history);
            let history = history.unwrap_or_default().into_iter();
            let waits = history.filter(|checkpoint| checkpoint.status.is_open());
            open.extend(waits.map(|checkpoint| (run.clone(), checkpoint)));
        }
        Ok(open)
    }

    /// Counts the runs that have not ended by the flow that they were begun under.
    ///
    /// The default reads pages of the list, the newest first. A store that can look at the oldest
    /// first does so: those are the ones that other code has begun.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`], or why a row cannot be read.
    async fn live_flows(&self, query: &FlowQuery) -> Result<LiveFlows, StoreError> {
        let mut list = RunQuery {
            statuses: RunStatus::LIVE.to_vec(),
            workflow: query.workflow.clone(),
            limit: RunQuery::MAX_LIMIT,
            ..RunQuery::default()
        };
        let most = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut runs = Vec::new();
        loop {
            let page = self.list(&list).await?;
            runs.extend(page.runs);
            list.after = page.next;
            // One more than the most tells that there are more.
            if list.after.is_none() || runs.len() > most {
                runs.reverse();
                return Ok(LiveFlows::of(runs.iter(), query));
            }
        }
    }

    /// Lists what an instance owns.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn held(&self, instance: &InstanceId) -> Result<Vec<RunId>, StoreError>;

    /// Lists the instances that are known. Default: none, for a store that does not tell.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn instances(&self) -> Result<Vec<InstanceRow>, StoreError> {
        Ok(Vec::new())
    }
}

/// Everything that the engine needs from persistence.
///
/// The store also hands out the clock by which it judges due times.
pub trait Store:
    CommitStore + LeaseStore + ReadStore + AmendStore + PruneStore + fmt::Debug + Send + Sync + 'static
{
    /// A short name for messages, such as `sqlite`.
    fn name(&self) -> &'static str;

    /// The clock by which this store judges leases and due times.
    fn clock(&self) -> Arc<dyn Clock>;

    /// How many batches it writes at once with profit. Default: 1.
    fn writers(&self) -> usize {
        1
    }

    /// The same store for what people look at: on a few connections of its own with a time limit
    /// for each statement ([`StoreError::TooSlow`]), so that nobody who looks keeps an engine
    /// waiting. Default: none, they read as the engine does.
    fn for_people(&self) -> Option<Arc<dyn Store>> {
        None
    }

    /// How instances on this store tell each other news, if it has a way of its own. Default:
    /// none, they poll.
    fn control_plane(&self) -> Option<Arc<dyn ControlPlane>> {
        None
    }

    /// Connections to the database of this store for the host's own tables. `None` for a store
    /// without SQL.
    #[cfg(feature = "_sql")]
    fn host_connection(&self) -> Option<&sea_orm::DatabaseConnection> {
        None
    }

    /// This store inside a transaction of the caller's: what is written there is stored if and
    /// when the caller commits. `None` for a store without SQL.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped leaves a part of its batch in the transaction, which must then be
    /// rolled back.
    #[cfg(feature = "_sql")]
    fn joined<'a>(
        &'a self,
        transaction: &'a sea_orm::DatabaseTransaction,
    ) -> Option<Box<dyn CommitStore + 'a>> {
        let _ = transaction;
        None
    }
}
