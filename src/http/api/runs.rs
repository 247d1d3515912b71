//! Reading runs.

use axum::Json;

use super::{
    dto::{CheckpointView, ExplanationView, PublishedValue, RunDetail, RunList, RunView},
    params::{ApiPath, ApiQuery, ListParams, TimelineParams},
    value::Allowance,
};
use crate::control::Waiting;
use crate::durable::Durable;
use crate::http::failure::unknown_run;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::model::RunQuery;
use crate::payload::Payload;

/// Operations in one answer: some hundred milliseconds of a browser's drawing.
const TIMELINE_PAGE: usize = 500;

/// Lists runs, newest first.
#[utoipa::path(
    get,
    path = "/runs",
    tag = "runs",
    params(ListParams),
    responses(
        (status = 200, description = "A page of runs.", body = RunList),
        (status = 400, description = "A filter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    durable: Durable,
    ApiQuery(params): ApiQuery<ListParams>,
) -> Result<Json<RunList>, Problem> {
    let query = RunQuery::try_from(params)?;
    let page = durable.list_runs(&query).await?;
    Ok(Json(page.into()))
}

/// Shows one run with its timeline.
#[utoipa::path(
    get,
    path = "/runs/{id}",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id."), TimelineParams),
    responses(
        (status = 200, description = "The run.", body = RunDetail),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "This cannot be a run's id.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn detail(
    durable: Durable,
    ApiPath(id): ApiPath<String>,
    ApiQuery(params): ApiQuery<TimelineParams>,
) -> Result<Json<RunDetail>, Problem> {
    let id = RunId::parse(id)?;
    let record = durable.control().load(&id).await?;
    let record = record.ok_or_else(|| unknown_run(id.as_str()))?;
    let mut allowance = Allowance::default();
    let run = RunView::new(&record.run, &mut allowance);
    let shown = record.history.iter();
    let mut shown = shown.skip_while(|checkpoint| checkpoint.seq.0 < params.from_seq);
    let page = shown.by_ref().take(TIMELINE_PAGE);
    let timeline = page.map(|checkpoint| CheckpointView::new(checkpoint, &mut allowance));
    let timeline = timeline.collect();
    let timeline_next = shown.next().map(|checkpoint| checkpoint.seq.0);
    let waiting = record.history.iter().filter_map(Waiting::of);
    let waiting = waiting.filter(|_| !record.run.status.is_terminal());
    Ok(Json(RunDetail {
        run,
        timeline,
        timeline_next,
        waiting_for: waiting.map(Into::into).take(TIMELINE_PAGE).collect(),
    }))
}

/// Says why a run stands where it stands, and what will wake it.
#[utoipa::path(
    get,
    path = "/runs/{id}/explain",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The explanation.", body = ExplanationView),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "This cannot be a run's id.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn explain(
    durable: Durable,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<ExplanationView>, Problem> {
    let explanation = durable.explain(id).await?;
    Ok(Json(explanation.into()))
}

/// Reads the latest value that a run has published under a key.
#[utoipa::path(
    get,
    path = "/runs/{id}/events/{key}",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id."),
        ("key" = String, Path, description = "The key given to `ctx.set_event`."),
    ),
    responses(
        (status = 200, description = "The value.", body = PublishedValue),
        (status = 404, description = "There is no such run, or it has not published the key.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "This cannot be a run's id.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn published(
    durable: Durable,
    ApiPath((id, key)): ApiPath<(String, String)>,
) -> Result<Json<PublishedValue>, Problem> {
    let id = RunId::parse(id)?;
    let Some(value) = durable.get_event::<Payload>(id.as_str(), &key).await? else {
        return Err(match durable.get_run(id.as_str()).await? {
            Some(_) => Problem::not_found(format!("run `{id}` has not published `{key}`")),
            None => unknown_run(id.as_str()),
        });
    };
    Ok(Json(PublishedValue {
        run_id: id.to_string(),
        key,
        value: Allowance::default().show(&value),
    }))
}
