//! Which code can be run here: workflows and steps, collected at link time or registered by hand.

mod collect;
mod describe;
mod entry;
mod messages;
mod triggers;

pub use collect::{Registry, RegistryBuilder, RegistryError};
pub use describe::{OperationDescription, WorkflowDescription};
pub use entry::{Registered, Registration, StepEntry, WorkflowEntry};
pub use messages::{MessageDescription, UpdateDescription};
