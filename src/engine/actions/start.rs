//! Starting a run.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use crate::engine::{core::Core, run, settled::Settlement};
use crate::id::{FencingToken, RunId};
use crate::model::{NewRun, Run, RunStatus, WorkflowKey};
use crate::payload::Payload;
use crate::store::{RunRecord, StartAck, StoreError};

/// What to start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartRequest {
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// Its version; the newest one registered here when `None`.
    pub version: Option<u32>,
    /// The run's id; a generated one when `None`.
    pub id: Option<RunId>,
    /// Its argument.
    pub input: Payload,
    /// Its tags, besides those of the workflow.
    pub tags: Vec<Arc<str>>,
    /// How long it waits before it begins.
    pub delay: Duration,
}

impl StartRequest {
    /// The newest version of a workflow, begun at once under a generated id.
    #[must_use]
    pub fn new(workflow: impl Into<Arc<str>>, input: Payload) -> Self {
        Self {
            workflow: workflow.into(),
            version: None,
            id: None,
            input,
            tags: Vec::new(),
            delay: Duration::ZERO,
        }
    }
}

/// What became of a start.
#[derive(Debug)]
#[non_exhaustive]
pub struct StartOutcome {
    /// The run.
    pub id: RunId,
    /// Where it stands: `pending` if it was just stored.
    pub status: RunStatus,
    /// Whether it was stored now, and not found.
    pub is_new: bool,
    /// Told how it ends, if it was begun here: registered before it could end.
    pub end: Option<oneshot::Receiver<Settlement>>,
}

/// Why a run cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// This process does not know the workflow.
    #[error("no workflow `{workflow}`{at}; this process registers {known}", at = at(*.version))]
    UnknownWorkflow {
        /// The name that was asked for.
        workflow: Arc<str>,
        /// The version that was asked for.
        version: Option<u32>,
        /// What there is.
        known: String,
    },
    /// The store refused.
    #[error("the run could not be stored")]
    Store(#[from] StoreError),
}

fn at(version: Option<u32>) -> String {
    version.map_or_else(String::new, |version| format!(" at version {version}"))
}

/// Turns a request into a run about to be stored.
pub(crate) fn prepare(core: &Core, request: StartRequest) -> Result<NewRun, StartError> {
    let entry = match request.version {
        Some(version) => {
            let key = WorkflowKey::new(Arc::clone(&request.workflow), version);
            core.registry.workflow(&key)
        }
        None => core.registry.newest(&request.workflow),
    };
    let entry = entry.ok_or_else(|| {
        let known: Vec<_> = core.workflows.iter().map(ToString::to_string).collect();
        StartError::UnknownWorkflow {
            workflow: Arc::clone(&request.workflow),
            version: request.version,
            known: if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            },
        }
    })?;
    let id = request.id.unwrap_or_else(RunId::generate);
    let due_at = core.now() + request.delay;
    let mut run = NewRun::new(id, entry.key.clone(), request.input, due_at);
    run.tags = request.tags;
    run.tags
        .extend(entry.tags.iter().map(|tag| Arc::from(*tag)));
    run.tags.sort_unstable();
    run.tags.dedup();
    Ok(run)
}

/// Stores a run and, where this instance executes runs, begins it at once.
///
/// The row is written already owned by this instance, so that it needs no claim. If the process
/// dies after the commit, the row is found like every other run of a dead instance.
pub(crate) async fn start(
    core: &Arc<Core>,
    request: StartRequest,
) -> Result<StartOutcome, StartError> {
    let now = core.now();
    let mut new = prepare(core, request)?;
    let begins_here = new.due_at <= now && core.takes_runs();
    new.owner = begins_here.then(|| core.instance());
    let id = new.id.clone();
    let record = begins_here.then(|| record_of(&new));
    match core.journal.start(new).await? {
        StartAck::Existing { status } => Ok(StartOutcome {
            id,
            status,
            is_new: false,
            end: None,
        }),
        StartAck::Created => {
            let end = begins_here.then(|| core.settled.watch(&id));
            match record {
                Some(record) => run::begin(core, record),
                None => core.claim_now.notify_one(),
            }
            Ok(StartOutcome {
                id,
                status: RunStatus::Pending,
                is_new: true,
                end,
            })
        }
    }
}

/// The record of a run that is being stored under token 1.
fn record_of(new: &NewRun) -> RunRecord {
    let run = Run::begun(new, FencingToken(1));
    RunRecord::new(run, Vec::new(), Vec::new())
}
