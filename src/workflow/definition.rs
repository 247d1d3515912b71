//! Workflow definitions: a name, a version and a body.

use std::{fmt, future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    ctx::WorkflowCtx,
    entity::EntityOperation,
    error::{Result, WorkflowError},
    outline::Outline,
    state::StateNeed,
    trigger::Accumulates,
};
use crate::model::{Attributes, DeadLetter, InvalidAttributes, Trigger, WorkflowKey};
use crate::payload::Payload;

/// A boxed future, as bodies and handlers return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The body of a workflow with its types still known.
pub type WorkflowFn<I, O> = fn(WorkflowCtx, I) -> BoxFuture<'static, Result<O>>;

/// The body of a workflow with payloads in place of types.
pub type RunBody =
    Arc<dyn Fn(WorkflowCtx, Payload) -> BoxFuture<'static, Result<Payload>> + Send + Sync>;

/// The two halves of a `Result`, so that a macro can name them without seeing them.
#[diagnostic::on_unimplemented(
    message = "a workflow or step returns a `Result`, not `{Self}`",
    label = "write `Result<{Self}>`"
)]
pub trait Outcome {
    /// The type of success.
    type Value;
    /// The type of failure.
    type Error;
}

impl<T, E> Outcome for std::result::Result<T, E> {
    type Value = T;
    type Error = E;
}

/// A workflow: a named, versioned async function from `I` to `O`.
///
/// `#[workflow]` turns an `async fn` into a function that returns one. Clones share the body.
pub struct Workflow<I, O> {
    pub(crate) key: WorkflowKey,
    pub(crate) tags: &'static [&'static str],
    pub(crate) needs: &'static [StateNeed],
    pub(crate) outline: &'static Outline,
    pub(crate) dead_letter: Option<Arc<str>>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) accumulates: Option<Accumulates>,
    pub(crate) attributes: Option<AttributesType>,
    /// What an entity can do; nothing for other workflows.
    pub(crate) operations: Arc<[EntityOperation]>,
    pub(crate) input_schema: fn() -> Schema,
    pub(crate) output_schema: fn() -> Schema,
    pub(crate) body: RunBody,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Workflow<I, O>
where
    I: DeserializeOwned + JsonSchema + Send + 'static,
    O: Serialize + JsonSchema + Send + 'static,
{
    /// A workflow with the given body.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::prelude::*;
    ///
    /// let double = Workflow::new("double", 1, |_ctx, n: u32| Box::pin(async move { Ok(n * 2) }));
    /// assert_eq!(double.name(), "double");
    /// ```
    pub fn new(name: impl Into<Arc<str>>, version: u32, body: WorkflowFn<I, O>) -> Self {
        Self::from_body(name, version, move |ctx, input| body(ctx, input))
    }

    /// A workflow whose body is a closure that may own values.
    pub fn from_body<F>(name: impl Into<Arc<str>>, version: u32, body: F) -> Self
    where
        F: Fn(WorkflowCtx, I) -> BoxFuture<'static, Result<O>> + Send + Sync + 'static,
    {
        let body = Arc::new(body);
        let erased = move |ctx: WorkflowCtx, input: Payload| {
            let body = Arc::clone(&body);
            let future = async move {
                let decoded = input.decode::<I>().map_err(WorkflowError::Payload)?;
                // Else it would stay in memory for as long as the run.
                drop(input);
                let saga = ctx.saga();
                let result = saga.watch(body(ctx, decoded)).await;
                let encode = |output| Payload::encode(&output).map_err(WorkflowError::Payload);
                let result = result.and_then(encode);
                if !saga.has_to_undo(&result) {
                    return result;
                }
                // Boxed, so that runs which wait hold no room for it.
                Box::pin(saga.close(result)).await
            };
            Box::pin(future) as BoxFuture<'static, Result<Payload>>
        };
        let schemas = [|| schema_for!(I), || schema_for!(O)];
        Self::erased(WorkflowKey::new(name, version), Arc::new(erased), schemas)
    }
}

impl<I, O> Workflow<I, O> {
    /// A workflow whose body reads and writes payloads; the schemas are of input and output.
    pub(crate) fn erased(key: WorkflowKey, body: RunBody, schemas: [fn() -> Schema; 2]) -> Self {
        let [input_schema, output_schema] = schemas;
        Self {
            key,
            tags: &[],
            needs: &[],
            outline: &Outline::UNKNOWN,
            dead_letter: None,
            triggers: Vec::new(),
            accumulates: None,
            attributes: None,
            operations: Arc::default(),
            input_schema,
            output_schema,
            body,
            types: PhantomData,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// Its version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.key.version
    }

    /// The shape of its body.
    #[must_use]
    pub const fn outline(&self) -> &'static Outline {
        self.outline
    }

    /// Tags that each of its runs gets.
    #[must_use]
    pub const fn with_tags(mut self, tags: &'static [&'static str]) -> Self {
        self.tags = tags;
        self
    }

    /// The values that its body takes with `State<T>`.
    #[must_use]
    pub const fn with_needs(mut self, needs: &'static [StateNeed]) -> Self {
        self.needs = needs;
        self
    }

    /// The workflow that is started for each of its runs that is given up as
    /// [`dead`](crate::RunStatus::Dead), in the same transaction.
    ///
    /// It is started in its newest version, with the dead run's tags, its priority and that run as its
    /// parent, and must be registered where runs of this one are executed. Should it die itself, the
    /// dead-letter workflow of the app gets that, unless it is the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum_durable::{model::DeadLetter, prelude::*};
    ///
    /// #[workflow]
    /// async fn tell_support(ctx: &WorkflowCtx, dead: DeadLetter) -> Result<()> {
    ///     ctx.step("mail", async || Ok(println!("{} died: {}", dead.run_id, dead.error))).await
    /// }
    ///
    /// #[workflow(dead_letter = tell_support)]
    /// async fn checkout(ctx: &WorkflowCtx, cents: u64) -> Result<u64> {
    ///     ctx.step("charge", async || Ok(cents)).await
    /// }
    /// # assert_eq!(checkout().name(), "checkout");
    /// ```
    #[must_use]
    pub fn with_dead_letter<O2>(mut self, workflow: impl IntoWorkflow<DeadLetter, O2>) -> Self {
        self.dead_letter = Some(workflow.into_workflow().key.name);
        self
    }

    /// Declares the type that the search attributes of a run together are. It is checked when a
    /// run is started with some, and when they are changed. Set by `#[workflow]`.
    #[must_use]
    pub const fn with_search_attributes<A: DeserializeOwned + JsonSchema>(mut self) -> Self {
        self.attributes = Some(AttributesType {
            check: Attributes::check::<A>,
            schema: || schema_for!(A),
        });
        self
    }

    /// The shape of its body.
    #[must_use]
    pub const fn with_outline(mut self, outline: &'static Outline) -> Self {
        self.outline = outline;
        self
    }
}

/// What the search attributes of a workflow's runs must be.
#[derive(Clone, Copy)]
pub(crate) struct AttributesType {
    /// Whether they are of the type.
    pub(crate) check: fn(&Attributes) -> std::result::Result<(), InvalidAttributes>,
    /// The type's JSON Schema.
    pub(crate) schema: fn() -> Schema,
}

impl<I, O> Clone for Workflow<I, O> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            tags: self.tags,
            needs: self.needs,
            outline: self.outline,
            dead_letter: self.dead_letter.clone(),
            triggers: self.triggers.clone(),
            accumulates: self.accumulates,
            attributes: self.attributes,
            operations: Arc::clone(&self.operations),
            input_schema: self.input_schema,
            output_schema: self.output_schema,
            body: Arc::clone(&self.body),
            types: PhantomData,
        }
    }
}

impl<I, O> fmt::Debug for Workflow<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Workflow")
            .field(&self.key.to_string())
            .finish()
    }
}

/// What can be started or registered as a workflow: the function that `#[workflow]` made, or a
/// [`Workflow`].
pub trait IntoWorkflow<I, O> {
    /// The definition.
    fn into_workflow(self) -> Workflow<I, O>;
}

impl<I, O> IntoWorkflow<I, O> for Workflow<I, O> {
    fn into_workflow(self) -> Self {
        self
    }
}

impl<I, O> IntoWorkflow<I, O> for &Workflow<I, O> {
    fn into_workflow(self) -> Workflow<I, O> {
        self.clone()
    }
}

impl<I, O, F: Fn() -> Workflow<I, O>> IntoWorkflow<I, O> for F {
    fn into_workflow(self) -> Workflow<I, O> {
        self()
    }
}
