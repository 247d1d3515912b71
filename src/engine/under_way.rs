//! What executes in this process at this moment.

use std::sync::Arc;

use crate::id::Seq;
use crate::model::{Checkpoint, CheckpointKind};
use crate::time::Timestamp;

/// An attempt of a step whose body executes in this process.
///
/// That it has begun is not stored: it would cost as many commits as the steps themselves, and
/// replay has no use for it. So only the process that holds the run knows, and after a crash
/// nobody does: the attempt begins again there where the run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepUnderWay {
    /// Its position.
    pub seq: Seq,
    /// A step, a transaction or an undo.
    pub kind: CheckpointKind,
    /// Its name.
    pub name: Arc<str>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// When the workflow asked for the step.
    pub asked_at: Timestamp,
    /// When this attempt began.
    pub began_at: Timestamp,
    /// Where the code asked for it and in which build.
    pub site: Arc<str>,
}

impl StepUnderWay {
    /// Whether a checkpoint that was read later than this says that the attempt is over.
    #[must_use]
    pub fn is_overtaken_by(&self, stored: &Checkpoint) -> bool {
        let is_older = stored.status.is_open() && stored.attempt < self.attempt;
        stored.seq == self.seq && !is_older
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckpointStatus;

    #[test]
    fn a_stored_outcome_of_the_same_attempt_overtakes_it() {
        let at = Timestamp::from_millis(5);
        let second = StepUnderWay {
            seq: Seq(3),
            kind: CheckpointKind::Step,
            name: "charge".into(),
            attempt: 2,
            asked_at: at,
            began_at: at,
            site: "".into(),
        };
        let stored = |seq, status, attempt| {
            let mut stored = Checkpoint::new(Seq(seq), CheckpointKind::Step, "charge".into(), at);
            (stored.status, stored.attempt) = (status, attempt);
            stored
        };
        for (seq, status, attempt, is_over) in [
            (3, CheckpointStatus::Completed, 2, true),
            (3, CheckpointStatus::Failed, 2, true),
            (3, CheckpointStatus::Abandoned, 1, true),
            (3, CheckpointStatus::Retrying, 2, true),
            // What the first attempt has left says nothing of the second one.
            (3, CheckpointStatus::Retrying, 1, false),
            (4, CheckpointStatus::Completed, 2, false),
        ] {
            let stored = stored(seq, status, attempt);
            assert_eq!(second.is_overtaken_by(&stored), is_over, "{stored:?}");
        }
    }
}
