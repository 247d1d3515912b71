//! Messages between an engine and its workers.
//!
//! JSON objects in camelCase. What is not here: how they travel (`transport`).

mod step;

pub use step::{StepResult, StepTask};
