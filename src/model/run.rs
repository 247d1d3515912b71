//! Runs: what is stored of one execution, and which status may follow which.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Serialize};

use super::{
    attribute::Attributes, checkpoint::UnknownWord, failure::Failure, flow::Fingerprint,
    relation::Parent,
};
use crate::id::{FencingToken, InstanceId, RunId};
use crate::payload::Payload;
use crate::time::Timestamp;

/// Where a run stands.
///
/// Stores persist the `snake_case` name, so renaming a variant needs a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// Stored, not executed yet.
    Pending,
    /// An instance replays or executes it.
    Running,
    /// Waiting for a timer, a signal, a retry or a remote step.
    Suspended,
    /// Set aside because it cannot go on as it is: its code diverged from its history, or awaits
    /// something that is no operation. A requeue after a fix continues it.
    Blocked,
    /// Held by an operator until it is resumed.
    Paused,
    /// Asked to cancel; its owner has not taken the request yet, or undoes its steps for it.
    Cancelling,
    /// Finished with an output.
    Completed,
    /// Finished with a failure.
    Failed,
    /// Ended by a cancel request.
    Cancelled,
    /// Given up after too many recoveries without progress.
    Dead,
    /// Failed, and at least one undo failed too.
    CompensationFailed,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Running,
        Self::Suspended,
        Self::Blocked,
        Self::Paused,
        Self::Cancelling,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Dead,
        Self::CompensationFailed,
    ];

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
            Self::CompensationFailed => "compensation_failed",
        }
    }

    /// Whether nothing happens to the run any more unless someone requeues it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Completed
            | Self::Failed
            | Self::Cancelled
            | Self::Dead
            | Self::CompensationFailed => true,
            Self::Pending
            | Self::Running
            | Self::Suspended
            | Self::Blocked
            | Self::Paused
            | Self::Cancelling => false,
        }
    }

    /// Whether the run has not ended, but nobody executes it until someone asks for it.
    #[must_use]
    pub const fn is_set_aside(self) -> bool {
        matches!(self, Self::Blocked | Self::Paused)
    }

    /// Whether a run may go from this status to `next`. Staying is always allowed but for the
    /// terminal ones. This is the only place that knows the table.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Suspended => true,
            // Once asked to cancel, only an end can follow; the owner may have finished first.
            Self::Cancelling => next.is_terminal() || matches!(next, Self::Cancelling),
            Self::Blocked => {
                matches!(
                    next,
                    Self::Blocked
                        | Self::Pending
                        | Self::Failed
                        | Self::Cancelled
                        | Self::Cancelling
                )
            }
            Self::Paused => {
                matches!(
                    next,
                    Self::Paused
                        | Self::Pending
                        | Self::Suspended
                        | Self::Failed
                        | Self::Cancelled
                        | Self::Cancelling
                )
            }
            // Only a requeue leads out of these.
            Self::Failed | Self::Cancelled | Self::Dead | Self::CompensationFailed => {
                matches!(next, Self::Pending)
            }
            Self::Completed => false,
        }
    }

    /// Checks [`may_become`](Self::may_become).
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] with both names.
    pub const fn check(self, next: Self) -> Result<Self, IllegalTransition> {
        if self.may_become(next) {
            Ok(next)
        } else {
            Err(IllegalTransition {
                from: self,
                to: next,
            })
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownWord::new("run status", text))
    }
}

/// A change of status that no run may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {from} run cannot become {to}")]
#[non_exhaustive]
pub struct IllegalTransition {
    /// Where the run stands.
    pub from: RunStatus,
    /// What was asked for.
    pub to: RunStatus,
}

/// Which code a run needs: a workflow's name at one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct WorkflowKey {
    /// The workflow's name.
    pub name: Arc<str>,
    /// Its version, from 1.
    pub version: u32,
}

impl WorkflowKey {
    /// A workflow's name at one version.
    pub fn new(name: impl Into<Arc<str>>, version: u32) -> Self {
        Self {
            name: name.into(),
            version,
        }
    }
}

impl fmt::Display for WorkflowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// The namespace of runs that were given none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// [`DEFAULT_NAMESPACE`], made once.
pub(crate) fn default_namespace() -> Arc<str> {
    static DEFAULT: LazyLock<Arc<str>> = LazyLock::new(|| DEFAULT_NAMESPACE.into());
    Arc::clone(&DEFAULT)
}

/// A run about to be stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewRun {
    /// Its id; a second start with the same id finds the first run.
    pub id: RunId,
    /// The code that it needs.
    pub workflow: WorkflowKey,
    /// The workflow's argument.
    pub input: Payload,
    /// Labels to find it by.
    pub tags: Vec<Arc<str>>,
    /// Typed values to find it by.
    pub attributes: Attributes,
    /// Whose run it is, for those who share a store; [`DEFAULT_NAMESPACE`] unless said otherwise.
    pub namespace: Arc<str>,
    /// How urgent it is: of the runs that are due, those with a higher number are claimed first.
    /// 0 unless said otherwise.
    pub priority: i32,
    /// When it may begin; now unless it was delayed.
    pub due_at: Timestamp,
    /// The instance that begins it at once, under token 1, without a claim. `None` leaves it to
    /// whoever claims it.
    pub owner: Option<InstanceId>,
    /// The run that starts it, if one does.
    pub parent: Option<Parent>,
    /// When it is cancelled, unless it has ended; waiting counts too. Without limit when `None`.
    pub deadline: Option<Timestamp>,
    /// The flow of the code that begins it, if that is known.
    pub fingerprint: Option<Fingerprint>,
}

impl NewRun {
    /// A run that begins now and that any instance may claim.
    #[must_use]
    pub fn new(id: RunId, workflow: WorkflowKey, input: Payload, due_at: Timestamp) -> Self {
        Self {
            id,
            workflow,
            input,
            tags: Vec::new(),
            attributes: Attributes::default(),
            namespace: default_namespace(),
            priority: 0,
            due_at,
            owner: None,
            parent: None,
            deadline: None,
            fingerprint: None,
        }
    }
}

/// One execution of a workflow, as it is stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The code that it needs.
    pub workflow: WorkflowKey,
    /// Where it stands.
    pub status: RunStatus,
    /// The workflow's argument.
    pub input: Payload,
    /// The workflow's result, once completed.
    pub output: Option<Payload>,
    /// Why it failed, is blocked, is paused or is dead; the last panic or recovery while it still
    /// runs.
    pub failure: Option<Failure>,
    /// Labels to find it by, sorted.
    pub tags: Vec<Arc<str>>,
    /// Typed values to find it by.
    pub attributes: Attributes,
    /// Whose run it is, for those who share a store.
    pub namespace: Arc<str>,
    /// How urgent it is: of the runs that are due, those with a higher number are claimed first.
    pub priority: i32,
    /// The instance that holds it.
    pub owner: Option<InstanceId>,
    /// The token of its newest claim.
    pub token: FencingToken,
    /// When it is due without an owner; [`Timestamp::MAX`] if only an event wakes it.
    pub wake_at: Timestamp,
    /// How often it was woken from outside.
    pub wakes: u64,
    /// The wakes that its owner had seen at its last commit.
    pub seen_wakes: u64,
    /// Recoveries since it last got on.
    pub recoveries: u32,
    /// Grows with each of its commits; what changed since is found by it.
    pub rev: u64,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The run that started it, if one did.
    pub parent: Option<Parent>,
    /// Whether other runs may wait for its end.
    pub is_joined: bool,
    /// The run that it has continued as; its result is that one's.
    pub next: Option<RunId>,
    /// When it is cancelled, unless it has ended.
    pub deadline: Option<Timestamp>,
    /// The flow of the code that its history begins with; `None` if that was not known.
    pub fingerprint: Option<Fingerprint>,
}

impl Run {
    /// What is stored when `new` is, under the given token.
    #[must_use]
    pub fn begun(new: &NewRun, token: FencingToken) -> Self {
        Self {
            id: new.id.clone(),
            workflow: new.workflow.clone(),
            status: RunStatus::Pending,
            input: new.input.clone(),
            output: None,
            failure: None,
            tags: new.tags.clone(),
            attributes: new.attributes.clone(),
            namespace: Arc::clone(&new.namespace),
            priority: new.priority,
            owner: new.owner.clone(),
            token,
            wake_at: new.due_at,
            wakes: 0,
            seen_wakes: 0,
            recoveries: 0,
            rev: 0,
            created_at: new.due_at,
            updated_at: new.due_at,
            finished_at: None,
            parent: new.parent.clone(),
            is_joined: false,
            next: None,
            deadline: new.deadline,
            fingerprint: new.fingerprint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_run_never_leaves_completed() {
        for next in RunStatus::ALL {
            assert!(!RunStatus::Completed.may_become(next));
        }
    }

    #[test]
    fn only_a_requeue_leads_out_of_an_end() {
        for from in RunStatus::ALL
            .into_iter()
            .filter(|status| status.is_terminal())
        {
            for next in RunStatus::ALL {
                let allowed = next == RunStatus::Pending && from != RunStatus::Completed;
                assert_eq!(from.may_become(next), allowed, "{from} to {next}");
            }
        }
    }

    #[test]
    fn a_cancelling_run_can_only_end() {
        let error = RunStatus::Cancelling.check(RunStatus::Running).unwrap_err();
        assert_eq!(error.to_string(), "a cancelling run cannot become running");
        assert!(RunStatus::Cancelling.may_become(RunStatus::Cancelled));
        assert!(RunStatus::Cancelling.may_become(RunStatus::Completed));
    }

    #[test]
    fn stored_names_read_back() {
        for status in RunStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!(
            "done"
                .parse::<RunStatus>()
                .unwrap_err()
                .to_string()
                .contains("`done`")
        );
    }
}
