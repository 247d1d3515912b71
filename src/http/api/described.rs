//! Workflows as the API shows them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::control::{Drift, VersionDrift};
use crate::registry::{
    MessageDescription, OperationDescription, UpdateDescription, WorkflowDescription, WorkflowEntry,
};

/// A workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkflowView {
    /// Its name.
    name: String,
    /// Its versions, oldest first.
    versions: Vec<VersionView>,
}

impl WorkflowView {
    /// The workflows of these entries, which come by name and version.
    pub(super) fn list<'a>(
        entries: impl Iterator<Item = &'a WorkflowEntry>,
        drift: Option<&Drift>,
    ) -> Vec<Self> {
        let mut workflows = Vec::<Self>::new();
        for entry in entries {
            let version = VersionView::new(entry, drift);
            match workflows.last_mut() {
                Some(last) if *last.name == *entry.key.name => last.versions.push(version),
                _ => workflows.push(Self {
                    name: entry.key.name.to_string(),
                    versions: vec![version],
                }),
            }
        }
        workflows
    }
}

/// One version of a workflow.
#[derive(Debug, Serialize, ToSchema)]
struct VersionView {
    /// Its number.
    version: u32,
    /// Tags of each of its runs.
    tags: &'static [&'static str],
    /// Events that start runs of it; each may be narrowed by what its payload holds.
    on_events: Vec<String>,
    /// A number for its flow, as 16 hex digits; `null` if it was made without `#[workflow]`.
    fingerprint: Option<String>,
    /// Its runs that have not ended; `null` if the store was too slow to count them.
    runs: Option<DriftView>,
    /// The shape of its body: file, line and nodes. A node that takes or gives something has
    /// `payload_schema` and, where it answers, `reply_schema`: JSON Schemas, `null` if not known.
    #[schema(value_type = Object)]
    outline: Value,
    /// The JSON Schema of its runs' search attributes, if it declares one.
    #[schema(value_type = Option<Object>)]
    attributes_schema: Option<Value>,
    /// The JSON Schema of its input.
    input_schema: Value,
    /// The JSON Schema of its output.
    output_schema: Value,
    /// The signals that it waits for.
    signals: Vec<MessageView>,
    /// The updates that it takes.
    updates: Vec<UpdateView>,
    /// The events that it waits for.
    events: Vec<MessageView>,
    /// The values that it sets for others to read.
    published: Vec<MessageView>,
    /// What an entity can do, where this is one.
    operations: Vec<OperationView>,
}

/// An operation of an entity.
#[derive(Debug, Serialize, ToSchema)]
struct OperationView {
    /// Its name.
    name: &'static str,
    /// The JSON Schema of its input.
    input_schema: Value,
    /// The JSON Schema of what it answers.
    output_schema: Value,
}

impl From<OperationDescription> for OperationView {
    fn from(described: OperationDescription) -> Self {
        Self {
            name: described.name,
            input_schema: described.input_schema.into(),
            output_schema: described.output_schema.into(),
        }
    }
}

/// A signal or an event that a workflow waits for, or a value that it sets.
#[derive(Debug, Serialize, ToSchema)]
struct MessageView {
    /// Its token, name or key; where that is made at run time, the source of the expression.
    name: &'static str,
    /// The JSON Schema of its payload; `null` if that is not known.
    #[schema(value_type = Option<Object>)]
    schema: Option<Value>,
}

/// An update that a workflow takes.
#[derive(Debug, Serialize, ToSchema)]
struct UpdateView {
    /// Its name; where that is made at run time, the source of the expression.
    name: &'static str,
    /// The JSON Schema of what is asked; `null` if that is not known.
    #[schema(value_type = Option<Object>)]
    args_schema: Option<Value>,
    /// The JSON Schema of the answer; `null` if that is not known.
    #[schema(value_type = Option<Object>)]
    reply_schema: Option<Value>,
}

impl From<MessageDescription> for MessageView {
    fn from(described: MessageDescription) -> Self {
        Self {
            name: described.name,
            schema: described.schema.map(Value::from),
        }
    }
}

impl From<UpdateDescription> for UpdateView {
    fn from(described: UpdateDescription) -> Self {
        Self {
            name: described.name,
            args_schema: described.args_schema.map(Value::from),
            reply_schema: described.reply_schema.map(Value::from),
        }
    }
}

/// The runs of a version that have not ended, by the flow that they were begun under.
#[derive(Debug, Serialize, ToSchema)]
struct DriftView {
    /// How many there are.
    live: u64,
    /// How many were begun under another flow than the one here: they may diverge. The rehearsal
    /// tells.
    other_flow: u64,
    /// How many of them cannot be compared.
    unknown_flow: u64,
    /// Some that were begun under another flow.
    examples: Vec<String>,
}

impl From<&VersionDrift> for DriftView {
    fn from(drift: &VersionDrift) -> Self {
        Self {
            live: drift.live,
            other_flow: drift.other_flow,
            unknown_flow: drift.unknown_flow,
            examples: drift.examples.iter().map(ToString::to_string).collect(),
        }
    }
}

impl VersionView {
    fn new(entry: &WorkflowEntry, drift: Option<&Drift>) -> Self {
        let drift = drift.and_then(|drift| drift.versions.get(&entry.key));
        let described = WorkflowDescription::from(entry);
        Self {
            version: entry.key.version,
            tags: entry.tags,
            on_events: entry
                .triggers
                .iter()
                .map(|it| it.event().to_owned())
                .collect(),
            fingerprint: entry.fingerprint().map(|it| it.to_string()),
            runs: drift.map(Into::into),
            outline: serde_json::to_value(entry.outline).unwrap_or_default(),
            attributes_schema: described.attributes_schema.map(Value::from),
            input_schema: described.input_schema.into(),
            output_schema: described.output_schema.into(),
            signals: described.signals.into_iter().map(Into::into).collect(),
            updates: described.updates.into_iter().map(Into::into).collect(),
            events: described.events.into_iter().map(Into::into).collect(),
            published: described.published.into_iter().map(Into::into).collect(),
            operations: described.operations.into_iter().map(Into::into).collect(),
        }
    }
}
