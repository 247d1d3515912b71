//! What one instance tells the others.

use serde::{Deserialize, Serialize};

use crate::id::{InstanceId, RunId};
use crate::model::RunStatus;

/// What one instance tells the others. Whoever gets it looks at the store.
///
/// On the wire it is JSON with the variant as its only key, or the bare word for one without
/// fields: `"due"`, `{"woken":{"run":"order-7","owner":"01a1…"}}`. Renaming one breaks instances
/// of different builds apart; new ones are skipped by older builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hint {
    /// Runs are due, or will be, that the sender does not execute: claim.
    Due,
    /// Something is in the inbox of a run that `owner` holds.
    Woken {
        /// The run.
        run: RunId,
        /// Who holds it, as far as the sender knows.
        owner: InstanceId,
    },
    /// A commit of a run is durable. Sent for runs that someone [watches](Self::Watch).
    Advanced {
        /// The run.
        run: RunId,
        /// Its revision now.
        rev: u64,
        /// Where it stands now.
        status: RunStatus,
    },
    /// A run has ended or was set aside. Sent for runs that someone [watches](Self::Watch).
    Settled {
        /// The run.
        run: RunId,
        /// Where it stands now.
        status: RunStatus,
    },
    /// Someone at the sender wants to know how a run gets on.
    Watch {
        /// The run.
        run: RunId,
        /// For how many seconds. The sender repeats it for as long as the interest lasts.
        secs: u16,
    },
}
