//! Beginning a run with a part of another one's history.

use axum::{Json, http::StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    body::{ApiJson, audit, by},
    params::ApiPath,
};
use crate::durable::Durable;
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::model::Checkpoint;

/// The most results that are edited at once.
const MOST_EDITS: usize = 100;

/// What to fork, and how the new run differs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForkBody {
    /// The position of the first operation that runs again. Default: the one that the run failed
    /// of, or none of those that have ended.
    #[serde(default)]
    from_seq: Option<u32>,
    /// The new run's id. Default: a generated one.
    #[serde(default)]
    id: Option<String>,
    /// Another input, which may be null. Default: that of the source.
    #[serde(default, deserialize_with = "given")]
    input: Option<Value>,
    /// Other results of operations before `from_seq`. Takes the right to administer.
    #[serde(default)]
    #[schema(max_items = 100)]
    results: Vec<EditedResult>,
    /// Only says what would be done.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// Another result of an operation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditedResult {
    /// The operation's position.
    seq: u32,
    /// What the workflow receives in place of the recorded result.
    value: Value,
}

/// An operation of the source.
#[derive(Debug, Serialize, ToSchema)]
struct ForkedOperation {
    /// Its position.
    seq: u32,
    /// Which operation it is.
    kind: &'static str,
    /// Its name.
    name: String,
    /// How it stands in the source.
    status: &'static str,
}

impl From<&Checkpoint> for ForkedOperation {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            seq: checkpoint.seq.0,
            kind: checkpoint.kind.as_str(),
            name: checkpoint.name.to_string(),
            status: checkpoint.status.as_str(),
        }
    }
}

/// What a fork does.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForkView {
    /// The new run; absent for a dry run.
    run_id: Option<String>,
    /// Operations whose outcome the new run begins with.
    kept: Vec<ForkedOperation>,
    /// Recorded operations that run again, if the code asks for them.
    again: Vec<ForkedOperation>,
    /// Undos that the source has run and the new run does not know of: what they took back is
    /// taken as done.
    undone: Vec<String>,
}

/// Begins a new run with a part of another one's history; with `dry_run`, only says what it would
/// do. The source stays as it is.
#[utoipa::path(
    post,
    path = "/runs/{id}/fork",
    operation_id = "fork_run",
    tag = "actions",
    params(("id" = String, Path, description = "The id of the run to begin from.")),
    request_body = ForkBody,
    responses(
        (status = 200, description = "What would be done.", body = ForkView),
        (status = 202, description = "The new run is stored.", body = ForkView),
        (status = 409, description = "The new id is taken, or a result that was edited is not kept.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The value is larger than a stored one may be.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn fork(
    durable: Durable,
    access: Access,
    ApiPath(id): ApiPath<String>,
    ApiJson(body): ApiJson<ForkBody>,
) -> Result<(StatusCode, Json<ForkView>), Problem> {
    let id = RunId::parse(id)?;
    if !body.results.is_empty() {
        access.must_administer()?;
    }
    if body.results.len() > MOST_EDITS {
        let detail = format!("`results` are {MOST_EDITS} at the most");
        return Err(unprocessable(detail));
    }
    let mut fork = durable.fork(id.as_str());
    if let Some(seq) = body.from_seq {
        fork = fork.from_step(seq);
    }
    if let Some(input) = &body.input {
        fork = fork.edit_input(input);
    }
    for EditedResult { seq, value } in &body.results {
        fork = fork.edit_result(*seq, value);
    }
    if let Some(id) = body.id.filter(|id| !id.is_empty()) {
        fork = fork.id(id);
    }
    let preview = fork.preview().await?;
    let mut view = ForkView {
        run_id: None,
        kept: preview.kept.iter().map(Into::into).collect(),
        again: preview.again.iter().map(Into::into).collect(),
        undone: preview.undone.iter().map(ToString::to_string).collect(),
    };
    if body.dry_run {
        return Ok((StatusCode::OK, Json(view)));
    }
    let by = by(&access, body.reason.as_deref());
    let run = fork.on_behalf(by).await?;
    audit(&access, "fork", id.as_str(), body.reason.as_deref());
    view.run_id = Some(run.id().to_string());
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// A field that is there, also if it is null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn unprocessable(detail: String) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "unprocessable", "Unprocessable", detail)
}
