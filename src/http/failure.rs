//! What a client is told of an `Error`: a fact about its request, never payloads, SQL or type
//! names.

use std::error::Error as StdError;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use crate::durable::Error;
use crate::engine::StartError;
use crate::id::InvalidName;
use crate::payload::PayloadError;
use crate::store::StoreError;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = match &error {
            Error::Start(StartError::UnknownWorkflow {
                workflow, version, ..
            }) => unknown_workflow(workflow, *version),
            Error::Store(StoreError::Payload(inner))
            | Error::Start(StartError::Input(inner))
            | Error::Payload(inner) => of_payload(inner),
            Error::Store(inner) | Error::Start(StartError::Store(inner)) => of_store(inner),
            Error::InvalidName(inner) => of_name(inner),
            Error::UnknownRun { run } => unknown_run(run.as_str()),
            Error::Start(StartError::Attributes { .. }) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let title = "Search attributes refused";
                Self::new(status, "invalid-attributes", title, error.to_string())
            }
            Error::UpdateRejected { .. } => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let title = "Update rejected";
                Self::new(status, "update-rejected", title, error.to_string())
            }
            Error::UpdateFailed { name, failure } => {
                let detail = format!("update `{name}` failed: {failure}");
                let title = "Update failed";
                Self::new(StatusCode::CONFLICT, "update-failed", title, detail)
            }
            Error::EntityFailed { operation, failure } => {
                let detail = format!("operation `{operation}` failed: {failure}");
                let title = "Operation failed";
                Self::new(StatusCode::CONFLICT, "operation-failed", title, detail)
            }
            Error::NotAtBreakpoint { .. } => {
                let title = "Not at a breakpoint";
                let detail = error.to_string();
                Self::new(StatusCode::CONFLICT, "not-at-breakpoint", title, detail)
            }
            Error::UnknownWebhook => Self::not_found("there is no such webhook"),
            Error::WebhookClosed => {
                let detail = error.to_string();
                Self::new(StatusCode::GONE, "webhook-closed", "Webhook closed", detail)
            }
            Error::UnknownTask => Self::not_found(error.to_string()),
            Error::RunFailed { .. } => {
                let title = "Run without result";
                Self::new(StatusCode::CONFLICT, "run-failed", title, error.to_string())
            }
            Error::StillRunning { .. } | Error::NoReply { .. } => {
                Self::unavailable(error.to_string())
            }
            Error::Refused { .. } => {
                let title = "Refused";
                Self::new(StatusCode::CONFLICT, "refused", title, error.to_string())
            }
            Error::NoTransactions { .. } => Self::internal(),
        };
        log(&problem, &error);
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Error::Store(error).into()
    }
}

impl From<InvalidName> for Problem {
    fn from(error: InvalidName) -> Self {
        Error::InvalidName(error).into()
    }
}

/// The problem of a run that does not exist.
pub(crate) fn unknown_run(run: &str) -> Problem {
    let detail = format!("no run `{run}`");
    Problem::new(StatusCode::NOT_FOUND, "unknown-run", "Unknown run", detail)
}

pub(super) fn unknown_workflow(workflow: &str, version: Option<u32>) -> Problem {
    let at = version.map_or_else(String::new, |version| format!(" at version {version}"));
    let detail = format!("no workflow `{workflow}`{at} is registered here");
    let title = "Unknown workflow";
    Problem::new(StatusCode::NOT_FOUND, "unknown-workflow", title, detail)
}

fn of_name(error: &InvalidName) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "invalid-name", "Invalid name", error.to_string())
}

/// Sizes are told, everything else about a stored value is not.
fn of_payload(error: &PayloadError) -> Problem {
    if !matches!(error, PayloadError::TooLarge { .. }) {
        return Problem::internal();
    }
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    let title = "Payload too large";
    Problem::new(status, "payload-too-large", title, error.to_string())
}

fn of_store(error: &StoreError) -> Problem {
    match error {
        StoreError::UnknownRun { run } => unknown_run(run.as_str()),
        StoreError::WrongStatus { .. } => {
            let title = "Wrong status";
            let detail = error.to_string();
            Problem::new(StatusCode::CONFLICT, "wrong-status", title, detail)
        }
        StoreError::InvalidCursor { .. } => Problem::bad_request(error.to_string()),
        StoreError::TooSlow { .. } => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "too-slow", "Too slow", error.to_string()).retry_after(1)
        }
        StoreError::Backend { .. }
        | StoreError::OutOfRoom { .. }
        | StoreError::Unreachable { .. }
        | StoreError::LeaseLost { .. }
        | StoreError::InstanceLost { .. } => {
            Problem::unavailable("the store did not answer; try again")
        }
        StoreError::SchemaAhead { .. } | StoreError::UnknownWord(_) | StoreError::Payload(_) => {
            Problem::internal()
        }
    }
}

/// What the client is not told goes to the log.
fn log(problem: &Problem, error: &Error) {
    let error = error as &dyn StdError;
    match problem.status {
        500 => tracing::error!(error, "request failed"),
        503 => tracing::warn!(error, "request could not be answered now"),
        _ => {}
    }
}
