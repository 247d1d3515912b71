//! Why a store call failed.

use std::{error::Error, time::Duration};

use crate::id::{FencingToken, InstanceId, RunId};
use crate::model::{RunStatus, UnknownWord};
use crate::payload::PayloadError;

/// Why a store call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another instance has claimed the run since; drop all local state of it.
    #[error("lease on run `{run}` is lost: held token {held}, current token {current}")]
    LeaseLost {
        /// The run.
        run: RunId,
        /// The token of the refused write.
        held: FencingToken,
        /// The token in the store.
        current: FencingToken,
    },

    /// There is no such run.
    #[error("no run `{run}`")]
    UnknownRun {
        /// The id that was asked for.
        run: RunId,
    },

    /// The run's status does not allow what was asked.
    #[error("run `{run}` is {status}; it cannot be {asked}")]
    WrongStatus {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
        /// What was asked, as a participle such as `requeued`.
        asked: &'static str,
    },

    /// The others have declared this instance dead; it must stop its runs and enroll anew.
    #[error("instance `{instance}` was declared dead: its lease ran out before it was renewed")]
    InstanceLost {
        /// The instance.
        instance: InstanceId,
    },

    /// A page cursor that this store has not given out.
    #[error("`{cursor}` is no page cursor; pass `next` of the page before")]
    InvalidCursor {
        /// The offending text.
        cursor: String,
    },

    /// The tables were migrated by a newer build.
    #[error(
        "the schema has migration `{found}`, which this build does not know; deploy a build that has it"
    )]
    SchemaAhead {
        /// The newest migration found.
        found: String,
    },

    /// A row holds a word that this build does not know.
    #[error("a stored row cannot be read by this build")]
    UnknownWord(#[from] UnknownWord),

    /// A stored payload cannot be read.
    #[error("a stored payload cannot be read")]
    Payload(#[from] PayloadError),

    /// Somebody looked for what takes the database too long to find, or many look at once. The
    /// engine's own calls have no such limit.
    #[error("{operation} had no answer within {limit:?}; ask for less, or try again")]
    TooSlow {
        /// What was being done.
        operation: &'static str,
        /// How long people's reads may take.
        limit: Duration,
    },

    /// The backend has no room for what is to be written: its disk is full. Nothing is wrong with
    /// the call; it is for whoever looks after the machine to mend.
    #[error("{operation} failed in the {backend} store for want of room")]
    OutOfRoom {
        /// Which store.
        backend: &'static str,
        /// What was being done.
        operation: &'static str,
        /// What the backend said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },

    /// The backend gave no connection for the call, so nothing was read or written.
    #[error("{operation} had no connection to the {backend} store")]
    Unreachable {
        /// Which store.
        backend: &'static str,
        /// What was being done.
        operation: &'static str,
        /// What the backend said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },

    /// The backend refused or dropped the call. The outcome of a write is unknown.
    #[error("{operation} failed in the {backend} store")]
    Backend {
        /// Which store.
        backend: &'static str,
        /// What was being done.
        operation: &'static str,
        /// What the backend said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Backend { .. }
                | Self::TooSlow { .. }
                | Self::OutOfRoom { .. }
                | Self::Unreachable { .. }
        )
    }

    /// Whether what was to be written may be why it was not. Not so if the backend was away or has
    /// no room for anything.
    #[must_use]
    pub const fn may_blame_the_write(&self) -> bool {
        !matches!(self, Self::OutOfRoom { .. } | Self::Unreachable { .. })
    }
}
