//! What operators change about a run, one transaction each, with a line in its audit log.

use async_trait::async_trait;

use super::commit::{Custody, Delivery, DeliveryAck, RunCommit, StartAck};
use super::error::StoreError;
use crate::id::{FencingToken, InstanceId, RunId, Seq};
use crate::model::{AuditEntry, Checkpoint, CheckpointKind, Fingerprint, NewRun, Run, RunStatus};
use crate::payload::Payload;
use crate::time::Timestamp;

/// How a run stood when a change of it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stand {
    /// Its status.
    pub status: RunStatus,
    /// Its newest token.
    pub token: FencingToken,
    /// Its revision.
    pub rev: u64,
}

impl From<&Run> for Stand {
    fn from(run: &Run) -> Self {
        Self {
            status: run.status,
            token: run.token,
            rev: run.rev,
        }
    }
}

/// What goes from a run before the rest of an [`Amendment`] is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Removal {
    /// Nothing.
    #[default]
    Nothing,
    /// The checkpoints at these positions, and their waits.
    These(Vec<Seq>),
    /// All that it has recorded, published and received: it is as if it had just been started, by
    /// code of [`Amendment::fingerprint`].
    Everything,
}

/// A change of a run that nobody but its operator makes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Amendment {
    /// How the run stood when the change was decided; if it stands otherwise, nothing is changed.
    pub seen: Stand,
    /// What is written, as an owner would that has just claimed the run and gives it up again. Its
    /// token is the one after `seen`, which refuses whoever held the run.
    pub commit: RunCommit,
    /// A new argument of the workflow.
    pub input: Option<Payload>,
    /// What goes first.
    pub removed: Removal,
    /// The flow of the code that begins it anew, where everything goes; else nothing changes.
    pub fingerprint: Option<Fingerprint>,
    /// The line of the log.
    pub audit: AuditEntry,
}

impl Amendment {
    /// A change that sets the status, and when time alone makes the run due. It clears output,
    /// failure and recoveries.
    #[must_use]
    pub fn new(run: &Run, status: RunStatus, wake_at: Timestamp, audit: AuditEntry) -> Self {
        let token = FencingToken(run.token.0 + 1);
        let mut commit = RunCommit::new(run.id.clone(), token, status, audit.at);
        commit.custody = Custody::Release;
        commit.wake_at = wake_at;
        commit.seen_wakes = run.wakes;
        commit.rev = run.rev + 1;
        Self {
            seen: Stand::from(run),
            commit,
            input: None,
            removed: Removal::Nothing,
            fingerprint: None,
            audit,
        }
    }

    /// Puts a checkpoint, replacing the one at its position and closing its wait.
    pub fn put(&mut self, mut checkpoint: Checkpoint) {
        checkpoint.rev = self.commit.rev;
        if checkpoint.kind == CheckpointKind::Event {
            self.commit.beyond().closed.push(checkpoint.seq);
        }
        self.commit.withdrawn.push(checkpoint.seq);
        self.commit.checkpoints.push(checkpoint);
    }
}

/// What became of an [`Amendment`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amended {
    /// It is written.
    Done {
        /// Who held the run until then.
        owner: Option<InstanceId>,
        /// What other runs got by it: that the run has ended, that its children are to cancel.
        told: Vec<DeliveryAck>,
    },
    /// The run stands otherwise than it was seen; nothing was changed.
    Stale,
}

/// A run that begins with a part of another one's history.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fork {
    /// The new run; nobody owns it.
    pub run: NewRun,
    /// What it begins with.
    pub history: Vec<Checkpoint>,
    /// The lines of the logs, of the new run and of the one that it comes from.
    pub audit: Vec<AuditEntry>,
}

impl Fork {
    /// A run and what it begins with.
    #[must_use]
    pub const fn new(run: NewRun, history: Vec<Checkpoint>, audit: Vec<AuditEntry>) -> Self {
        Self {
            run,
            history,
            audit,
        }
    }

    /// What is written once the run is stored: its history, at revision 1.
    pub(super) fn commit(&self) -> RunCommit {
        let NewRun { id, due_at, .. } = &self.run;
        let token = FencingToken(0);
        let mut commit = RunCommit::new(id.clone(), token, RunStatus::Pending, *due_at);
        commit.custody = Custody::Release;
        commit.wake_at = *due_at;
        commit.rev = 1;
        commit.checkpoints.clone_from(&self.history);
        for checkpoint in &mut commit.checkpoints {
            checkpoint.rev = 1;
        }
        commit
    }
}

/// What operators change about a run. Each call is one transaction, together with its line in the
/// audit log.
///
/// # Contract
///
/// 50. `amend` changes a run only if its status, token and revision are as they were seen;
///     otherwise it answers [`Amended::Stale`] and changes nothing. Afterwards nobody owns the
///     run, its token has grown, and the last owner's writes are refused (clause 3).
/// 51. It removes what it is told to, sets the input, and then writes its commit by clauses 4, 5,
///     11 and 12. Waits whose checkpoint is removed are closed by clause 11. With
///     [`Removal::Everything`] history, published values, waits and inbox are gone, and what was
///     delivered and not taken is handed on.
/// 52. `deliver_audited` does what a batch with this delivery would do. One that is refused leaves
///     no line in the log.
/// 53. `fork` stores a run that is `pending` at revision 1, owned by nobody and due when it says,
///     with its history. If its id exists, nothing changes and no line is written.
/// 54. `remove` takes an ended run out with everything that belongs to it; its id is free then.
///     One that has not ended is refused with [`StoreError::WrongStatus`].
/// 55. The log of a run is listed newest first, and is kept when the run is removed.
/// 56. A `paused` run is not claimed, and waking it does not make it due. It takes signals and step
///     results. A request to pause waits in the inbox of a run like one to cancel; a run that is
///     set aside, cancelling or ended refuses it.
#[async_trait]
pub trait AmendStore: Send + Sync {
    /// Changes a run.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`]; [`StoreError::Backend`] if the outcome is unknown: the log tells.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the change written or not written, never half; so do the others.
    async fn amend(&self, amendment: &Amendment) -> Result<Amended, StoreError>;

    /// Delivers something on behalf of an operator.
    ///
    /// # Errors
    ///
    /// As [`CommitStore::commit`](super::CommitStore::commit) answers for the delivery.
    async fn deliver_audited(
        &self,
        delivery: &Delivery,
        audit: &AuditEntry,
    ) -> Result<DeliveryAck, StoreError>;

    /// Stores a run with a history.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn fork(&self, fork: &Fork) -> Result<StartAck, StoreError>;

    /// Removes an ended run.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`], [`StoreError::WrongStatus`], [`StoreError::Backend`].
    async fn remove(&self, run: &RunId, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Lists the newest `limit` lines of a run's log.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn audit_log(&self, run: &RunId, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;
}
