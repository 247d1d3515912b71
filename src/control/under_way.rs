//! The steps of a run that execute now.

use super::gateway::Control;
use crate::engine::StepUnderWay;
use crate::id::{InstanceId, RunId};
use crate::model::{Checkpoint, Run};

/// Who holds a run, and what of it executes there now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnderWay {
    /// The instance that holds the run in memory; `None` if none does.
    pub instance: Option<InstanceId>,
    /// Whether it is the one that was asked. No other knows the steps.
    pub is_here: bool,
    /// The steps, by position; none unless `is_here`.
    pub steps: Vec<StepUnderWay>,
}

impl Control {
    /// The steps of a run whose bodies execute in this process now.
    ///
    /// To be asked before the store is read: a step that ends in between is then in both answers,
    /// and [`under_way`](Self::under_way) leaves it out. The other way round it could be in none.
    #[must_use]
    pub fn glance(&self, run: &RunId) -> Vec<StepUnderWay> {
        self.engine().under_way(run)
    }

    /// Who holds `run` and what executes there, by a [`glance`](Self::glance) before it was read
    /// and by what the store says of its operations since.
    #[must_use]
    pub fn under_way(
        &self,
        run: &Run,
        mut steps: Vec<StepUnderWay>,
        stored: &[Checkpoint],
    ) -> UnderWay {
        let is_here = run.owner.as_ref() == Some(&self.engine().instance());
        // What another instance has taken over goes on there; here it is about to be dropped.
        steps.retain(|step| is_here && !stored.iter().any(|it| step.is_overtaken_by(it)));
        UnderWay {
            instance: run.owner.clone(),
            is_here,
            steps,
        }
    }
}
