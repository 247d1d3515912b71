//! How steps and workflows fail.

use std::{error::Error, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::ops::ChildFailure;
use crate::id::RunId;
use crate::model::Failure;
use crate::payload::PayloadError;

/// What a workflow returns, and what operations on the context return to it.
pub type Result<T, E = WorkflowError> = std::result::Result<T, E>;

/// How a step fails.
///
/// Any [`std::error::Error`] becomes one with `?` and is *retryable*: the next attempt may
/// succeed. [`StepError::fatal`] is for what no retry changes. Like `anyhow::Error`, it is no
/// `std::error::Error` itself, so that the conversion can be open to all of them.
///
/// # Examples
///
/// ```
/// use axum_durable::StepError;
///
/// fn charge(cents: u64) -> Result<(), StepError> {
///     let limit: u64 = "5000".parse()?; // a parse error would be retryable
///     if cents > limit {
///         return Err(StepError::fatal("declined", "card declined"));
///     }
///     Ok(())
/// }
/// assert!(charge(9_000).is_err());
/// ```
pub struct StepError(Box<Failure>);

impl StepError {
    /// A failure that no retry changes, with a stable `code` for programs.
    #[must_use]
    pub fn fatal(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Failure::fatal(code, message)))
    }

    /// A failure that the next attempt may heal, with a stable `code` for programs.
    #[must_use]
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        let mut failure = Failure::retryable(message);
        failure.code = Some(code.into());
        Self(Box::new(failure))
    }

    /// The same failure with a typed domain error, which [`WorkflowError::details`] reads back,
    /// live and on replay.
    #[must_use]
    pub fn with_details<T: Serialize>(mut self, details: &T) -> Self {
        self.0.details = serde_json::to_value(details).ok();
        self
    }

    /// The failure as it will be stored.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        *self.0
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<E: Error + 'static> From<E> for StepError {
    fn from(error: E) -> Self {
        // A stored failure that comes back as an error keeps its code and its verdict on retries.
        let error: &(dyn Error + 'static) = &error;
        let failure = match error.downcast_ref::<Failure>() {
            Some(failure) => failure.clone(),
            None => Failure::from_error(error),
        };
        Self(Box::new(failure))
    }
}

impl From<WorkflowError> for StepError {
    fn from(error: WorkflowError) -> Self {
        Self(Box::new(error.into_failure()))
    }
}

/// How a workflow, or an operation in it, fails.
///
/// Any [`std::error::Error`] becomes [`WorkflowError::Failed`] with `?`.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkflowError {
    /// A step failed for good: fatally, or after its last attempt.
    Step {
        /// The step's name.
        step: Arc<str>,
        /// Why its last attempt failed.
        failure: Failure,
    },
    /// The time of a wait for a signal ran out.
    SignalTimeout {
        /// The token that was waited for.
        token: Arc<str>,
    },
    /// The time of another wait ran out: of an event, a task, a webhook or an update.
    Timeout {
        /// What was waited for, such as `task`.
        operation: &'static str,
        /// Its name.
        name: Arc<str>,
    },
    /// Undos have failed for good. Whatever the workflow makes of it, the run ends as
    /// `compensation_failed`.
    Compensation {
        /// The undos that failed, by name, in the order in which they did.
        undos: Vec<(Arc<str>, Failure)>,
        /// Why the workflow had failed before; `None` after a rollback by hand.
        cause: Option<Box<Failure>>,
    },
    /// Another run that was waited for has ended without an output, or could not be started.
    Child {
        /// The run.
        run: RunId,
        /// Why.
        failure: Failure,
    },
    /// Children of [`WorkflowCtx::all`](crate::WorkflowCtx::all) have failed.
    Gather {
        /// Each of them, in the order of their inputs.
        failures: Vec<ChildFailure>,
    },
    /// A value could not be written or read as the type that the code names.
    Payload(PayloadError),
    /// The workflow's own failure.
    Failed(Failure),
}

impl WorkflowError {
    /// A failure of the workflow's own making, with a stable `code` for programs.
    #[must_use]
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Failed(Failure::fatal(code, message))
    }

    /// Whether a wait ran out of time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::SignalTimeout { .. } | Self::Timeout { .. })
    }

    /// The failure's code, such as `declined`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Step { failure, .. } | Self::Child { failure, .. } | Self::Failed(failure) => {
                failure.code.as_deref()
            }
            Self::Gather { .. } => Some("children_failed"),
            Self::SignalTimeout { .. } => Some("signal_timeout"),
            Self::Timeout { .. } => Some("wait_timeout"),
            Self::Compensation { .. } => Some("compensation_failed"),
            Self::Payload(PayloadError::TooLarge { .. }) => Some("payload_too_large"),
            Self::Payload(_) => Some("payload"),
        }
    }

    /// The typed domain error that a step attached with [`StepError::with_details`].
    #[must_use]
    pub fn details<T: DeserializeOwned>(&self) -> Option<T> {
        let (Self::Step { failure, .. } | Self::Child { failure, .. } | Self::Failed(failure)) =
            self
        else {
            return None;
        };
        T::deserialize(failure.details.as_ref()?).ok()
    }

    /// The failure as it is stored on the run.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Step { step, failure } => {
                let mut outer = Failure::retryable(format!("step `{step}` failed: {failure}"));
                outer.retryable = failure.retryable;
                outer.code.clone_from(&failure.code);
                outer.details.clone_from(&failure.details);
                outer.caused_by(failure)
            }
            Self::SignalTimeout { token } => {
                let message = format!("no signal `{token}` came in time");
                Failure::fatal("signal_timeout", message)
            }
            Self::Timeout { operation, name } => {
                Failure::fatal("wait_timeout", late(operation, &name))
            }
            Self::Compensation { undos, cause } => {
                let text = undo_text(&undos);
                let mut failure = Failure::fatal("compensation_failed", text);
                failure.details = serde_json::to_value(&undos).ok();
                failure.cause = cause;
                failure
            }
            Self::Child { run, failure } => {
                let mut outer = Failure::retryable(format!("run `{run}` failed: {failure}"));
                outer.retryable = failure.retryable;
                outer.code.clone_from(&failure.code);
                outer.details.clone_from(&failure.details);
                outer.caused_by(failure)
            }
            Self::Gather { failures } => {
                let failure = Failure::fatal("children_failed", gather_text(&failures));
                match failures.into_iter().next() {
                    Some(first) => failure.caused_by(first.failure),
                    None => failure,
                }
            }
            Self::Payload(error) => Failure::of_payload(&error),
            Self::Failed(failure) => failure,
        }
    }
}

impl fmt::Display for WorkflowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { step, failure } => write!(f, "step `{step}` failed: {failure}"),
            Self::SignalTimeout { token } => write!(f, "no signal `{token}` came in time"),
            Self::Timeout { operation, name } => f.write_str(&late(operation, name)),
            Self::Compensation { undos, .. } => f.write_str(&undo_text(undos)),
            Self::Child { run, failure } => write!(f, "run `{run}` failed: {failure}"),
            Self::Gather { failures } => f.write_str(&gather_text(failures)),
            Self::Payload(error) => fmt::Display::fmt(error, f),
            Self::Failed(failure) => fmt::Display::fmt(failure, f),
        }
    }
}

fn late(operation: &str, name: &str) -> String {
    if name.is_empty() {
        format!("the {operation} was not answered in time")
    } else {
        format!("{operation} `{name}` was not answered in time")
    }
}

/// Which undos have failed, and why.
fn undo_text(undos: &[(Arc<str>, Failure)]) -> String {
    let each = undos
        .iter()
        .map(|(name, failure)| format!("undo `{name}` failed: {failure}"));
    each.collect::<Vec<_>>().join("; ")
}

/// Which children have failed: a few of them, since there may be thousands.
fn gather_text(failures: &[ChildFailure]) -> String {
    const SHOWN: usize = 5;
    let each = failures
        .iter()
        .take(SHOWN)
        .map(|it| format!("run `{}` failed: {}", it.run, it.failure));
    let mut text = each.collect::<Vec<_>>().join("; ");
    if failures.len() > SHOWN {
        text += &format!("; and {} more", failures.len() - SHOWN);
    }
    text
}

impl<E: Error + 'static> From<E> for WorkflowError {
    fn from(error: E) -> Self {
        Self::Failed(StepError::from(error).into_failure())
    }
}

impl From<StepError> for WorkflowError {
    fn from(error: StepError) -> Self {
        Self::Failed(error.into_failure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_is_retryable_and_keeps_its_chain() {
        let error = StepError::from(std::io::Error::other("reset by peer"));
        let failure = error.into_failure();
        assert!(failure.retryable);
        assert_eq!(failure.message, "reset by peer");
    }

    #[test]
    fn a_domain_error_comes_back_typed() {
        let error = StepError::fatal("declined", "no").with_details(&("issuer", 51));
        let failure = error.into_failure();
        let step = "charge".into();
        let error = WorkflowError::Step { step, failure };
        assert_eq!(
            error.details::<(String, u32)>(),
            Some(("issuer".to_owned(), 51))
        );
        assert_eq!(error.into_failure().code.as_deref(), Some("declined"));
    }
}
