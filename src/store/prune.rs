//! What is forgotten: runs that ended long ago, and what made old deliveries recognisable.

use async_trait::async_trait;

use super::error::StoreError;
use crate::id::RunId;
use crate::model::{RunStatus, SignalId};
use crate::time::Timestamp;

/// Which ended runs to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prune {
    /// Those that stand so and ended before that. No status is in it twice.
    pub rules: Vec<(RunStatus, Timestamp)>,
    /// Whether the lines of their logs go too.
    pub with_log: bool,
    /// Where the last call stopped ([`Pruned::next`]).
    pub after: Option<PruneCursor>,
    /// The most runs that are looked at.
    pub limit: u32,
}

impl Prune {
    /// From the oldest end on, a bounded part of it.
    #[must_use]
    pub const fn new(rules: Vec<(RunStatus, Timestamp)>) -> Self {
        Self {
            rules,
            with_log: false,
            after: None,
            limit: 200,
        }
    }

    /// Before when a run must have ended if it stands so; `None` if it stays.
    pub(super) fn end_of(&self, status: RunStatus) -> Option<Timestamp> {
        let mut rules = self.rules.iter();
        let rule = rules.find(|(of, _)| *of == status && of.is_terminal());
        rule.map(|(_, before)| *before)
    }

    /// No run that ended then or later is looked at.
    pub(super) fn last_end(&self) -> Option<Timestamp> {
        let rules = self.rules.iter();
        let ends = rules.filter(|(of, _)| of.is_terminal());
        ends.map(|(_, before)| *before).max()
    }
}

/// A place among the ended runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PruneCursor {
    /// When the run there ended.
    pub(super) ended_at: Timestamp,
    /// Its number in the store.
    pub(super) no: i64,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// How many runs.
    pub runs: u64,
    /// Where to go on; `None` if everything was looked at.
    pub next: Option<PruneCursor>,
}

/// Which traces of deliveries to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forget {
    /// The ids of signals that were taken and were sent before that.
    pub signals_before: Timestamp,
    /// Where the last call stopped ([`Forgotten::next`]).
    pub after: Option<SignalId>,
    /// The most signals that are looked at.
    pub limit: u32,
}

impl Forget {
    /// From the first id on, a bounded part of it.
    #[must_use]
    pub const fn new(signals_before: Timestamp) -> Self {
        Self {
            signals_before,
            after: None,
            limit: 1_000,
        }
    }
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// How many ids of signals.
    pub signals: u64,
    /// Where to go on; `None` if every signal was looked at.
    pub next: Option<SignalId>,
}

/// What is forgotten. Each call is one transaction of a bounded size, so that it never keeps the
/// journal waiting for long.
///
/// # Contract
///
/// 57. `prune` removes runs that have ended, with everything that belongs to them: those that a
///     rule names, and that ended before its time. It leaves a run whose parent is stored, which
///     may begin again and wait for it; one with a child that has not ended; and one whose
///     successor is stored, but for clause 58. Lines of logs stay unless they are to go.
/// 58. Of a run that has continued several times, those between the first and the last go: the
///     first one then names the next that is left. A run `order` continues as `order~1`, `order~2`
///     and so on.
/// 59. `prune` looks at no more than `limit` runs, by when they ended, and removes fewer if they
///     have many operations; the answer says where to go on. Calls at the same time do no harm.
/// 64. `end_of_newest` tells when the run ended that is the last of the `keep` newest; `None` if
///     there are not so many. A run that ended before is not among them.
/// 65. `forget` removes the ids of taken signals, but for those that lie in an inbox: a signal
///     with such an id counts as a new one. It forgets events that are over (clauses 60 and 61).
#[async_trait]
pub trait PruneStore: Send + Sync {
    /// Removes runs that have ended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] if the outcome is unknown. Calling again is safe.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a run removed or not removed, never half.
    async fn prune(&self, prune: &Prune) -> Result<Pruned, StoreError>;

    /// When the last of the `keep` newest ends of such runs was.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`].
    async fn end_of_newest(
        &self,
        statuses: &[RunStatus],
        keep: u64,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Forgets traces of deliveries.
    ///
    /// # Errors
    ///
    /// [`StoreError::Backend`] if the outcome is unknown. Calling again is safe.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves an id known or forgotten.
    async fn forget(&self, forget: &Forget) -> Result<Forgotten, StoreError>;
}

/// The first of the runs that `run` is a continuation of: `order` of `order~2`.
pub(super) fn first_of_chain(run: &RunId) -> Option<RunId> {
    let (first, number) = run.as_str().rsplit_once('~')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| RunId::from_trusted(first))
}
