//! A step on its way to a worker, and the answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{RunId, Seq};
use crate::model::{Failure, StepEvent};
use crate::payload::Payload;

/// A step on its way to a worker.
///
/// ```json
/// {"run": "order-7", "seq": 2, "attempt": 1, "name": "payments.charge-card", "input": {"cents": 5}}
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StepTask {
    /// The run that asks.
    pub run: RunId,
    /// The operation that asks.
    pub seq: Seq,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The step.
    pub name: Arc<str>,
    /// Its argument.
    pub input: Payload,
}

/// A worker's answer to one attempt.
///
/// ```json
/// {"run": "order-7", "seq": 2, "attempt": 1, "outcome": {"Ok": {"id": "ch_1"}}, "events": []}
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StepResult {
    /// The run that asked.
    pub run: RunId,
    /// The operation that asked.
    pub seq: Seq,
    /// Which attempt it answers.
    pub attempt: u32,
    /// The result, or why there is none.
    pub outcome: Result<Payload, Failure>,
    /// What the handler reported on the way.
    pub events: Vec<StepEvent>,
}

impl StepTask {
    /// The answer to this attempt.
    #[must_use]
    pub fn answer(&self, outcome: Result<Payload, Failure>, events: Vec<StepEvent>) -> StepResult {
        StepResult {
            run: self.run.clone(),
            seq: self.seq,
            attempt: self.attempt,
            outcome,
            events,
        }
    }
}
