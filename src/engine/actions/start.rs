//! Starting a run.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::signal::delivered;
use crate::engine::{core::Core, journal::stopped, run, settled::Settlement};
use crate::id::{FencingToken, RunId};
use crate::model::{
    AttributePatch, Attributes, InvalidAttributes, NewRun, Run, RunStatus, WorkflowKey,
};
use crate::payload::{Payload, PayloadError};
use crate::registry::WorkflowEntry;
use crate::store::{Batch, Delivery, RunRecord, StartAck, StoreError};

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
    /// Its search attributes.
    pub attributes: AttributePatch,
    /// Its namespace; that of this instance when `None`.
    pub namespace: Option<Arc<str>>,
    /// How urgent it is; see [`NewRun::priority`].
    pub priority: i32,
    /// How long it waits before it begins.
    pub delay: Duration,
    /// How long it may take in all from then on, its waits included; without limit when `None`.
    pub execution_timeout: Option<Duration>,
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
            attributes: AttributePatch::default(),
            namespace: None,
            priority: 0,
            delay: Duration::ZERO,
            execution_timeout: None,
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
    /// Its argument is too large.
    #[error("the input is refused: {0}")]
    Input(#[source] PayloadError),
    /// Its search attributes are too large, or not of the type that its workflow declares.
    #[error("search attributes of workflow `{workflow}` are refused: {source}")]
    Attributes {
        /// The workflow.
        workflow: Arc<str>,
        /// Why.
        source: InvalidAttributes,
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
    let limit = core.config.max_payload;
    request.input.fits(limit).map_err(StartError::Input)?;
    let id = request.id.unwrap_or_else(RunId::generate);
    let due_at = core.now() + request.delay;
    let mut run = entry.new_run(id, request.input, due_at);
    run.deadline = request.execution_timeout.map(|length| due_at + length);
    run.tags = request.tags;
    run.tags
        .extend(entry.tags.iter().map(|tag| Arc::from(*tag)));
    run.tags.sort_unstable();
    run.tags.dedup();
    let attributes = Attributes::default().with(&request.attributes);
    let attributes = attributes.and_then(|all| check_attributes(entry, &all).map(|()| all));
    run.attributes = attributes.map_err(|source| StartError::Attributes {
        workflow: Arc::clone(&entry.key.name),
        source,
    })?;
    if let Some(namespace) = request
        .namespace
        .as_ref()
        .or(core.config.namespace.as_ref())
    {
        run.namespace.clone_from(namespace);
    }
    run.priority = request.priority;
    Ok(run)
}

/// Whether a run of the workflow may begin with these search attributes. One that begins without
/// any says nothing yet.
pub(crate) fn check_attributes(
    entry: &WorkflowEntry,
    all: &Attributes,
) -> Result<(), InvalidAttributes> {
    if all.is_empty() {
        return Ok(());
    }
    entry.check_attributes(all)
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
    let begins_here = new.due_at <= now && core.takes_runs() && core.serves(&new.namespace);
    new.owner = begins_here.then(|| core.instance());
    let id = new.id.clone();
    let record = begins_here.then(|| record_of(&new));
    let room = core.journal.room().await;
    // A caller may go away from here on, as a handler does whose client has gone. The run is
    // owned by this instance once it is stored, so it must be begun all the same.
    let core = Arc::clone(core);
    let tasks = core.tasks.clone();
    let storing = tasks.spawn(async move {
        let ack = core.journal.start(new, room).await?;
        Ok(begin(&core, id, record, ack))
    });
    storing.await.unwrap_or_else(|_| Err(stopped().into()))
}

/// Stores a run and sends signals, in one transaction: both, or neither.
///
/// It does not go through the journal, which may write the two in different batches. The row is
/// written without an owner, so that whoever claims it begins it, also if this process dies right
/// after the commit.
pub(crate) async fn start_with_signals(
    core: &Arc<Core>,
    request: StartRequest,
    signals: Vec<Delivery>,
) -> Result<StartOutcome, StartError> {
    let new = prepare(core, request)?;
    let id = new.id.clone();
    let batch = Batch {
        starts: vec![new],
        deliveries: signals,
        ..Batch::default()
    };
    let ack = core.store.commit(&batch).await?;
    for answer in ack.deliveries {
        delivered(core, answer?);
    }
    let started = ack.starts.first().copied().unwrap_or(StartAck::Created);
    Ok(begin(core, id, None, started))
}

/// Begins a run that was stored, unless it was there before.
fn begin(core: &Arc<Core>, id: RunId, record: Option<RunRecord>, ack: StartAck) -> StartOutcome {
    let (status, is_new, end) = match ack {
        StartAck::Existing { status } => (status, false, None),
        StartAck::Created => {
            let end = record.is_some().then(|| core.settled.watch(&id));
            match record {
                Some(record) => run::begin(core, record),
                None => core.look_for_due(),
            }
            (RunStatus::Pending, true, end)
        }
    };
    StartOutcome {
        id,
        status,
        is_new,
        end,
    }
}

/// The record of a run that is being stored under token 1.
fn record_of(new: &NewRun) -> RunRecord {
    let run = Run::begun(new, FencingToken(1));
    RunRecord::new(run, Vec::new(), Vec::new())
}
