//! What went wrong, in a form that can be stored, shown and matched.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};

use super::attribute::InvalidAttributes;
use crate::payload::PayloadError;

/// A failure as it is stored on a step or a run.
///
/// ```json
/// {"message": "card declined", "code": "declined", "retryable": false,
///  "cause": {"message": "issuer said 51", "retryable": true}}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// One sentence for people.
    pub message: String,
    /// A stable word for programs, such as `declined` or `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether trying again could help.
    pub retryable: bool,
    /// A typed domain error as JSON, when the author attached one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// What lies behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<Self>>,
}

/// How many causes of a chain are kept; deeper ones add bytes and no insight.
const MAX_CAUSES: usize = 8;

impl Failure {
    /// A failure that trying again could heal.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: None,
            retryable: true,
            details: None,
            cause: None,
        }
    }

    /// A failure that no retry changes.
    #[must_use]
    pub fn fatal(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: Some(code.into()),
            retryable: false,
            ..Self::retryable(message)
        }
    }

    /// The failure of a run that somebody has cancelled.
    #[must_use]
    pub(crate) fn cancelled() -> Self {
        Self::fatal("cancelled", "the run was cancelled")
    }

    /// The failure of an operation whose search attributes are refused: their writer is wrong.
    #[must_use]
    pub(crate) fn of_attributes(workflow: &str, error: &InvalidAttributes) -> Self {
        let message = format!("search attributes of workflow `{workflow}` are refused: {error}");
        Self::fatal("invalid_attributes", message)
    }

    /// The failure of an operation whose value is refused: no retry makes it smaller.
    #[must_use]
    pub(crate) fn of_payload(error: &PayloadError) -> Self {
        let mut failure = Self::from_error(error);
        let is_too_large = matches!(error, PayloadError::TooLarge { .. });
        let code = if is_too_large {
            "payload_too_large"
        } else {
            "payload"
        };
        failure.code = Some(code.to_owned());
        failure.retryable = false;
        failure
    }

    /// The same failure with what lies behind it.
    #[must_use]
    pub fn caused_by(mut self, cause: Self) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Keeps the text of `error` and of its chain of sources.
    #[must_use]
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        Self::chain(error, MAX_CAUSES)
    }

    fn chain(error: &(dyn Error + 'static), depth: usize) -> Self {
        let mut failure = Self::retryable(error.to_string());
        if let (Some(source), 1..) = (error.source(), depth) {
            failure.cause = Some(Box::new(Self::chain(source, depth - 1)));
        }
        failure
    }

    /// Whether the code is `code`.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_errors_keeps_its_order() {
        let low = std::io::Error::other("disk on fire");
        let high = Failure::retryable("write failed").caused_by(Failure::from_error(&low));
        let copy = Failure::from_error(&high);
        assert_eq!(copy, high);
    }
}
