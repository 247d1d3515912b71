//! How runs belong together.

use serde::{Deserialize, Serialize};

use crate::id::RunId;

/// What becomes of a child when its parent is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnCancel {
    /// It is asked to cancel, in the transaction that ends the parent.
    Cascade,
    /// It goes on.
    Abandon,
    /// It is asked, in that transaction, to undo what it has done and to end then, as by
    /// `cancel(id).compensate()`, also where its parent undoes nothing.
    Request,
}

/// The run that has started another one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// What becomes of the child when it is cancelled.
    pub on_cancel: OnCancel,
}

impl Parent {
    /// The run as a parent.
    #[must_use]
    pub const fn new(run: RunId, on_cancel: OnCancel) -> Self {
        Self { run, on_cancel }
    }
}
