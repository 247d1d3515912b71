//! How a task of `ctx.task` ended, as it travels to the run that waits for it.

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::payload::Payload;

/// How a task ended.
///
/// ```json
/// {"completed": {"approved": true}}
/// {"failed": {"message": "card declined", "code": "declined", "retryable": false}}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskReport {
    /// With a value.
    Completed(Payload),
    /// With a failure.
    Failed(Failure),
}

impl TaskReport {
    /// The outcome in a delivered report. What is none is a failure of its own: somebody sent to
    /// the token by hand.
    pub(crate) fn read(payload: &Payload) -> Result<Payload, Failure> {
        match payload.decode() {
            Ok(Self::Completed(value)) => Ok(value),
            Ok(Self::Failed(failure)) => Err(failure),
            Err(error) => Err(Failure::of_payload(&error)),
        }
    }
}
