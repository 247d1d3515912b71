//! A run's operations as lines of JSON, to keep or to search.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes},
    http::header,
    response::IntoResponse,
};
use futures_util::stream;

use super::{
    dto::CheckpointView,
    params::{ApiPath, View},
    value::Allowance,
};
use crate::http::access::Access;
use crate::http::failure::unknown_run;
use crate::http::problem::Problem;
use crate::id::RunId;

/// Shows all operations of a run, one JSON object per line (NDJSON), by position.
#[utoipa::path(
    get,
    path = "/runs/{id}/history",
    operation_id = "get_run_history",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "A `CheckpointView` per line.", body = String, content_type = "application/x-ndjson"),
    )
)]
pub(super) async fn history(
    View(control): View,
    access: Access,
    ApiPath(id): ApiPath<String>,
) -> Result<impl IntoResponse, Problem> {
    let id = RunId::parse(id)?;
    let record = control.load(&id).await?;
    let record = record.ok_or_else(|| unknown_run(id.as_str()))?;
    // Written one by one, so that a long history is held once and not twice.
    let lines = record.history.into_iter().map(move |checkpoint| {
        let view = CheckpointView::new(&checkpoint, &mut Allowance::of(&access));
        // The shapes of answers always have a JSON form.
        let mut line = serde_json::to_vec(&view).unwrap_or_default();
        line.push(b'\n');
        Ok::<_, Infallible>(Bytes::from(line))
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(stream::iter(lines))))
}
