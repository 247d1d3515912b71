//! What happened to the steps of a test, and which of them are made to fail.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use crate::id::Seq;
use crate::model::Failure;
use crate::payload::Payload;
use crate::workflow::{Interceptor, StepAttempt};

/// Counts the attempts of steps and makes some of them fail. Clones share the counts, as
/// processes share the outside world.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    begun: BTreeMap<Arc<str>, u32>,
    /// Executions of each step of each run, by position.
    executions: BTreeMap<(String, Seq), Executions>,
    /// Failures that attempts of a step will have, the next one last.
    failures: BTreeMap<Arc<str>, Vec<Failure>>,
}

/// How often the body of a step was executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Executions {
    pub(super) begun: u32,
    pub(super) succeeded: u32,
}

impl Steps {
    /// Lets the next `times` attempts of a step fail before their body begins.
    pub(super) fn fail(&self, step: Arc<str>, times: u32, failure: &Failure) {
        let mut inner = self.0.lock();
        let failures = inner.failures.entry(step).or_default();
        for _ in 0..times {
            failures.insert(0, failure.clone());
        }
    }

    /// How many attempts of a step have begun, in all runs.
    pub(super) fn begun(&self, step: &str) -> u32 {
        self.0.lock().begun.get(step).copied().unwrap_or(0)
    }

    /// What was executed of the step at a position.
    pub(super) fn executions(&self, run: &str, seq: Seq) -> Executions {
        let key = (run.to_owned(), seq);
        self.0
            .lock()
            .executions
            .get(&key)
            .copied()
            .unwrap_or_default()
    }
}

impl Interceptor for Steps {
    fn before(&self, attempt: &StepAttempt) -> Result<(), Failure> {
        let mut inner = self.0.lock();
        *inner.begun.entry(Arc::clone(&attempt.step)).or_default() += 1;
        let failures = inner.failures.get_mut(&attempt.step);
        if let Some(failure) = failures.and_then(Vec::pop) {
            return Err(failure);
        }
        let key = (attempt.run.to_string(), attempt.seq);
        inner.executions.entry(key).or_default().begun += 1;
        Ok(())
    }

    fn after(&self, attempt: &StepAttempt, outcome: &Result<Payload, Failure>) {
        if outcome.is_ok() {
            let key = (attempt.run.to_string(), attempt.seq);
            let mut inner = self.0.lock();
            inner.executions.entry(key).or_default().succeeded += 1;
        }
    }
}
