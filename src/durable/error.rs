//! The composed error of the crate.

use std::time::Duration;

use crate::engine::StartError;
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
            Self::StillRunning { .. } => true,
            Self::Start(StartError::UnknownWorkflow { .. })
            | Self::InvalidName(_)
            | Self::Payload(_)
            | Self::UnknownRun { .. }
            | Self::RunFailed { .. }
            | Self::NoTransactions { .. } => false,
        }
    }

    /// Whether what was asked for does not exist.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::UnknownRun { .. } | Self::Store(StoreError::UnknownRun { .. })
        )
    }
}
