//! A run's history as a document.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    checkpoint::{Checkpoint, CheckpointKind, CheckpointStatus, StepEvent},
    failure::Failure,
    run::{Run, RunStatus, WorkflowKey},
};
use crate::id::{RunId, Seq};
use crate::payload::Payload;
use crate::time::Timestamp;

/// The format that this build writes. A later one reads all earlier ones.
const FORMAT: u32 = 1;

/// A run with everything that it has recorded, as a JSON document.
///
/// It holds the payloads as they are, in the clear: keep it where the data may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunHistory {
    /// The format of the document, now 1.
    pub format: u32,
    /// The run's id. Random values follow from it, so a replay needs it.
    pub run_id: RunId,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The workflow's version.
    pub version: u32,
    /// Where the run stood.
    pub status: RunStatus,
    /// The workflow's argument.
    pub input: Payload,
    /// Its result, if it completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Payload>,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it was started.
    pub created_at: Timestamp,
    /// Its operations, by position.
    pub operations: Vec<RecordedOperation>,
}

/// One operation of a [`RunHistory`]; see [`Checkpoint`] for its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedOperation {
    /// Its position.
    pub seq: Seq,
    /// Its place in the order of release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ord: Option<u32>,
    /// Which operation it is.
    pub kind: CheckpointKind,
    /// Its name.
    pub name: Arc<str>,
    /// How far it had come.
    pub status: CheckpointStatus,
    /// Attempts begun.
    pub attempt: u32,
    /// Its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When time alone moves it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// Where the code asked for it, and in which build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Arc<str>>,
    /// What its body reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<StepEvent>,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When its outcome was handed to the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// A document that is no history of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHistory {
    /// It is not JSON, or lacks something.
    ///
    /// The parser's message is left out, because it quotes the text.
    #[error(
        "this is no history of a run (line {line}, column {column}); write one with `export_history`"
    )]
    Shape {
        /// Where the parser gave up, from 1.
        line: usize,
        /// Where the parser gave up, from 1.
        column: usize,
    },
    /// A later build has written it.
    #[error("the history has format {format}, this build reads up to {FORMAT}; use a newer build")]
    Format {
        /// Its format.
        format: u32,
    },
}

impl RunHistory {
    /// The document of a run and its checkpoints.
    #[must_use]
    pub fn new(run: Run, checkpoints: Vec<Checkpoint>) -> Self {
        Self {
            format: FORMAT,
            run_id: run.id,
            workflow: run.workflow.name,
            version: run.workflow.version,
            status: run.status,
            input: run.input,
            output: run.output,
            failure: run.failure,
            created_at: run.created_at,
            operations: checkpoints.into_iter().map(Into::into).collect(),
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// [`InvalidHistory`].
    pub fn from_json(text: &str) -> Result<Self, InvalidHistory> {
        let history: Self = serde_json::from_str(text).map_err(|error| InvalidHistory::Shape {
            line: error.line(),
            column: error.column(),
        })?;
        match history.format {
            0..=FORMAT => Ok(history),
            format => Err(InvalidHistory::Format { format }),
        }
    }

    /// Writes the document, with one field per line, so that it can be compared by lines.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] if a payload is no JSON text.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The code that the run was executed by.
    #[must_use]
    pub fn workflow(&self) -> WorkflowKey {
        WorkflowKey::new(Arc::clone(&self.workflow), self.version)
    }

    /// Its operations as a store keeps them.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        self.operations.iter().cloned().map(Into::into).collect()
    }
}

impl From<Checkpoint> for RecordedOperation {
    fn from(checkpoint: Checkpoint) -> Self {
        let Checkpoint {
            seq,
            ord,
            kind,
            name,
            status,
            attempt,
            result,
            failure,
            wake_at,
            site,
            events,
            started_at,
            finished_at,
            rev: _,
        } = checkpoint;
        Self {
            seq,
            ord,
            kind,
            name,
            status,
            attempt,
            result,
            failure,
            wake_at,
            site,
            events,
            started_at,
            finished_at,
        }
    }
}

impl From<RecordedOperation> for Checkpoint {
    fn from(operation: RecordedOperation) -> Self {
        let RecordedOperation {
            seq,
            ord,
            kind,
            name,
            status,
            attempt,
            result,
            failure,
            wake_at,
            site,
            events,
            started_at,
            finished_at,
        } = operation;
        Self {
            ord,
            status,
            attempt,
            result,
            failure,
            wake_at,
            site,
            events,
            finished_at,
            ..Self::new(seq, kind, name, started_at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> RunHistory {
        let at = Timestamp::from_millis(5);
        let key = WorkflowKey::new("flow", 2);
        let id = RunId::from_trusted("run");
        let input = Payload::encode(&[1.50, 2.0]).unwrap();
        let new = super::super::run::NewRun::new(id, key, input, at);
        let run = Run::begun(&new, crate::id::FencingToken(1));
        let mut step = Checkpoint::new(Seq(0), CheckpointKind::Step, "charge".into(), at);
        step.status = CheckpointStatus::Completed;
        step.result = Some(Payload::from_bytes("{\"b\":1,\"a\":2}"));
        RunHistory::new(run, vec![step])
    }

    #[test]
    fn a_history_comes_back_as_it_was_written() {
        let history = history();
        let text = history.to_json().unwrap();
        assert!(text.contains(r#"{"b":1,"a":2}"#), "{text}");
        assert_eq!(RunHistory::from_json(&text).unwrap(), history);
    }

    #[test]
    fn what_is_no_history_is_refused_without_being_quoted() {
        let error = RunHistory::from_json("{\"secret\": 1}").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let mut newer = history();
        newer.format = 99;
        let error = RunHistory::from_json(&newer.to_json().unwrap()).unwrap_err();
        assert!(error.to_string().contains("format 99"), "{error}");
    }
}
