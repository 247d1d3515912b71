//! The steps of a run that execute now, as they are shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::control::UnderWay;
use crate::engine::StepUnderWay;
use crate::time::Timestamp;

/// Who holds a run, and which of its steps execute there now.
///
/// That a step has begun is not stored, so only the instance that holds the run knows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnderWayView {
    /// The instance that holds the run in memory; absent if none does.
    instance: Option<String>,
    /// Whether it is the one that answers. If another one is, which steps are under way is not
    /// known here.
    is_here: bool,
    /// As of when: a step may have ended a moment later.
    at: i64,
    /// The steps, by position. Empty unless `is_here`.
    steps: Vec<StepUnderWayView>,
}

impl UnderWayView {
    pub(super) fn new(under_way: UnderWay, at: Timestamp) -> Self {
        Self {
            instance: under_way.instance.map(|it| it.to_string()),
            is_here: under_way.is_here,
            at: at.as_millis(),
            steps: under_way.steps.into_iter().map(Into::into).collect(),
        }
    }
}

/// An attempt of a step whose body executes now.
#[derive(Debug, Serialize, ToSchema)]
struct StepUnderWayView {
    /// Its position.
    seq: u32,
    /// `step`, `transaction` or `compensation`.
    kind: &'static str,
    /// Its name.
    name: String,
    /// Which attempt it is, from 1.
    attempt: u32,
    /// When the workflow asked for the step.
    started_at: i64,
    /// When this attempt began.
    began_at: i64,
    /// Where the code asked for it and in which build.
    site: String,
}

impl From<StepUnderWay> for StepUnderWayView {
    fn from(step: StepUnderWay) -> Self {
        Self {
            seq: step.seq.0,
            kind: step.kind.as_str(),
            name: step.name.to_string(),
            attempt: step.attempt,
            started_at: step.asked_at.as_millis(),
            began_at: step.began_at.as_millis(),
            site: step.site.to_string(),
        }
    }
}
