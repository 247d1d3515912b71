//! Checking a workflow's code against the history of a run.

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

use crate::engine::{Rehearsal, rehearse};
use crate::id::{RunId, Seq};
use crate::model::{
    CheckpointKind, Failure, InvalidHistory, RecordedOperation, RunHistory, WorkflowKey,
};
use crate::payload::{Payload, PayloadError};
use crate::registry::{RegistryError, WorkflowEntry};
use crate::workflow::{IntoWorkflow, States};

/// Replays the history of a run, a document of `export_history`, with the code of `workflow`.
///
/// Nothing is executed: no step body begins, and what lies beyond the history does not start. So
/// the histories of production can be checked in `cargo test`, before a build goes out. Closures
/// of `ctx.side_effect` and the code between operations do run.
///
/// A workflow that takes `State<T>` is checked with [`Replay`].
///
/// # Errors
///
/// [`ReplayError::Diverged`] with both sides of the difference, and the others of
/// [`ReplayError`]. `Debug` prints what `Display` does, so that `.unwrap()` in a test is readable.
///
/// # Examples
///
/// ```
/// use axum_durable::{prelude::*, testing::replay};
///
/// #[workflow]
/// async fn charge(ctx: &WorkflowCtx, cents: u32) -> Result<u32> {
///     ctx.step("bill", async || Ok(cents)).await
/// }
///
/// let recorded = r#"{"format": 1, "run_id": "order-7", "workflow": "charge", "version": 1,
///     "status": "completed", "input": 500, "output": 500, "created_at": 0, "operations": [
///     {"seq": 0, "ord": 0, "kind": "step", "name": "charge", "status": "completed",
///      "attempt": 1, "result": 500, "started_at": 0, "finished_at": 5}]}"#;
/// let error = replay(recorded, charge).unwrap_err();
/// assert!(error.to_string().contains("recorded step `charge`, code now asks for step `bill`"));
/// ```
pub fn replay<I, O>(
    history: &str,
    workflow: impl IntoWorkflow<I, O>,
) -> Result<Replayed, ReplayError> {
    Replay::of(workflow).check(history)
}

/// A workflow about to be checked against histories, with what its `State<T>` receives.
#[derive(Debug, Clone)]
#[must_use = "nothing is replayed until `check` is called"]
pub struct Replay {
    workflow: WorkflowEntry,
    states: States,
}

impl Replay {
    /// The code to check.
    pub fn of<I, O>(workflow: impl IntoWorkflow<I, O>) -> Self {
        Self {
            workflow: WorkflowEntry::from(workflow.into_workflow()),
            states: States::default(),
        }
    }

    /// A value that `State<T>` receives; one per type.
    pub fn provide<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states = self.states.with(value);
        self
    }

    /// Replays a history.
    ///
    /// # Errors
    ///
    /// [`ReplayError`].
    pub fn check(&self, history: &str) -> Result<Replayed, ReplayError> {
        self.check_history(&RunHistory::from_json(history)?)
    }

    /// Replays a history that was read already.
    ///
    /// # Errors
    ///
    /// [`ReplayError`].
    pub fn check_history(&self, history: &RunHistory) -> Result<Replayed, ReplayError> {
        let (code, recorded) = (self.workflow.key.clone(), history.workflow());
        if code != recorded {
            return Err(ReplayError::OtherWorkflow { code, recorded });
        }
        let rehearsal = rehearse(self.workflow.clone(), self.states.clone(), history)?;
        let divergence = |failure: Failure| Box::new(Divergence::new(history, failure));
        match rehearsal {
            Rehearsal::Diverged(failure) => Err(ReplayError::Diverged(divergence(failure))),
            Rehearsal::Panicked(failure) => Err(ReplayError::Panicked(divergence(failure))),
            Rehearsal::Returned(settlement) => Ok(Replayed {
                output: settlement.output,
                failure: settlement.failure,
                waits_for: Vec::new(),
            }),
            Rehearsal::Waits(operations) => Ok(Replayed {
                output: None,
                failure: None,
                waits_for: operations.into_iter().map(named).collect(),
            }),
        }
    }
}

fn named((seq, kind, name): (Seq, CheckpointKind, Arc<str>)) -> String {
    operation(seq, kind, &name)
}

fn operation(seq: Seq, kind: CheckpointKind, name: &str) -> String {
    match name {
        "" => format!("{seq} {kind}"),
        name => format!("{seq} {kind} `{name}`"),
    }
}

/// Where the code stands after it has replayed a whole history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    output: Option<Payload>,
    /// Why the code returned without a result.
    pub failure: Option<Failure>,
    /// What the code waits for or would begin now, such as ``3 step `label` ``; empty if it has
    /// returned.
    pub waits_for: Vec<String>,
}

impl Replayed {
    /// What the code returned; `None` if it has not, or with a failure.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if that is no `T`.
    pub fn output<T: DeserializeOwned>(&self) -> Result<Option<T>, PayloadError> {
        self.output.as_ref().map(Payload::decode).transpose()
    }
}

/// Why a history cannot be replayed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The code does not fit the history.
    #[error("{0}")]
    Diverged(Box<Divergence>),
    /// The code panicked on the way.
    #[error("{0}")]
    Panicked(Box<Divergence>),
    /// The history belongs to other code.
    #[error("the history is one of `{recorded}`, the code is `{code}`")]
    OtherWorkflow {
        /// The workflow that was given.
        code: WorkflowKey,
        /// The workflow that the history belongs to.
        recorded: WorkflowKey,
    },
    /// The document cannot be read.
    #[error(transparent)]
    History(#[from] InvalidHistory),
    /// The workflow takes a value that was not provided.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl fmt::Debug for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A difference between code and history, printed with the history around it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowKey,
    /// What differs.
    pub failure: Failure,
    operations: Vec<String>,
}

impl Divergence {
    fn new(history: &RunHistory, failure: Failure) -> Self {
        Self {
            run: history.run_id.clone(),
            workflow: history.workflow(),
            failure,
            operations: history.operations.iter().map(line).collect(),
        }
    }
}

fn line(recorded: &RecordedOperation) -> String {
    let named = operation(recorded.seq, recorded.kind, &recorded.name);
    format!("{named} {}", recorded.status)
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "run `{}` of {} does not replay", self.run, self.workflow)?;
        writeln!(f, "{}", self.failure)?;
        write!(f, "recorded:")?;
        for operation in &self.operations {
            write!(f, "\n  {operation}")?;
        }
        Ok(())
    }
}
