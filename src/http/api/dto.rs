//! The shapes of answers. Points in time are milliseconds since 1970.

use serde::Serialize;
use utoipa::ToSchema;

use super::under_way::UnderWayView;
use super::value::{Allowance, JsonValue};
use crate::control::{Explanation, Row, RowPage, Waiting};
use crate::id::RunId;
use crate::model::{Attributes, Checkpoint, CheckpointStatus, Failure, StepEvent, StepEventKind};
use crate::time::Timestamp;

/// A run in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunSummary {
    /// Its id.
    id: String,
    /// The workflow's name.
    workflow: String,
    /// The workflow's version.
    version: u32,
    /// Where it stands: `pending`, `running`, `suspended`, `blocked`, `cancelling`, `completed`,
    /// `failed`, `cancelled`, `dead` or `compensation_failed`.
    status: &'static str,
    /// What it is doing: the status, or more exactly `delayed`, `sleeping`, `waiting_signal`,
    /// `waiting_task`, `waiting_webhook`, `waiting_update`, `breakpoint`, `waiting_child`,
    /// `waiting_worker`, `retrying` or `no_handler`, and `running` for a pending run that an instance
    /// executes. More words may come.
    display: &'static str,
    /// What it waits for, or why it ended; empty where `display` says it all.
    reason: String,
    /// When time alone moves it on.
    until: Option<i64>,
    /// Since when it waits.
    waiting_since: Option<i64>,
    /// Whether nothing happens to it any more unless someone retries it.
    is_terminal: bool,
    /// Labels to find it by.
    tags: Vec<String>,
    /// Its search attributes: texts, numbers and booleans by their keys.
    #[schema(value_type = Object)]
    attributes: Attributes,
    /// Whose run it is; `default` unless it was said.
    namespace: String,
    /// How urgent it is: of the runs that wait for an instance, those with a higher number are taken
    /// first. 0 unless it was said.
    priority: i32,
    /// Why it failed, is blocked, is paused or is dead.
    error: Option<FailureView>,
    /// The instance that holds it.
    owner: Option<String>,
    /// When it is due; absent if only an event wakes it, or nothing does.
    wake_at: Option<i64>,
    /// Recoveries since it last got on.
    recoveries: u32,
    /// Grows with each of its commits.
    rev: u64,
    /// When it was started.
    created_at: i64,
    /// When it last changed.
    updated_at: i64,
    /// When it ended.
    finished_at: Option<i64>,
    /// The run that started it, if one did.
    parent: Option<String>,
    /// The run that it has continued as; its result is that one's.
    next: Option<String>,
    /// When it is cancelled, unless it has ended.
    deadline: Option<i64>,
}

impl RunSummary {
    pub(super) fn new(row: &Row, allowance: &mut Allowance) -> Self {
        let Row { run, display, .. } = row;
        let wakes = !run.status.is_terminal() && run.wake_at != Timestamp::MAX;
        Self {
            id: run.id.to_string(),
            workflow: run.workflow.name.to_string(),
            version: run.workflow.version,
            status: run.status.as_str(),
            display: display.word,
            reason: display.reason.clone(),
            until: display.until.map(Timestamp::as_millis),
            waiting_since: display.since.map(Timestamp::as_millis),
            is_terminal: run.status.is_terminal(),
            tags: run.tags.iter().map(ToString::to_string).collect(),
            attributes: run.attributes.clone(),
            namespace: run.namespace.to_string(),
            priority: run.priority,
            error: run
                .failure
                .as_ref()
                .map(|it| FailureView::new(it, allowance)),
            owner: run.owner.as_ref().map(ToString::to_string),
            wake_at: wakes.then(|| run.wake_at.as_millis()),
            recoveries: run.recoveries,
            rev: run.rev,
            created_at: run.created_at.as_millis(),
            updated_at: run.updated_at.as_millis(),
            finished_at: run.finished_at.map(Timestamp::as_millis),
            parent: run.parent.as_ref().map(|it| it.run.to_string()),
            next: run.next.as_ref().map(ToString::to_string),
            deadline: run.deadline.map(Timestamp::as_millis),
        }
    }
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunList {
    /// The runs, newest first.
    runs: Vec<RunSummary>,
    /// What to pass as `after` for the next page; absent at the end.
    next: Option<String>,
    /// From where to follow the `runs` topic of `GET /stream`, so that no change is missed.
    event_id: String,
}

impl RunList {
    pub(super) fn new(page: &RowPage, mut allowance: Allowance, event_id: String) -> Self {
        let rows = page.rows.iter();
        let runs = rows.map(|row| RunSummary::new(row, &mut allowance));
        Self {
            runs: runs.collect(),
            next: page.next.clone(),
            event_id,
        }
    }
}

/// A run with what went in and what came out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunView {
    #[serde(flatten)]
    summary: RunSummary,
    /// The workflow's argument.
    input: JsonValue,
    /// The workflow's result, once completed.
    output: Option<JsonValue>,
}

impl RunView {
    pub(super) fn new(row: &Row, allowance: &mut Allowance) -> Self {
        let run = &row.run;
        Self {
            summary: RunSummary::new(row, allowance),
            input: allowance.show(&run.input),
            output: run.output.as_ref().map(|it| allowance.show(it)),
        }
    }
}

/// A run with its timeline.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunDetail {
    /// The run.
    pub(super) run: RunView,
    /// Its operations, in the order in which the code asked for them.
    pub(super) timeline: Vec<CheckpointView>,
    /// The position from which to go on (`from_seq`) where the timeline was cut; absent at the end.
    pub(super) timeline_next: Option<u32>,
    /// What it waits for.
    pub(super) waiting_for: Vec<WaitingView>,
    /// Which of its steps execute now. They are not in the timeline before they have ended.
    pub(super) under_way: UnderWayView,
    /// How many operations there are.
    pub(super) operations: usize,
    /// The run that was started because this one was given up.
    pub(super) dead_letter: Option<String>,
}

/// What went into a run and what came out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunPayloads {
    /// The run.
    pub(super) run_id: String,
    /// The workflow's argument.
    pub(super) input: JsonValue,
    /// The workflow's result, once completed.
    pub(super) output: Option<JsonValue>,
    /// Why it failed.
    pub(super) error: Option<FailureView>,
}

/// One operation of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckpointView {
    /// Its position in program order, from 0.
    seq: u32,
    /// Its place in the order in which results were handed to the workflow.
    ord: Option<u32>,
    /// Which operation it is, such as `step`, `remote`, `sleep` or `signal`.
    kind: &'static str,
    /// The step's name, the signal's token, or empty.
    name: String,
    /// How far it has come: `waiting`, `retrying`, `completed`, `failed`, `timed_out` or
    /// `abandoned`.
    status: &'static str,
    /// Attempts begun so far.
    attempt: u32,
    /// The argument of a step that is at a worker.
    input: Option<JsonValue>,
    /// Its result, once completed.
    result: Option<JsonValue>,
    /// Why it failed, or why its last attempt did.
    error: Option<FailureView>,
    /// When time alone moves it on.
    wake_at: Option<i64>,
    /// Where the code asked for it and in which build.
    site: Option<String>,
    /// What its body reported.
    events: Vec<StepEventView>,
    /// When it was asked for.
    started_at: i64,
    /// When its outcome was handed to the workflow.
    finished_at: Option<i64>,
    /// The run's revision at its last change.
    rev: u64,
}

impl CheckpointView {
    pub(super) fn new(checkpoint: &Checkpoint, allowance: &mut Allowance) -> Self {
        let payload = checkpoint.result.as_ref().map(|it| allowance.show(it));
        // Until a worker has answered, the checkpoint keeps what to ask it.
        let is_asked =
            checkpoint.kind.is_for_workers() && checkpoint.status != CheckpointStatus::Completed;
        let (input, result) = if is_asked {
            (payload, None)
        } else {
            (None, payload)
        };
        let error = checkpoint.failure.as_ref();
        Self {
            seq: checkpoint.seq.0,
            ord: checkpoint.ord,
            kind: checkpoint.kind.as_str(),
            name: checkpoint.name.to_string(),
            status: checkpoint.status.as_str(),
            attempt: checkpoint.attempt,
            input,
            result,
            error: error.map(|it| FailureView::new(it, allowance)),
            wake_at: checkpoint.wake_at.map(Timestamp::as_millis),
            site: checkpoint.site.as_deref().map(str::to_owned),
            events: checkpoint.events.iter().map(StepEventView::from).collect(),
            started_at: checkpoint.started_at.as_millis(),
            finished_at: checkpoint.finished_at.map(Timestamp::as_millis),
            rev: checkpoint.rev,
        }
    }
}

/// Why something failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailureView {
    /// One sentence for people.
    message: String,
    /// A stable word for programs.
    code: Option<String>,
    /// Whether trying again could help.
    retryable: bool,
    /// A domain error, when the author attached one.
    details: Option<JsonValue>,
    /// What lies behind it.
    #[schema(no_recursion)]
    cause: Option<Box<Self>>,
}

impl FailureView {
    pub(super) fn new(failure: &Failure, allowance: &mut Allowance) -> Self {
        let details = failure.details.as_ref();
        let cause = failure.cause.as_deref();
        Self {
            message: failure.message.clone(),
            code: failure.code.clone(),
            retryable: failure.retryable,
            details: details.map(|it| allowance.show_value(it)),
            cause: cause.map(|it| Box::new(Self::new(it, allowance))),
        }
    }
}

/// What the body of a step reported.
#[derive(Debug, Serialize, ToSchema)]
struct StepEventView {
    /// When.
    at: i64,
    /// The attempt that reported it.
    attempt: u32,
    #[serde(flatten)]
    kind: StepEventKindView,
}

/// A line of a step's log, or how a part of it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StepEventKindView {
    /// A line of its log.
    Log {
        /// `debug`, `info`, `warn` or `error`.
        level: &'static str,
        /// The line.
        message: String,
    },
    /// A part of it.
    Sub {
        /// The part's name.
        name: String,
        /// How it stands.
        status: String,
    },
    /// A worker has taken it: until then the attempt was in a queue.
    Taken,
    /// The run that it has started or waits for.
    Run {
        /// Its id.
        run_id: String,
    },
}

impl From<&StepEvent> for StepEventView {
    fn from(event: &StepEvent) -> Self {
        let kind = match &event.kind {
            StepEventKind::Log { level, message } => StepEventKindView::Log {
                level: level.as_str(),
                message: message.clone(),
            },
            StepEventKind::Sub { name, status } => StepEventKindView::Sub {
                name: name.clone(),
                status: status.clone(),
            },
            StepEventKind::Taken => StepEventKindView::Taken,
            StepEventKind::Run { run } => StepEventKindView::Run {
                run_id: run.to_string(),
            },
        };
        Self {
            at: event.at.as_millis(),
            attempt: event.attempt,
            kind,
        }
    }
}

/// An operation that a run waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WaitingView {
    /// Its position.
    seq: u32,
    /// Which operation it is.
    kind: &'static str,
    /// The signal's token, the step's name, or what the author called it.
    name: String,
    /// Since when.
    since: i64,
    /// When time alone moves it on.
    until: Option<i64>,
    /// Attempts begun, for a step.
    attempt: u32,
}

impl From<Waiting> for WaitingView {
    fn from(waiting: Waiting) -> Self {
        Self {
            seq: waiting.seq.0,
            kind: waiting.kind.as_str(),
            name: waiting.name,
            since: waiting.since.as_millis(),
            until: waiting.until.map(Timestamp::as_millis),
            attempt: waiting.attempt,
        }
    }
}

/// Why a run stands where it stands, and what will wake it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExplanationView {
    /// The run.
    run_id: String,
    /// Where it stands.
    status: &'static str,
    /// One sentence.
    reason: String,
    /// What moves it on; empty if nothing does by itself.
    wakes: String,
    /// Each operation that it waits for.
    waiting_for: Vec<WaitingView>,
    /// The run that was started because this one was given up.
    dead_letter: Option<String>,
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        Self {
            run_id: explanation.run_id.to_string(),
            status: explanation.status.as_str(),
            reason: explanation.reason,
            wakes: explanation.wakes,
            dead_letter: explanation.dead_letter.map(|it| it.to_string()),
            waiting_for: explanation
                .waiting_for
                .into_iter()
                .map(Into::into)
                .collect(),
        }
    }
}

/// A value that a run has published.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PublishedValue {
    /// The run.
    pub(super) run_id: String,
    /// The key.
    pub(super) key: String,
    /// The latest value.
    pub(super) value: JsonValue,
}

/// What became of a request to change a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionTaken {
    /// The run.
    run_id: String,
    /// `requeued`, `restarted`, `resumed`, `skipped`: it is due again; `cancelled`, `failed`: it has
    /// ended; `paused`, `deleted`; `requested`: its owner was told and ends or pauses it;
    /// `continued`: it goes on from its breakpoints.
    outcome: &'static str,
}

impl ActionTaken {
    pub(super) fn new(run: &RunId, outcome: &'static str) -> Self {
        Self {
            run_id: run.to_string(),
            outcome,
        }
    }
}
