//! The operator's view: what `http` asks. It reads rows and asks the engine; it changes nothing
//! by itself.

mod explain;
mod gateway;
mod progress;

pub use explain::{Explanation, Waiting};
pub use gateway::Control;
pub use progress::Progress;
