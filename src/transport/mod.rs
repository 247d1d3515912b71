//! The transport seam: moves opaque envelopes between engines and workers.
//!
//! A transport may lose, repeat and reorder; the store is the only truth. What is not here: what
//! an envelope holds (`protocol`).

mod channel;
mod envelope;
mod error;
mod in_process;
mod seam;

pub use channel::Channel;
pub use envelope::Envelope;
pub use error::TransportError;
pub use in_process::InProcess;
pub use seam::{Ack, Delivery, Subscription, Transport};
