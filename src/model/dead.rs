//! What is said of a run that was given up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::id::RunId;

/// The input of a dead-letter workflow: the run that was given up, and why.
///
/// ```json
/// {"run_id": "order-7", "workflow": "checkout", "version": 1, "input": {"cents": 500},
///  "error": "given up after 11 recoveries without getting on", "code": "too_many_recoveries"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The run.
    pub run_id: String,
    /// Its workflow.
    pub workflow: String,
    /// The version of that.
    pub version: u32,
    /// Its input.
    pub input: serde_json::Value,
    /// Why it was given up, for people.
    pub error: String,
    /// Why, for programs: `too_many_recoveries`, or that of its last panic.
    #[serde(default)]
    pub code: Option<String>,
}

impl DeadLetter {
    /// The id of the run that is started for a run that is given up, if there is a workflow for
    /// that. It is made of that run's id and of the token under which it died, so a run that was
    /// requeued and dies again gets another one.
    #[must_use]
    pub fn id_of(dead: &Run) -> RunId {
        RunId::from_trusted(format!("{}~dead{}", dead.id, dead.token))
    }

    /// What is said of a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let failure = run.failure.as_ref();
        let unknown = "the run was given up".to_owned();
        Self {
            run_id: run.id.to_string(),
            workflow: run.workflow.name.to_string(),
            version: run.workflow.version,
            // What is stored as a run's input has a JSON form; one that has not is left out.
            input: run.input.decode().unwrap_or_default(),
            error: failure.map_or(unknown, |it| it.message.clone()),
            code: failure.and_then(|it| it.code.clone()),
        }
    }
}
