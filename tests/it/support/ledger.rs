//! What the steps of a test did to the outside world.

use std::{collections::BTreeMap, sync::Arc};

use axum_durable::StepCtx;
use parking_lot::Mutex;

/// Counts how often each effect was executed. Clones share the counts, as processes share the
/// outside world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<BTreeMap<String, u32>>>, Kept);

/// What the outside world keeps, by name.
type Kept = Arc<Mutex<BTreeMap<String, String>>>;

impl Ledger {
    /// Notes one execution of an effect; answers how many there were, this one included.
    pub(crate) fn note(&self, effect: impl Into<String>) -> u32 {
        let mut counts = self.0.lock();
        let count = counts.entry(effect.into()).or_default();
        *count += 1;
        *count
    }

    /// Notes an effect under its name and the idempotency key of its step.
    pub(crate) fn note_keyed(&self, effect: &str, step: &StepCtx) -> u32 {
        self.note(format!("{effect} {}", step.idempotency_key()))
    }

    /// How often an effect was executed.
    pub(crate) fn count(&self, effect: &str) -> u32 {
        self.0.lock().get(effect).copied().unwrap_or(0)
    }

    /// As if the effect had never happened.
    pub(crate) fn forget(&self, effect: &str) {
        self.0.lock().remove(effect);
    }

    /// Every effect with its number of executions.
    pub(crate) fn all(&self) -> BTreeMap<String, u32> {
        self.0.lock().clone()
    }

    /// Keeps a word for later, such as a token that was handed out.
    pub(crate) fn keep(&self, name: impl Into<String>, word: impl Into<String>) {
        self.1.lock().insert(name.into(), word.into());
    }

    /// The word that was kept last under this name.
    pub(crate) fn kept(&self, name: &str) -> Option<String> {
        self.1.lock().get(name).cloned()
    }
}
