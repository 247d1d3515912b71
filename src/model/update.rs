//! Updates: a request to a run and its answer, as they are stored.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{failure::Failure, inbox::SignalId};
use crate::payload::Payload;

/// What is sent to the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpdateRequest {
    /// Under which key its answer is published.
    pub(crate) answer: Arc<str>,
    /// What is asked.
    pub(crate) args: Payload,
}

impl UpdateRequest {
    /// Under which key the answer to a delivery is published.
    pub(crate) fn answer_key(id: SignalId) -> String {
        format!("@update:{}", id.0)
    }
}

/// What the run publishes for whoever asked.
///
/// ```json
/// {"reply": {"total": 500}}
/// {"rejected": "the order has been shipped"}
/// {"failed": {"message": "no such city", "code": "city", "retryable": false}}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UpdateAnswer {
    /// The workflow's reply.
    Reply(Payload),
    /// It was refused before the workflow saw it.
    Rejected(String),
    /// The workflow took it and could not do it.
    Failed(Failure),
}
