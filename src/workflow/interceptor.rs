//! Watching the attempts of steps.

use std::{fmt, sync::Arc};

use crate::id::{RunId, Seq};
use crate::model::Failure;
use crate::payload::Payload;

/// One attempt of a step, local or remote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepAttempt {
    /// The run.
    pub run: RunId,
    /// The step's position.
    pub seq: Seq,
    /// The step's name.
    pub step: Arc<str>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The most attempts in all; `None` for a step at a worker, which does not know.
    pub max_attempts: Option<u32>,
}

/// Sees each attempt of a step that this process executes: live ones only, never what is answered
/// from the history.
///
/// Every method does nothing by default. They are called on the thread that executes the step, so
/// they must not block. An attempt that is cut off, by a crash or because the workflow dropped
/// the step, has no [`after`](Self::after).
pub trait Interceptor: fmt::Debug + Send + Sync + 'static {
    /// Comes before the body begins.
    ///
    /// # Errors
    ///
    /// A failure stands in for the body, which does not begin. It is treated like the body's own:
    /// recorded, and tried again if it is retryable.
    fn before(&self, attempt: &StepAttempt) -> Result<(), Failure> {
        let _ = attempt;
        Ok(())
    }

    /// Comes after the body has ended, before its outcome is recorded.
    fn after(&self, attempt: &StepAttempt, outcome: &Result<Payload, Failure>) {
        let _ = (attempt, outcome);
    }
}

/// The interceptors of a process, in the order in which they were given. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Interceptors(Option<Arc<Vec<Arc<dyn Interceptor>>>>);

impl Interceptors {
    /// The same ones and one more.
    #[must_use]
    pub fn with(self, interceptor: impl Interceptor) -> Self {
        let mut all = self.0.map_or_else(Vec::new, |all| all.to_vec());
        all.push(Arc::new(interceptor));
        Self(Some(Arc::new(all)))
    }

    /// Asks them, in order, whether an attempt may begin. `make` is called only if there is one.
    pub(crate) fn before(
        &self,
        make: impl FnOnce() -> StepAttempt,
    ) -> (Option<StepAttempt>, Result<(), Failure>) {
        let Some(all) = &self.0 else {
            return (None, Ok(()));
        };
        let attempt = make();
        let answer = all.iter().try_for_each(|one| one.before(&attempt));
        (Some(attempt), answer)
    }

    /// Tells them, in reverse order, how it ended.
    pub(crate) fn after(&self, attempt: Option<&StepAttempt>, outcome: &Result<Payload, Failure>) {
        if let (Some(all), Some(attempt)) = (&self.0, attempt) {
            all.iter().rev().for_each(|one| one.after(attempt, outcome));
        }
    }
}
