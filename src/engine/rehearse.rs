//! Checking code against a recorded history, outside of any engine.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    config::EngineConfig,
    core::{Core, CoreParts},
    run::{self, Rehearsal},
};
use crate::id::{FencingToken, Seq};
use crate::model::{NewRun, Run, RunHistory, RunStatus};
use crate::registry::{Registration, RegistryBuilder, RegistryError, WorkflowEntry};
use crate::store::{MemoryStore, RunRecord};
use crate::workflow::{Interceptors, States};

/// Replays a history with the code of `workflow`, in this thread and without doing anything: no
/// step body begins, nothing is stored or sent.
///
/// # Errors
///
/// [`RegistryError::MissingState`] if the workflow takes a value that is not in `states`.
pub fn rehearse(
    workflow: WorkflowEntry,
    states: States,
    history: &RunHistory,
) -> Result<Rehearsal, RegistryError> {
    let (core, record) = stage(workflow, states, history)?;
    // The workflow was registered there.
    let rehearsal = run::rehearse(&core, record);
    Ok(rehearsal.unwrap_or_else(|| Rehearsal::Waits(Vec::new())))
}

/// The steps that a run with this history would undo if it were cancelled now, each with the name
/// of its undo, in that order; `None` if the code does not fit the history, or has returned.
pub(super) fn undos(
    workflow: WorkflowEntry,
    states: States,
    history: &RunHistory,
) -> Option<Vec<(Seq, Arc<str>)>> {
    let (core, record) = stage(workflow, states, history).ok()?;
    run::undos(&core, record)
}

/// A core on which nothing begins and nothing is kept, and the run as its history has it.
fn stage(
    workflow: WorkflowEntry,
    states: States,
    history: &RunHistory,
) -> Result<(Arc<Core>, RunRecord), RegistryError> {
    // The code is asked to go on from this history, whatever version it calls itself.
    let key = workflow.key.clone();
    let mut registry = RegistryBuilder::default();
    registry.only_explicit();
    registry.register(Registration::Workflow(workflow));
    let registry = registry.build(&states)?;
    let (dispatch, _) = mpsc::unbounded_channel();
    // What is recorded was let through where it was recorded.
    let config = EngineConfig {
        max_payload: usize::MAX,
        ..EngineConfig::default()
    };
    let core = Arc::new(Core::new(CoreParts {
        config,
        store: Arc::new(MemoryStore::new()),
        registry,
        states,
        control_plane: None,
        interceptors: Interceptors::default(),
        dispatch,
    }));
    let new = NewRun::new(
        history.run_id.clone(),
        key,
        history.input.clone(),
        history.created_at,
    );
    let mut run = Run::begun(&new, FencingToken(1));
    run.status = RunStatus::Running;
    let record = RunRecord::new(run, history.checkpoints(), Vec::new());
    Ok((core, record))
}
