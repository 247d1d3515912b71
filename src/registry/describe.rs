//! What is known of a workflow before it runs.

use std::sync::Arc;

use schemars::Schema;
use serde::Serialize;

use super::{
    entry::WorkflowEntry,
    messages::{MessageDescription, UpdateDescription, messages, updates},
};
use crate::model::Fingerprint;
use crate::workflow::{EntityOperation, IntoWorkflow, OutlineNode, Workflow};

/// What is known of a workflow before it runs: its flow, and the schemas of what goes in, comes
/// out and arrives on the way.
///
/// It is made from the definition alone. Nothing of the workflow is executed for it.
///
/// The type of a signal, an update and the like is known where it is written at the call: as in
/// `ctx.wait_for_signal::<Approval>("approve")`, as in
/// `let answer: Approval = ctx.wait_for_signal("approve").await?`, or by the closure's argument in
/// `.validate(|to: &Address| ..)`. It must be nameable beside the function, and have a
/// [`JsonSchema`](schemars::JsonSchema). Everything else is not known: `None`, in JSON `null`.
///
/// # Examples
///
/// ```
/// use axum_durable::{prelude::*, registry::WorkflowDescription};
///
/// #[workflow(version = 2)]
/// async fn refund(ctx: &WorkflowCtx, cents: u64) -> Result<bool> {
///     if cents > 10_000 {
///         let note: String = ctx.wait_for_signal("review").await?;
///         println!("{note}");
///     }
///     ctx.step("pay back", async || Ok(true)).await
/// }
///
/// let described = WorkflowDescription::of(refund);
/// let json = serde_json::to_value(&described).unwrap();
/// assert_eq!(json["name"], "refund");
/// assert_eq!(json["input_schema"]["type"], "integer");
/// assert_eq!(json["flow"][0]["condition"], "cents > 10_000");
/// assert_eq!(json["flow"][0]["arms"][0]["nodes"][0]["kind"], "wait_for_signal");
/// assert_eq!(json["flow"][1]["name"], "pay back");
/// assert_eq!(json["signals"][0]["name"], "review");
/// assert_eq!(json["signals"][0]["schema"]["type"], "string");
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct WorkflowDescription {
    /// Its name.
    pub name: Arc<str>,
    /// Its version.
    pub version: u32,
    /// Tags of each of its runs.
    pub tags: &'static [&'static str],
    /// Changes with its flow; see [`Outline::fingerprint`](crate::workflow::Outline::fingerprint).
    /// `None` if it was made without `#[workflow]`.
    pub fingerprint: Option<Fingerprint>,
    /// Its source, as `<file>:<line>`; `None` if it was made without `#[workflow]`.
    pub source: Option<String>,
    /// Operations, branches, loops and joins, in source order, each holding what is inside it.
    pub flow: &'static [OutlineNode],
    /// The JSON Schema of its runs' search attributes, if it declares one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_schema: Option<Schema>,
    /// The JSON Schema of its input.
    pub input_schema: Schema,
    /// The JSON Schema of its output.
    pub output_schema: Schema,
    /// The signals that it waits for. As in the flow, a token that is made at run time stands there
    /// as its source.
    pub signals: Vec<MessageDescription>,
    /// The updates that it takes.
    pub updates: Vec<UpdateDescription>,
    /// The events that it waits for.
    pub events: Vec<MessageDescription>,
    /// The values that it sets for others to read, with `ctx.set_event`.
    pub published: Vec<MessageDescription>,
    /// What an entity can do, where this is one: then its input is the state that it begins with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationDescription>,
}

/// What is known of an operation of an entity.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct OperationDescription {
    /// Its name.
    pub name: &'static str,
    /// The JSON Schema of its input.
    pub input_schema: Schema,
    /// The JSON Schema of what it answers.
    pub output_schema: Schema,
}

impl WorkflowDescription {
    /// Describes a workflow.
    #[must_use]
    pub fn of<I, O>(workflow: impl IntoWorkflow<I, O>) -> Self {
        let workflow: Workflow<I, O> = workflow.into_workflow();
        Self::from(&WorkflowEntry::from(workflow))
    }
}

impl From<&WorkflowEntry> for WorkflowDescription {
    fn from(entry: &WorkflowEntry) -> Self {
        let outline = entry.outline;
        let is_known = !outline.file.is_empty();
        Self {
            name: Arc::clone(&entry.key.name),
            version: entry.key.version,
            tags: entry.tags,
            fingerprint: entry.fingerprint,
            source: is_known.then(|| format!("{}:{}", outline.file, outline.line)),
            flow: outline.nodes,
            attributes_schema: entry.attributes_schema(),
            input_schema: entry.input_schema(),
            output_schema: entry.output_schema(),
            signals: messages(outline, "wait_for_signal"),
            updates: updates(outline),
            events: messages(outline, "wait_for_event"),
            published: messages(outline, "set_event"),
            operations: entry.operations.iter().map(operation).collect(),
        }
    }
}

fn operation(operation: &EntityOperation) -> OperationDescription {
    OperationDescription {
        name: operation.name(),
        input_schema: operation.input_schema(),
        output_schema: operation.output_schema(),
    }
}
