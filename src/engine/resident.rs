//! What the rest of the engine may tell a run in memory.

use std::fmt;

use super::under_way::StepUnderWay;
use crate::id::{FencingToken, Seq};
use crate::model::{InboxItem, RunStatus};
use crate::protocol::StepResult;
use crate::store::{CommitAck, StoreError};

/// A run in memory, as its surroundings see it. None of these calls executes anything: they note
/// the news and wake the run's task.
pub(crate) trait Resident: fmt::Debug + Send + Sync {
    /// The journal has written, or refused, what the run sent.
    fn acked(&self, result: Result<CommitAck, StoreError>);

    /// The time of an operation has come.
    fn timer_due(&self, seq: Seq);

    /// An item is in the run's inbox, which was woken `wakes` times by now. `false` if the run
    /// is about to leave memory and will not look.
    fn deliver(&self, item: InboxItem, wakes: u64) -> bool;

    /// A worker of this process answered a step; nothing of it is stored. `false` as above.
    fn step_result(&self, result: &StepResult) -> bool;

    /// Something may lie in the inbox that was not handed over.
    fn look_again(&self);

    /// Leave memory if only waiting.
    fn evict(&self);

    /// Leave memory as soon as what runs has ended.
    fn hand_over(&self);

    /// Leave memory at once and write nothing: the run belongs to another instance.
    fn lose(&self);

    /// The claim that it is executed under.
    fn token(&self) -> FencingToken;

    /// Its revision and status, as it last wrote them or is about to.
    fn stand(&self) -> (u64, RunStatus);

    /// The steps whose bodies execute now, by position. Nothing of it is stored.
    fn under_way(&self) -> Vec<StepUnderWay>;

    /// Look again: effects may start.
    fn nudge(&self);
}
