//! What the code that `#[workflow]` and `#[step]` write calls. Not part of the API.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    definition::{Workflow, WorkflowFn},
    entity::{Entity, EntityOperation},
    error::StepError,
    step::{Step, StepFn},
};

/// `Ok` of a step body whose error type nothing else names.
///
/// # Errors
///
/// Never: it only gives the error its type.
pub const fn ok<T>(value: T) -> Result<T, StepError> {
    Ok(value)
}

/// [`Workflow::new`] as a plain function: what its types lack is then reported as a missing trait,
/// at the type, and not as a missing function.
#[must_use]
pub fn define_workflow<I, O>(
    name: &'static str,
    version: u32,
    body: WorkflowFn<I, O>,
) -> Workflow<I, O>
where
    I: DeserializeOwned + JsonSchema + Send + 'static,
    O: Serialize + JsonSchema + Send + 'static,
{
    Workflow::new(name, version, body)
}

/// [`Step::new`] as a plain function, for the same reason.
#[must_use]
pub fn define_step<I, O>(name: &'static str, body: StepFn<I, O>) -> Step<I, O>
where
    I: DeserializeOwned + JsonSchema + Send + 'static,
    O: Serialize + JsonSchema + Send + 'static,
{
    Step::new(name, body)
}

/// [`EntityOperation::new`] as a plain function, for the same reason.
#[must_use]
pub fn define_operation<E, I, O>(
    name: &'static str,
    body: fn(&mut E, I) -> Result<O, StepError>,
) -> EntityOperation
where
    E: Entity,
    I: DeserializeOwned + JsonSchema + 'static,
    O: Serialize + JsonSchema + 'static,
{
    EntityOperation::new(name, body)
}

/// The future of a body, which moves between threads with its run.
pub const fn movable<F: Future + Send>(body: F) -> F {
    body
}
