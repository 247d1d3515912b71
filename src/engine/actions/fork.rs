//! A new run that begins with a part of another one's history.

use std::sync::Arc;

use super::amend::{ActionError, changed, refused};
use crate::engine::core::Core;
use crate::id::{RunId, Seq};
use crate::model::{
    AuditEntry, By, Checkpoint, CheckpointKind, CheckpointStatus, NewRun, Run, RunStatus,
};
use crate::payload::Payload;
use crate::store::{Fork, RunRecord, StartAck, StoreError};

/// What to fork.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ForkRequest {
    /// The run to begin from. It stays as it is.
    pub source: RunId,
    /// The first operation that runs again. Default: the one that the run failed of, or the first
    /// one that was not recorded.
    pub from: Option<Seq>,
    /// Another input.
    pub input: Option<Payload>,
    /// Other results of operations before `from`.
    pub results: Vec<(Seq, Payload)>,
    /// The new run's id; a generated one when `None`.
    pub id: Option<RunId>,
}

impl ForkRequest {
    /// A fork of `source` as it is.
    #[must_use]
    pub const fn new(source: RunId) -> Self {
        Self {
            source,
            from: None,
            input: None,
            results: Vec::new(),
            id: None,
        }
    }
}

/// What a fork would do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForkPreview {
    /// Operations whose outcome the new run begins with, by position, with edited results.
    pub kept: Vec<Checkpoint>,
    /// Recorded operations that run again, if the code asks for them again, as they stand in the
    /// source.
    pub again: Vec<Checkpoint>,
    /// Undos that the source has run and the new run does not know of: what they took back is
    /// taken as done.
    pub undone: Vec<Arc<str>>,
}

/// Says what a fork would do. Changes nothing.
pub(crate) async fn preview_fork(
    core: &Core,
    request: &ForkRequest,
) -> Result<ForkPreview, ActionError> {
    let record = load(core, request).await?;
    plan(core, &record, request)
}

/// Stores the new run. A crash before that leaves nothing, one after it a run that is due.
pub(crate) async fn fork(core: &Core, request: ForkRequest, by: &By) -> Result<RunId, ActionError> {
    let record = load(core, &request).await?;
    let preview = plan(core, &record, &request)?;
    let source = &record.run;
    let now = core.now();
    let input = request.input.unwrap_or_else(|| source.input.clone());
    let id = request.id.unwrap_or_else(RunId::generate);
    let mut new = NewRun::new(id.clone(), source.workflow.clone(), input, now);
    new.tags.clone_from(&source.tags);
    // It goes on from what was recorded under that flow.
    new.fingerprint = source.fingerprint;
    new.attributes.clone_from(&source.attributes);
    new.namespace.clone_from(&source.namespace);
    new.priority = source.priority;
    let kept = preview.kept.len();
    let lines = vec![
        AuditEntry::new(source.id.clone(), now, by, "fork").with_detail(id.as_str()),
        AuditEntry::new(id.clone(), now, by, "forked-from")
            .with_detail(format!("{} with {kept} operations", source.id)),
    ];
    let fork = Fork::new(new, preview.kept, lines);
    match core.store.fork(&fork).await? {
        StartAck::Created => {
            core.look_for_due();
            core.herald.maybe_due();
            changed(core, &id);
            changed(core, &source.id);
            Ok(id)
        }
        StartAck::Existing { .. } => Err(refused(
            source,
            format!("a run `{id}` exists; choose another id for the fork"),
        )),
    }
}

async fn load(core: &Core, request: &ForkRequest) -> Result<RunRecord, ActionError> {
    let record = core.store.load(&request.source).await?;
    let run = request.source.clone();
    Ok(record.ok_or(StoreError::UnknownRun { run })?)
}

fn plan(
    core: &Core,
    record: &RunRecord,
    request: &ForkRequest,
) -> Result<ForkPreview, ActionError> {
    let run = &record.run;
    let limit = core.config.max_payload;
    let values = request.results.iter().map(|(_, value)| value);
    for value in values.chain(&request.input) {
        value.fits(limit).map_err(ActionError::Value)?;
    }
    let from = request.from.or_else(|| failed_at(record));
    let is_kept = |it: &&Checkpoint| is_copied(it) && from.is_none_or(|from| it.seq < from);
    let (kept, again): (Vec<&Checkpoint>, Vec<_>) = record.history.iter().partition(is_kept);
    let is_undo = |it: &&&Checkpoint| {
        it.kind == CheckpointKind::Compensation && it.status == CheckpointStatus::Completed
    };
    let undone = again.iter().filter(is_undo).map(|it| Arc::clone(&it.name));
    let undone = undone.collect();
    let mut kept: Vec<Checkpoint> = kept.into_iter().cloned().collect();
    for (seq, value) in &request.results {
        edit(run, &mut kept, *seq, value)?;
    }
    // These follow from others, and run no code of their own.
    let follows = |kind| matches!(kind, CheckpointKind::Unseen | CheckpointKind::SetEvent);
    let again = again.into_iter().filter(|it| !follows(it.kind));
    Ok(ForkPreview {
        kept,
        again: again.cloned().collect(),
        undone,
    })
}

/// The first operation that the run failed of. What came after it undid the run.
fn failed_at(record: &RunRecord) -> Option<Seq> {
    let has_failed = matches!(
        record.run.status,
        RunStatus::Failed | RunStatus::CompensationFailed
    );
    let fatal = record.history.iter();
    let mut fatal = fatal.filter(|it| it.status == CheckpointStatus::Fatal);
    fatal.next().filter(|_| has_failed).map(|it| it.seq)
}

/// Whether an outcome goes with a fork. What the run has published is published anew by the replay,
/// since the history holds only that it was. What is open would wait for something that was promised
/// to the source; what was dropped was so perhaps because of something that now runs again.
const fn is_copied(checkpoint: &Checkpoint) -> bool {
    if matches!(checkpoint.kind, CheckpointKind::SetEvent) {
        return false;
    }
    match checkpoint.status {
        CheckpointStatus::Completed | CheckpointStatus::Failed | CheckpointStatus::TimedOut => true,
        CheckpointStatus::Waiting
        | CheckpointStatus::Retrying
        | CheckpointStatus::Fatal
        | CheckpointStatus::Abandoned => false,
    }
}

/// Gives a kept operation another result.
fn edit(run: &Run, kept: &mut [Checkpoint], seq: Seq, value: &Payload) -> Result<(), ActionError> {
    let found = kept.iter_mut().find(|it| it.seq == seq);
    let Some(found) = found.filter(|it| has_result(it.kind)) else {
        let reason = format!("no result is kept at {seq} that could be edited");
        return Err(refused(run, reason));
    };
    found.status = CheckpointStatus::Completed;
    found.failure = None;
    found.result = Some(value.clone());
    Ok(())
}

/// Whether the workflow receives a value from such an operation.
const fn has_result(kind: CheckpointKind) -> bool {
    match kind {
        CheckpointKind::Step
        | CheckpointKind::Remote
        | CheckpointKind::Signal
        | CheckpointKind::Event
        | CheckpointKind::Now
        | CheckpointKind::Uuid
        | CheckpointKind::Random
        | CheckpointKind::SideEffect
        | CheckpointKind::Switch
        | CheckpointKind::Child
        | CheckpointKind::Task
        | CheckpointKind::Webhook
        | CheckpointKind::Transaction => true,
        CheckpointKind::Sleep
        | CheckpointKind::SetEvent
        | CheckpointKind::Tag
        | CheckpointKind::Attributes
        | CheckpointKind::Note
        | CheckpointKind::Patch
        | CheckpointKind::Compensation
        | CheckpointKind::CancelRun
        | CheckpointKind::Breakpoint
        | CheckpointKind::Update
        | CheckpointKind::Token
        | CheckpointKind::Reply
        | CheckpointKind::Cancel
        | CheckpointKind::Emit
        | CheckpointKind::EntityCall
        | CheckpointKind::EntitySignal
        | CheckpointKind::Operation
        | CheckpointKind::Unseen => false,
    }
}
