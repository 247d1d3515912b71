//! What happened, for people and metrics. News only: whoever must know reads the store.

mod bus;

pub use bus::{Counts, EngineEvent, EventBus};
