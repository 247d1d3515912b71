//! Reading runs.

use axum::{Extension, Json, http::header, response::IntoResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    dto::{
        CheckpointView, ExplanationView, FailureView, PublishedValue, RunDetail, RunList,
        RunPayloads, RunView,
    },
    hub::Hub,
    params::{ApiPath, ApiQuery, FilterQuery, ListParams, TimelineParams, View},
    under_way::UnderWayView,
    value::Allowance,
};
use crate::control::{Row, Waiting};
use crate::http::access::Access;
use crate::http::failure::unknown_run;
use crate::http::problem::Problem;
use crate::id::RunId;
use crate::payload::Payload;

/// Operations in one answer: some hundred milliseconds of a browser's drawing.
const TIMELINE_PAGE: usize = 500;

/// Lists runs, newest first.
#[utoipa::path(
    get,
    path = "/runs",
    operation_id = "list_runs",
    tag = "runs",
    params(ListParams),
    responses(
        (status = 200, description = "A page of runs.", body = RunList),
        (status = 400, description = "A filter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    View(control): View,
    access: Access,
    Extension(hub): Extension<Hub>,
    FilterQuery(mut params, attr): FilterQuery<ListParams>,
) -> Result<Json<RunList>, Problem> {
    params.attr = attr;
    let query = params.into_query(control.engine().clock().now())?;
    // Before the read: what changes while it is under way comes after this position.
    let event_id = hub.position(&control);
    let page = control.rows(&query).await?;
    Ok(Json(RunList::new(&page, Allowance::of(&access), event_id)))
}

/// Shows one run with its timeline.
#[utoipa::path(
    get,
    path = "/runs/{id}",
    operation_id = "get_run",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id."), TimelineParams),
    responses(
        (status = 200, description = "The run.", body = RunDetail),
    )
)]
pub(super) async fn detail(
    View(control): View,
    access: Access,
    ApiPath(id): ApiPath<String>,
    ApiQuery(params): ApiQuery<TimelineParams>,
) -> Result<Json<RunDetail>, Problem> {
    let id = RunId::parse(id)?;
    let (glance, at) = (control.glance(&id), control.engine().clock().now());
    let record = control.load(&id).await?;
    let record = record.ok_or_else(|| unknown_run(id.as_str()))?;
    let under_way = control.under_way(&record.run, glance, &record.history);
    let mut allowance = if params.payloads {
        Allowance::of(&access)
    } else {
        Allowance::none()
    };
    let waiting = record.history.iter().filter(|it| it.status.is_open());
    let waiting: Vec<_> = waiting
        .filter(|_| !record.run.status.is_terminal())
        .cloned()
        .collect();
    let dead_letter = control.dead_letter(&record.run).await?;
    let display = control.display(&record.run, &waiting);
    let run = Row::new(record.run, display);
    let run = RunView::new(&run, &mut allowance);
    let operations = record.history.len();
    let shown = record.history.iter();
    let mut shown = shown.skip_while(|checkpoint| checkpoint.seq.0 < params.from_seq);
    let page = shown.by_ref().take(TIMELINE_PAGE);
    let timeline = page.map(|checkpoint| CheckpointView::new(checkpoint, &mut allowance));
    let timeline = timeline.collect();
    let timeline_next = shown.next().map(|checkpoint| checkpoint.seq.0);
    let waiting = waiting.iter().filter_map(Waiting::of);
    Ok(Json(RunDetail {
        run,
        timeline,
        timeline_next,
        waiting_for: waiting.map(Into::into).take(TIMELINE_PAGE).collect(),
        under_way: UnderWayView::new(under_way, at),
        operations,
        dead_letter: dead_letter.map(|it| it.to_string()),
    }))
}

/// Shows one operation of a run, with payloads of up to 4 MiB.
#[utoipa::path(
    get,
    path = "/runs/{id}/steps/{seq}",
    operation_id = "get_step",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id."),
        ("seq" = u32, Path, description = "The operation's position."),
    ),
    responses(
        (status = 200, description = "The operation.", body = CheckpointView),
        (status = 400, description = "The position is no number.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run, or it has not come that far.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn step(
    View(control): View,
    access: Access,
    ApiPath((id, seq)): ApiPath<(String, u32)>,
) -> Result<Json<CheckpointView>, Problem> {
    let id = RunId::parse(id)?;
    let record = control.load(&id).await?;
    let record = record.ok_or_else(|| unknown_run(id.as_str()))?;
    let step = record.history.iter().find(|it| it.seq.0 == seq);
    let step = step.ok_or_else(|| {
        Problem::not_found(format!("run `{id}` has no operation at position {seq}"))
    })?;
    let mut allowance = Allowance::of(&access).for_one();
    Ok(Json(CheckpointView::new(step, &mut allowance)))
}

/// Shows what went into a run and what came out, each up to 4 MiB.
#[utoipa::path(
    get,
    path = "/runs/{id}/payloads",
    operation_id = "get_run_payloads",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The payloads.", body = RunPayloads),
    )
)]
pub(super) async fn payloads(
    View(control): View,
    access: Access,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<RunPayloads>, Problem> {
    let id = RunId::parse(id)?;
    let run = control.run(&id).await?;
    let run = run.ok_or_else(|| unknown_run(id.as_str()))?;
    let allowance = Allowance::of(&access).for_one();
    Ok(Json(RunPayloads {
        run_id: id.to_string(),
        input: { allowance }.show(&run.input),
        output: run.output.map(|it| { allowance }.show(&it)),
        error: run
            .failure
            .map(|it| FailureView::new(&it, &mut { allowance })),
    }))
}

/// A payload of a run.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// What went in.
    Input,
    /// What came out.
    Output,
}

/// Downloads what went into a run or what came out, whole, however large it is.
#[utoipa::path(
    get,
    path = "/runs/{id}/payloads/{part}",
    operation_id = "download_run_payload",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id."),
        ("part" = inline(Part), Path, description = "Which one."),
    ),
    responses(
        (status = 200, description = "The payload, as a file.", body = Object),
        (status = 400, description = "There is no such part.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run, or it has no output.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn download(
    View(control): View,
    access: Access,
    ApiPath((id, part)): ApiPath<(String, Part)>,
) -> Result<impl IntoResponse, Problem> {
    access.must_see_payloads()?;
    let id = RunId::parse(id)?;
    let run = control.run(&id).await?;
    let run = run.ok_or_else(|| unknown_run(id.as_str()))?;
    let (name, payload) = match part {
        Part::Input => ("input", Some(run.input)),
        Part::Output => ("output", run.output),
    };
    let none = || Problem::not_found(format!("run `{id}` has no output"));
    attachment(name, &payload.ok_or_else(none)?)
}

/// Downloads the result of an operation, or what a worker was asked, whole.
#[utoipa::path(
    get,
    path = "/runs/{id}/steps/{seq}/payload",
    operation_id = "download_step_payload",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id."),
        ("seq" = u32, Path, description = "The operation's position."),
    ),
    responses(
        (status = 200, description = "The payload, as a file.", body = Object),
        (status = 400, description = "The position is no number.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such operation, or it has no result yet.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn download_step(
    View(control): View,
    access: Access,
    ApiPath((id, seq)): ApiPath<(String, u32)>,
) -> Result<impl IntoResponse, Problem> {
    access.must_see_payloads()?;
    let id = RunId::parse(id)?;
    let record = control.load(&id).await?;
    let record = record.ok_or_else(|| unknown_run(id.as_str()))?;
    let mut steps = record.history.into_iter();
    let payload = steps.find(|it| it.seq.0 == seq).and_then(|it| it.result);
    let none = || Problem::not_found(format!("run `{id}` has no payload at position {seq}"));
    attachment(&format!("step-{seq}"), &payload.ok_or_else(none)?)
}

/// A payload as a file: no browser shows it as a page, whatever it holds.
fn attachment(name: &str, payload: &Payload) -> Result<impl IntoResponse + use<>, Problem> {
    let Some(text) = payload.as_text() else {
        let detail = "a codec that is not configured here has written the payload";
        return Err(Problem::not_found(detail));
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.json\""),
        ),
    ];
    Ok((headers, text.to_owned()))
}

/// Says why a run stands where it stands, and what will wake it.
#[utoipa::path(
    get,
    path = "/runs/{id}/explain",
    operation_id = "explain_run",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The explanation.", body = ExplanationView),
    )
)]
pub(super) async fn explain(
    View(control): View,
    ApiPath(id): ApiPath<String>,
) -> Result<Json<ExplanationView>, Problem> {
    let id = RunId::parse(id)?;
    let explanation = control.explain(&id).await?;
    let explanation = explanation.ok_or_else(|| unknown_run(id.as_str()))?;
    Ok(Json(explanation.into()))
}

/// Reads the latest value that a run has published under a key.
#[utoipa::path(
    get,
    path = "/runs/{id}/events/{key}",
    operation_id = "get_published_value",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id."),
        ("key" = String, Path, description = "The key given to `ctx.set_event`."),
    ),
    responses(
        (status = 200, description = "The value.", body = PublishedValue),
        (status = 404, description = "There is no such run, or it has not published the key.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn published(
    View(control): View,
    access: Access,
    ApiPath((id, key)): ApiPath<(String, String)>,
) -> Result<Json<PublishedValue>, Problem> {
    let id = RunId::parse(id)?;
    let Some(value) = control.published(&id, &key).await? else {
        return Err(match control.run(&id).await? {
            Some(_) => Problem::not_found(format!("run `{id}` has not published `{key}`")),
            None => unknown_run(id.as_str()),
        });
    };
    Ok(Json(PublishedValue {
        run_id: id.to_string(),
        key,
        value: Allowance::of(&access).show(&value),
    }))
}
