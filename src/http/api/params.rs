//! What a request may ask for, within bounds.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::http::problem::Problem;
use crate::id::MAX_NAME_BYTES;
use crate::model::{RunQuery, RunStatus};

/// The longest page cursor: those that stores give out are shorter.
const MAX_CURSOR_BYTES: usize = 1_024;

/// `Path` whose refusal is a problem document.
#[derive(Debug)]
pub(super) struct ApiPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// `Query` whose refusal is a problem document.
#[derive(Debug)]
pub(super) struct ApiQuery<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// Which runs to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// Only these statuses, separated by commas, such as `failed,dead`.
    #[param(example = "failed,dead")]
    status: Option<String>,
    /// Only this workflow.
    workflow: Option<String>,
    /// Only runs with this tag.
    tag: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Runs on the page. Default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl TryFrom<ListParams> for RunQuery {
    type Error = Problem;

    fn try_from(params: ListParams) -> Result<Self, Problem> {
        let mut query = Self::default();
        let words = params.status.as_deref().unwrap_or_default().split(',');
        for word in words.map(str::trim).filter(|word| !word.is_empty()) {
            let status = word.parse::<RunStatus>();
            let status = status.map_err(|_| unknown_status(word))?;
            if !query.statuses.contains(&status) {
                query.statuses.push(status);
            }
        }
        query.workflow = bounded("workflow", params.workflow, MAX_NAME_BYTES)?.map(Into::into);
        query.tag = bounded("tag", params.tag, MAX_NAME_BYTES)?.map(Into::into);
        query.after = bounded("after", params.after, MAX_CURSOR_BYTES)?;
        query.limit = match params.limit {
            None => Self::DEFAULT_LIMIT,
            Some(limit @ 1..=Self::MAX_LIMIT) => limit,
            Some(limit) => {
                let most = Self::MAX_LIMIT;
                let detail = format!("`limit` is {limit}; pass a number from 1 to {most}");
                return Err(Problem::bad_request(detail));
            }
        };
        Ok(query)
    }
}

fn unknown_status(word: &str) -> Problem {
    let word: String = word.chars().take(MAX_NAME_BYTES).collect();
    let known = RunStatus::ALL.map(RunStatus::as_str).join(", ");
    Problem::bad_request(format!("`{word}` is no run status; known are {known}"))
}

/// A filter that is not longer than anything it could match; an empty one is none.
fn bounded(name: &str, text: Option<String>, most: usize) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.is_empty() => Ok(None),
        Some(text) if text.len() > most => {
            let detail = format!("`{name}` is longer than {most} bytes");
            Err(Problem::bad_request(detail))
        }
        text => Ok(text),
    }
}

/// Which part of a run's timeline to show.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TimelineParams {
    /// The first position to show. Default 0.
    #[serde(default)]
    pub(super) from_seq: u32,
}

/// Where a stream goes on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamParams {
    /// The revision after which to begin, for those who cannot send `Last-Event-ID`. Default 0,
    /// the whole timeline.
    after: Option<u64>,
}

impl StreamParams {
    /// The revision after which to begin: what the client has seen last, if it says so.
    pub(super) fn position(&self, headers: &HeaderMap) -> Result<u64, Problem> {
        let Some(last) = headers.get("last-event-id") else {
            return Ok(self.after.unwrap_or(0));
        };
        let last = last.to_str().ok().and_then(|last| last.trim().parse().ok());
        let problem = || Problem::bad_request("`Last-Event-ID` is no id of this stream");
        last.ok_or_else(problem)
    }
}
