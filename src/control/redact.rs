//! Changing or withholding what leaves through the operator's view.
//!
//! It happens where rows are read and not where answers are made: what is derived from a value,
//! such as the reason in a list, a group of failures or an explanation, then never sees it.

use std::{fmt, sync::Arc};

use serde_json::{Value, json};

use crate::id::RunId;
use crate::model::{
    Checkpoint, CheckpointKind, Failure, Run, StepEvent, StepEventKind, WorkflowKey,
};
use crate::payload::Payload;
use crate::store::RunRecord;

/// The largest value that is handed to the redactor. A larger one is withheld as a whole.
const LARGEST: usize = 4 * 1024 * 1024;

/// What stands where a text was withheld.
const WITHHELD: &str = "[redacted]";

/// Which of a run's values is about to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExposureKind {
    /// The workflow's argument.
    Input,
    /// The workflow's result.
    Output,
    /// The argument of a step at a worker.
    StepInput,
    /// What an operation of the kind gave to the workflow: a step's result, a signal's or a
    /// webhook's value, an update's arguments.
    Result(CheckpointKind),
    /// The message of a failure: a text.
    ErrorMessage,
    /// What the author attached to a failure.
    ErrorDetails,
    /// A line of a step's log, or the state of a part of it: a text.
    Log,
    /// A value that the run has published.
    Published,
    /// The reply to an update.
    Reply,
    /// A tag: a text.
    Tag,
    /// A search attribute: a text, number or boolean. A withheld one is left out. Whoever may list
    /// runs can still ask for those with a value.
    Attribute,
}

/// A value that is about to be shown: of which run, and what it is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Exposure<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Its workflow.
    pub workflow: &'a WorkflowKey,
    /// What it is.
    pub kind: ExposureKind,
    /// The step's name, the signal's token, the published key or that of an attribute; empty for the run's own.
    pub name: &'a str,
}

type Redact = dyn Fn(&Exposure<'_>, Value) -> Option<Value> + Send + Sync;

/// Changes or withholds values before they are shown. Clones share one.
#[derive(Clone)]
pub struct Redactor(Arc<Redact>);

impl Redactor {
    /// Values become what `redact` returns; `None` withholds one.
    #[must_use]
    pub fn new(
        redact: impl Fn(&Exposure<'_>, Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(redact))
    }

    pub(super) fn record(&self, record: &mut RunRecord) {
        self.run(&mut record.run);
        let RunRecord { run, history, .. } = record;
        for checkpoint in history {
            self.checkpoint(&run.id, &run.workflow, checkpoint);
        }
        // What has arrived and was not taken is shown to nobody.
        record.inbox.clear();
    }

    pub(super) fn run(&self, run: &mut Run) {
        let of = Of {
            redactor: self,
            run: &run.id,
            workflow: &run.workflow,
            name: "",
        };
        of.payload(ExposureKind::Input, &mut run.input);
        if let Some(output) = &mut run.output {
            of.payload(ExposureKind::Output, output);
        }
        if let Some(failure) = &mut run.failure {
            of.failure(failure);
        }
        let tags = run.tags.iter();
        let tags = tags.filter_map(|tag| of.text(ExposureKind::Tag, tag).map(Into::into));
        run.tags = tags.collect();
        run.attributes = run.attributes.shown(|name, value| {
            let what = Exposure {
                run: &run.id,
                workflow: &run.workflow,
                kind: ExposureKind::Attribute,
                name,
            };
            (self.0)(&what, value)
        });
    }

    pub(super) fn checkpoint(
        &self,
        run: &RunId,
        workflow: &WorkflowKey,
        checkpoint: &mut Checkpoint,
    ) {
        let of = Of {
            redactor: self,
            run,
            workflow,
            name: &checkpoint.name,
        };
        if let Some(result) = &mut checkpoint.result {
            let kind = if checkpoint.kind.is_for_workers() && checkpoint.status.is_open() {
                ExposureKind::StepInput
            } else {
                ExposureKind::Result(checkpoint.kind)
            };
            of.payload(kind, result);
        }
        if let Some(failure) = &mut checkpoint.failure {
            of.failure(failure);
        }
        for StepEvent { kind, .. } in &mut checkpoint.events {
            match kind {
                StepEventKind::Log { message: text, .. }
                | StepEventKind::Sub { status: text, .. } => {
                    of.replace(ExposureKind::Log, text);
                }
                StepEventKind::Run { .. } | StepEventKind::Taken => {}
            }
        }
    }

    /// A value by itself.
    pub(super) fn payload(&self, what: &Exposure<'_>, payload: &mut Payload) {
        let Some(text) = payload.as_text() else {
            // What is no JSON is not shown.
            return;
        };
        let bytes = text.len();
        let value = (bytes <= LARGEST).then(|| serde_json::from_str::<Value>(text));
        let Some(Ok(value)) = value else {
            *payload = withheld(bytes);
            return;
        };
        match (self.0)(what, value.clone()) {
            // What nobody has changed stays as it was written.
            Some(changed) if changed == value => {}
            Some(changed) => {
                *payload = Payload::encode(&changed).unwrap_or_else(|_| withheld(bytes));
            }
            None => *payload = withheld(bytes),
        }
    }

    /// A text by itself; `None` if it is withheld.
    pub(super) fn text(&self, what: &Exposure<'_>, text: &str) -> Option<String> {
        match (self.0)(what, Value::String(text.to_owned()))? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }
}

/// The mark that pages show as a lock.
fn withheld(bytes: usize) -> Payload {
    Payload::encode(&json!({"hidden": true, "bytes": bytes})).unwrap_or_default()
}

/// The values of a run or of one of its operations.
struct Of<'a> {
    redactor: &'a Redactor,
    run: &'a RunId,
    workflow: &'a WorkflowKey,
    name: &'a str,
}

impl Of<'_> {
    const fn exposure(&self, kind: ExposureKind) -> Exposure<'_> {
        Exposure {
            run: self.run,
            workflow: self.workflow,
            kind,
            name: self.name,
        }
    }

    fn payload(&self, kind: ExposureKind, payload: &mut Payload) {
        self.redactor.payload(&self.exposure(kind), payload);
    }

    fn text(&self, kind: ExposureKind, text: &str) -> Option<String> {
        self.redactor.text(&self.exposure(kind), text)
    }

    fn replace(&self, kind: ExposureKind, text: &mut String) {
        *text = self.text(kind, text).unwrap_or_else(|| WITHHELD.to_owned());
    }

    fn failure(&self, failure: &mut Failure) {
        self.replace(ExposureKind::ErrorMessage, &mut failure.message);
        if let Some(details) = failure.details.take() {
            let what = self.exposure(ExposureKind::ErrorDetails);
            let mark = json!({"hidden": true, "bytes": details.to_string().len()});
            failure.details = Some((self.redactor.0)(&what, details).unwrap_or(mark));
        }
        if let Some(cause) = &mut failure.cause {
            self.failure(cause);
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}
