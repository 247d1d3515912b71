//! Definitions with their types erased, and what the macros submit at link time.

use std::{fmt, sync::Arc};

use schemars::Schema;

use crate::id::RunId;
use crate::model::{
    Attributes, Failure, Fingerprint, InvalidAttributes, NewRun, Trigger, WorkflowKey,
};
use crate::payload::Payload;
use crate::time::Timestamp;
use crate::workflow::{
    Accumulates, AttributesType, BoxFuture, EntityOperation, Outline, RunBody, StateNeed, States,
    Step, StepCtx, StepHandler, StepPolicy, Workflow,
};

/// A workflow that can be executed here.
#[derive(Clone)]
#[non_exhaustive]
pub struct WorkflowEntry {
    /// Its name and version.
    pub key: WorkflowKey,
    /// Tags of each of its runs.
    pub tags: &'static [&'static str],
    /// The values that its body takes with `State<T>`.
    pub needs: &'static [StateNeed],
    /// The shape of its body.
    pub outline: &'static Outline,
    /// The workflow that is started for each of its runs that is given up.
    pub dead_letter: Option<Arc<str>>,
    /// That of its outline, taken once.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Events that start runs of it.
    pub triggers: Vec<Trigger>,
    pub(crate) accumulates: Option<Accumulates>,
    attributes: Option<AttributesType>,
    /// What an entity can do; nothing for other workflows.
    pub operations: Arc<[EntityOperation]>,
    input_schema: fn() -> Schema,
    output_schema: fn() -> Schema,
    pub(crate) body: RunBody,
}

impl WorkflowEntry {
    /// A run of it that is due at `due_at` and that nobody owns yet.
    pub(crate) fn new_run(&self, id: RunId, input: Payload, due_at: Timestamp) -> NewRun {
        let mut new = NewRun::new(id, self.key.clone(), input, due_at);
        new.fingerprint = self.fingerprint;
        new
    }

    /// A number for the flow of its body; see
    /// [`Outline::fingerprint`](crate::workflow::Outline::fingerprint).
    #[must_use]
    pub const fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// The JSON Schema of its input.
    #[must_use]
    pub fn input_schema(&self) -> Schema {
        (self.input_schema)()
    }

    /// The JSON Schema of its output.
    #[must_use]
    pub fn output_schema(&self) -> Schema {
        (self.output_schema)()
    }

    /// The JSON Schema of its runs' search attributes, if it declares one.
    #[must_use]
    pub fn attributes_schema(&self) -> Option<Schema> {
        self.attributes.map(|it| (it.schema)())
    }

    /// Whether a run of it may have these search attributes. Without any there is nothing to check.
    pub(crate) fn check_attributes(&self, all: &Attributes) -> Result<(), InvalidAttributes> {
        match self.attributes {
            Some(declared) => (declared.check)(all),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for WorkflowEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkflowEntry({})", self.key)
    }
}

impl<I, O> From<Workflow<I, O>> for WorkflowEntry {
    fn from(workflow: Workflow<I, O>) -> Self {
        Self {
            key: workflow.key,
            tags: workflow.tags,
            needs: workflow.needs,
            outline: workflow.outline,
            fingerprint: workflow.outline.fingerprint(),
            dead_letter: workflow.dead_letter,
            triggers: workflow.triggers,
            accumulates: workflow.accumulates,
            attributes: workflow.attributes,
            operations: workflow.operations,
            input_schema: workflow.input_schema,
            output_schema: workflow.output_schema,
            body: workflow.body,
        }
    }
}

/// A step whose handler is here.
#[derive(Clone)]
#[non_exhaustive]
pub struct StepEntry {
    /// Its name.
    pub name: Arc<str>,
    /// How it is tried unless the caller says otherwise.
    pub policy: StepPolicy,
    /// The values that its handler takes with `State<T>`.
    pub needs: &'static [StateNeed],
    input_schema: fn() -> Schema,
    output_schema: fn() -> Schema,
    handler: StepHandler,
}

impl StepEntry {
    /// The JSON Schema of its input.
    #[must_use]
    pub fn input_schema(&self) -> Schema {
        (self.input_schema)()
    }

    /// The JSON Schema of its output.
    #[must_use]
    pub fn output_schema(&self) -> Schema {
        (self.output_schema)()
    }

    /// Begins an attempt.
    pub(crate) fn call(
        &self,
        input: Payload,
        states: States,
        ctx: StepCtx,
    ) -> BoxFuture<'static, Result<Payload, Failure>> {
        (self.handler)(input, states, ctx)
    }
}

impl fmt::Debug for StepEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepEntry({})", self.name)
    }
}

impl<I, O> From<Step<I, O>> for StepEntry {
    fn from(step: Step<I, O>) -> Self {
        Self {
            name: step.name,
            policy: step.policy,
            needs: step.needs,
            input_schema: step.input_schema,
            output_schema: step.output_schema,
            handler: step.handler,
        }
    }
}

/// A definition about to be registered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Registration {
    /// A workflow.
    Workflow(WorkflowEntry),
    /// A step.
    Step(StepEntry),
}

impl<I, O> From<Workflow<I, O>> for Registration {
    fn from(workflow: Workflow<I, O>) -> Self {
        Self::Workflow(workflow.into())
    }
}

impl<I, O> From<Step<I, O>> for Registration {
    fn from(step: Step<I, O>) -> Self {
        Self::Step(step.into())
    }
}

impl<D: Into<Self>, F: Fn() -> D> From<F> for Registration {
    /// The function that a macro made, as it stands in `.register(checkout)`.
    fn from(definition: F) -> Self {
        definition().into()
    }
}

/// What `#[workflow]` and `#[step]` submit for link-time collection.
#[derive(Debug)]
pub struct Registered {
    make: fn() -> Registration,
}

impl Registered {
    /// A definition that `make` gives when it is collected.
    #[must_use]
    pub const fn new(make: fn() -> Registration) -> Self {
        Self { make }
    }

    pub(crate) fn registration(&self) -> Registration {
        (self.make)()
    }
}

inventory::collect!(Registered);
