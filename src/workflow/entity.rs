//! Entities: state under a key, changed by one operation after the other.

use std::{
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, de::DeserializeOwned};

use super::{definition::Workflow, error::StepError, ops};
use crate::model::{EntityOutcome, Failure, WorkflowKey, entity};
use crate::payload::{Payload, PayloadError};

/// A kind of entity, which `#[entity]` makes of an `impl` block: state that lives under a key as
/// long as nobody ends it, and operations on it, of which each is applied once and one after the
/// other.
///
/// The state begins as [`Default`] and is stored as JSON after each operation. Where a newer
/// program cannot read what an older one has stored, operations fail and change nothing, until one
/// that can is deployed: give new fields a `#[serde(default)]`.
///
/// # Examples
///
/// ```standalone_crate
/// use axum_durable::{Durable, MemoryStore, prelude::*};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
/// struct Cart {
///     items: Vec<String>,
/// }
///
/// #[entity]
/// impl Cart {
///     #[on]
///     fn add(&mut self, item: String) -> usize {
///         self.items.push(item);
///         self.items.len()
///     }
///
///     /// A failure leaves the state as it is.
///     #[on]
///     fn remove(&mut self, item: String) -> Result<(), StepError> {
///         let place = self.items.iter().position(|it| *it == item);
///         let place = place.ok_or_else(|| StepError::fatal("not_there", "it is not in the cart"))?;
///         self.items.remove(place);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let durable = Durable::builder().store(MemoryStore::new()).build().await?;
/// let cart = durable.entity::<Cart>("ada")?;
/// assert_eq!(cart.call(Cart::ADD, "tea".to_owned()).await?, 1);
/// assert!(cart.call(Cart::REMOVE, "milk".to_owned()).await.is_err());
/// assert_eq!(cart.state().await?.unwrap().items, ["tea"]);
/// # durable.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no entity",
    label = "write `#[entity]` above an `impl {Self}` with operations"
)]
pub trait Entity: Default + Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// The stored name.
    const NAME: &'static str;

    /// What it can do.
    fn operations() -> Vec<EntityOperation>;

    /// The workflow that runs entities of this kind, for `.register(Cart::entity)` where what is
    /// linked is not collected.
    #[must_use]
    fn entity() -> Workflow<Self, ()> {
        let operations: Arc<[EntityOperation]> = Self::operations().into();
        let table = Arc::clone(&operations);
        let key = WorkflowKey::new(entity::workflow_name(Self::NAME), 1);
        let body = move |ctx, state| ops::live(ctx, Arc::clone(&table), state);
        let schemas = [|| schema_for!(Self), || schema_for!(())];
        let mut workflow = Workflow::erased(key, Arc::new(body), schemas);
        workflow.operations = operations;
        workflow
    }
}

/// One operation of an entity, typed by its method: `#[entity]` makes a constant such as
/// `Cart::ADD` for each method with `#[on]`.
pub struct EntityOp<E, I, O> {
    name: &'static str,
    types: PhantomData<fn(E, I) -> O>,
}

impl<E: Entity, I, O> EntityOp<E, I, O> {
    /// The operation called `name`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            types: PhantomData,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<E, I, O> Clone for EntityOp<E, I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, I, O> Copy for EntityOp<E, I, O> {}

impl<E: Entity, I, O> fmt::Debug for EntityOp<E, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntityOp(`{}.{}`)", E::NAME, self.name)
    }
}

/// Makes a new state and a reply of the state and the input.
type Apply = dyn Fn(&Payload, &Payload) -> Result<EntityOutcome, Failure> + Send + Sync;

/// An operation of an entity with its types erased.
#[derive(Clone)]
pub struct EntityOperation {
    /// Its name.
    pub(crate) name: &'static str,
    input_schema: fn() -> Schema,
    output_schema: fn() -> Schema,
    apply: Arc<Apply>,
}

impl EntityOperation {
    /// The operation called `name`.
    #[must_use]
    pub fn new<E, I, O>(name: &'static str, body: fn(&mut E, I) -> Result<O, StepError>) -> Self
    where
        E: Entity,
        I: DeserializeOwned + JsonSchema + 'static,
        O: Serialize + JsonSchema + 'static,
    {
        Self {
            name,
            input_schema: || schema_for!(I),
            output_schema: || schema_for!(O),
            apply: Arc::new(move |state, input| apply(body, state, input)),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The JSON Schema of its input.
    #[must_use]
    pub fn input_schema(&self) -> Schema {
        (self.input_schema)()
    }

    /// The JSON Schema of what it answers.
    #[must_use]
    pub fn output_schema(&self) -> Schema {
        (self.output_schema)()
    }

    /// What it makes of `state`. A panic in it is a failure like any other.
    pub(crate) fn apply(&self, state: &Payload, input: &Payload) -> Result<EntityOutcome, Failure> {
        let applied = catch_unwind(AssertUnwindSafe(|| (self.apply)(state, input)));
        applied.unwrap_or_else(|panic| Err(ops::panicked(&*panic)))
    }
}

impl fmt::Debug for EntityOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntityOperation(`{}`)", self.name)
    }
}

/// Applies an operation to a copy of the state, so that one that fails halfway changes nothing.
fn apply<E, I, O>(
    body: fn(&mut E, I) -> Result<O, StepError>,
    state: &Payload,
    input: &Payload,
) -> Result<EntityOutcome, Failure>
where
    E: Entity,
    I: DeserializeOwned,
    O: Serialize,
{
    let unfit = |error: PayloadError| Failure::of_payload(&error);
    let mut entity = if *state == Payload::null() {
        E::default()
    } else {
        state.decode::<E>().map_err(unfit)?
    };
    let input = input.decode::<I>().map_err(unfit)?;
    let reply = body(&mut entity, input).map_err(StepError::into_failure)?;
    Ok(EntityOutcome {
        state: Payload::encode(&entity).map_err(unfit)?,
        reply: Payload::encode(&reply).map_err(unfit)?,
    })
}
