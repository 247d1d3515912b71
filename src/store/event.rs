//! Waits for events.

use std::sync::Arc;

use crate::id::Seq;
use crate::model::Facts;

/// A wait for an event about to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewListen {
    /// The operation that waits.
    pub seq: Seq,
    /// The name of the event.
    pub name: Arc<str>,
    /// What has to be said about the event.
    pub facts: Facts,
}

impl NewListen {
    /// A wait of the operation at `seq` for an event called `name` about which `facts` are said.
    #[must_use]
    pub const fn new(seq: Seq, name: Arc<str>, facts: Facts) -> Self {
        Self { seq, name, facts }
    }
}
