//! The composed error of the crate.

use std::{sync::Arc, time::Duration};

use crate::engine::{ActionError, StartError};
use crate::id::{InvalidName, RunId};
use crate::model::{Failure, RunStatus};
use crate::payload::PayloadError;
use crate::store::StoreError;

/// Why a call on [`Durable`](super::Durable) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The run cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store could not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An id or name cannot be stored.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// A value could not be written or read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// There is no such run.
    #[error("no run `{run}`")]
    UnknownRun {
        /// The id that was asked for.
        run: RunId,
    },
    /// There is no such task.
    #[error("the token belongs to no task of a run that is stored here")]
    UnknownTask,
    /// There is no such webhook.
    #[error("the token belongs to no webhook of a run that is stored here")]
    UnknownWebhook,
    /// The webhook takes nothing any more.
    #[error("the webhook is closed")]
    WebhookClosed,
    /// The run stands at no breakpoint.
    #[error("run `{run}` stands at no breakpoint; it is {status}")]
    NotAtBreakpoint {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// The workflow's validator refuses the update. The run goes on waiting.
    #[error("update `{name}` is refused: {reason}")]
    UpdateRejected {
        /// The update's name.
        name: Arc<str>,
        /// Why, in the validator's words.
        reason: String,
    },
    /// The workflow has answered the update with a failure.
    #[error("update `{name}` failed")]
    UpdateFailed {
        /// The update's name.
        name: Arc<str>,
        /// The workflow's answer.
        #[source]
        failure: Failure,
    },
    /// The entity could not do it, and its state is as it was.
    #[error("operation `{operation}` failed")]
    EntityFailed {
        /// The operation's name.
        operation: Arc<str>,
        /// Why.
        #[source]
        failure: Failure,
    },
    /// There is no answer to the update or operation in the given time. It may be taken yet.
    #[error("run `{run}` has not answered `{name}` within {within:?}; it may do so yet")]
    NoReply {
        /// The run.
        run: RunId,
        /// The update's or operation's name.
        name: Arc<str>,
        /// How long it was waited for.
        within: Duration,
    },
    /// The run ended without a result.
    #[error("run `{run}` is {status}")]
    RunFailed {
        /// The run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
        /// Why.
        #[source]
        failure: Option<Failure>,
    },
    /// The run did not end in the given time. It goes on.
    #[error("run `{run}` did not end within {within:?}; it goes on")]
    StillRunning {
        /// The run.
        run: RunId,
        /// How long it was waited for.
        within: Duration,
    },
    /// What the run has recorded does not allow what was asked.
    #[error("run `{run}` refuses that: {reason}")]
    Refused {
        /// The run.
        run: RunId,
        /// Why, and what to do instead.
        reason: String,
    },
    /// The store has no transactions that a caller could share.
    #[error("the {store} store cannot take part in a transaction of yours; use a `SqlStore`")]
    NoTransactions {
        /// Which store.
        store: &'static str,
    },
}

impl Error {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) | Self::Start(StartError::Store(error)) => error.is_transient(),
            Self::StillRunning { .. } | Self::NoReply { .. } => true,
            Self::Start(
                StartError::UnknownWorkflow { .. }
                | StartError::Input(_)
                | StartError::Attributes { .. },
            )
            | Self::InvalidName(_)
            | Self::Payload(_)
            | Self::UnknownRun { .. }
            | Self::UnknownTask
            | Self::UnknownWebhook
            | Self::WebhookClosed
            | Self::NotAtBreakpoint { .. }
            | Self::UpdateRejected { .. }
            | Self::UpdateFailed { .. }
            | Self::EntityFailed { .. }
            | Self::RunFailed { .. }
            | Self::Refused { .. }
            | Self::NoTransactions { .. } => false,
        }
    }

    /// Whether what was asked for does not exist.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::UnknownRun { .. }
                | Self::UnknownTask
                | Self::UnknownWebhook
                | Self::Store(StoreError::UnknownRun { .. })
        )
    }
}

impl From<ActionError> for Error {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Store(error) => Self::Store(error),
            ActionError::Value(error) => Self::Payload(error),
            ActionError::Refused { run, reason } => Self::Refused { run, reason },
        }
    }
}
