//! The assembled thing: what an application holds.

mod builder;
mod error;
mod handle;
mod run_handle;
mod start;

pub use builder::{BuildError, DurableBuilder};
pub use error::Error;
pub(crate) use handle::DEFAULT_BASE_PATH;
pub use handle::Durable;
pub use run_handle::{RunHandle, WaitForRun, WaitUntil};
pub use start::Start;
