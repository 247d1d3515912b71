//! What the undo of a worker's step is called with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the undo of a worker's step gets: what the step was called with, and what it returned.
///
/// # Examples
///
/// ```
/// use axum_durable::{model::Undo, prelude::*};
///
/// #[step]
/// async fn charge(cents: u64) -> Result<String, StepError> {
///     Ok(format!("charge of {cents}"))
/// }
///
/// #[step(retries = 10)]
/// async fn refund(charge: Undo<u64, String>) -> Result<(), StepError> {
///     println!("{} cents back to {}", charge.input, charge.output);
///     Ok(())
/// }
///
/// #[workflow]
/// async fn checkout(ctx: &WorkflowCtx, cents: u64) -> Result<()> {
///     ctx.remote(charge, cents).compensate(refund).await?;
///     ctx.step("ship", async || Err::<(), _>(StepError::fatal("sold_out", "none left"))).await
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undo<I, O> {
    /// What the step was called with.
    pub input: I,
    /// What it returned.
    pub output: O,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    /// Workers in other languages read it, and payloads go through it as they are.
    #[test]
    fn it_is_an_object_of_two() {
        let undo = Undo {
            input: Payload::from_bytes("[1 ]"),
            output: Payload::null(),
        };
        let text = Payload::encode(&undo).unwrap();
        assert_eq!(text.as_text(), Some(r#"{"input":[1 ],"output":null}"#));
    }
}
