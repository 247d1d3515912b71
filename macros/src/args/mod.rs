//! The words inside the parentheses of an attribute.

mod accumulate;
mod durations;
mod entity;
mod settings;
mod step;
mod values;
mod workflow;

pub(crate) use accumulate::Accumulate;
pub(crate) use entity::{EntityWords, operation_name};
pub(crate) use step::StepWords;
pub(crate) use workflow::WorkflowWords;
