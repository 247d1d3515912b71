//! Who has changed a run from outside, and why.

use std::sync::Arc;

use serde::Serialize;

use crate::id::{MAX_NAME_BYTES, RunId};
use crate::time::Timestamp;

/// The longest reason that is kept: a few sentences. What is longer is cut.
const MAX_REASON_BYTES: usize = 1_000;

/// Who acts on a run, and why. Both may be left out: then the program itself does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct By {
    /// Who it is.
    pub actor: Option<Arc<str>>,
    /// Why.
    pub reason: Option<Arc<str>>,
}

impl By {
    /// The program itself, for no stated reason.
    #[must_use]
    pub const fn program() -> Self {
        Self {
            actor: None,
            reason: None,
        }
    }

    /// Names who acts; at most 191 bytes of it are kept.
    #[must_use]
    pub fn actor(mut self, name: &str) -> Self {
        self.actor = filled(name, MAX_NAME_BYTES);
        self
    }

    /// Says why; at most 1,000 bytes of it are kept.
    #[must_use]
    pub fn reason(mut self, why: &str) -> Self {
        self.reason = filled(why, MAX_REASON_BYTES);
        self
    }

    /// Whether nobody was named and nothing was said.
    #[must_use]
    pub const fn is_program(&self) -> bool {
        self.actor.is_none() && self.reason.is_none()
    }
}

/// The beginning of a text, up to a whole character; nothing for an empty one.
fn filled(text: &str, most: usize) -> Option<Arc<str>> {
    let end = text.floor_char_boundary(most);
    let text = text.get(..end).unwrap_or_default();
    (!text.is_empty()).then(|| text.into())
}

/// One line of a run's audit log: what was done to it from outside.
///
/// It holds no payloads, and outlives its run: that a run was deleted is told by its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The run.
    pub run_id: RunId,
    /// When, in milliseconds since 1970.
    pub at: Timestamp,
    /// Who; absent for the program itself.
    pub actor: Option<Arc<str>>,
    /// Why, if it was said.
    pub reason: Option<Arc<str>>,
    /// What: `requeue`, `cancel`, `pause`, `resume`, `retry-with-input`, `fork`, `forked-from`,
    /// `skip-step`, `force-fail` or `delete`.
    pub action: Arc<str>,
    /// More about it, such as the position of a skipped step.
    pub detail: Option<Arc<str>>,
}

impl AuditEntry {
    /// A line about `run`.
    #[must_use]
    pub fn new(run: RunId, at: Timestamp, by: &By, action: &str) -> Self {
        Self {
            run_id: run,
            at,
            actor: by.actor.clone(),
            reason: by.reason.clone(),
            action: action.into(),
            detail: None,
        }
    }

    /// The same with more about it.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Arc<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let by = By::program().actor("").reason(&"é".repeat(999));
        assert_eq!(by.actor, None);
        assert_eq!(by.reason.unwrap().len(), MAX_REASON_BYTES);
        let odd = By::program().reason(&format!("x{}", "é".repeat(999)));
        assert_eq!(odd.reason.unwrap().len(), MAX_REASON_BYTES - 1);
    }
}
