//! What the newest runs say together.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use axum::{Extension, Json};
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};
use utoipa::ToSchema;

use super::params::{FacetParams, FilterQuery, ListParams, View};
use crate::control::{Bucket, Facets, FailureGroup, Survey, WorkflowSurvey};
use crate::http::problem::Problem;
use crate::model::RunStatus;
use crate::store::StoreError;
use crate::time::Timestamp;

/// What is read faster than this is read anew for everyone.
const CHEAP: Duration = Duration::from_millis(100);

/// What took longer is good for so many times as long: looking then takes a twentieth of one
/// connection at the most, however many people look.
const GOOD_FOR: u32 = 20;

/// The last answers of a process, where they were not cheap. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Surveys {
    survey: Arc<Mutex<Option<Kept<SurveyView>>>>,
    failures: Arc<Mutex<Option<Kept<FailureList>>>>,
}

/// An answer and how long it is good.
#[derive(Debug)]
struct Kept<T> {
    answer: Arc<T>,
    until: Instant,
}

/// The kept answer if it is still good, else a new one. Those who ask meanwhile wait for it.
async fn kept<T>(
    last: &Mutex<Option<Kept<T>>>,
    read: impl Future<Output = Result<T, StoreError>>,
) -> Result<Json<Arc<T>>, Problem> {
    let mut last = last.lock().await;
    if let Some(kept) = last.as_ref().filter(|kept| Instant::now() < kept.until) {
        return Ok(Json(Arc::clone(&kept.answer)));
    }
    let began_at = Instant::now();
    let answer = Arc::new(read.await?);
    let took = began_at.elapsed();
    *last = (took > CHEAP).then(|| Kept {
        answer: Arc::clone(&answer),
        until: Instant::now() + took * GOOD_FOR,
    });
    Ok(Json(answer))
}

/// What the newest runs say together. It covers as many as can be read without disturbing the
/// engine, and says how many these are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SurveyView {
    /// How many runs were read.
    runs: usize,
    /// Whether these are all that there are.
    is_complete: bool,
    /// When the oldest of them was started.
    since: Option<i64>,
    /// When the survey was made.
    at: i64,
    /// How many stand where.
    statuses: BTreeMap<&'static str, usize>,
    /// How many ended when, oldest first.
    ended: Vec<BucketView>,
    /// The same by workflow.
    workflows: Vec<WorkflowSurveyView>,
}

/// The runs that ended within a part of the time.
#[derive(Debug, Serialize, ToSchema)]
struct BucketView {
    /// Where it begins.
    from: i64,
    /// Where it ends.
    to: i64,
    /// How many completed.
    completed: usize,
    /// How many failed, were blocked or given up.
    failed: usize,
}

/// What the newest runs of one workflow say together.
#[derive(Debug, Serialize, ToSchema)]
struct WorkflowSurveyView {
    /// The workflow.
    name: String,
    /// Its version.
    version: u32,
    /// How many stand where.
    statuses: BTreeMap<&'static str, usize>,
    /// From start to completion: what half of the runs stayed below.
    p50_ms: Option<u64>,
    /// What 95 % of the runs stayed below.
    p95_ms: Option<u64>,
}

/// Runs that failed, by reason.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailureList {
    /// The groups, the largest first.
    groups: Vec<FailureGroupView>,
    /// Whether all failed runs were read, and not only the newest.
    is_complete: bool,
}

/// Runs of a workflow that failed for the same reason.
#[derive(Debug, Serialize, ToSchema)]
struct FailureGroupView {
    /// The reason without its numbers and ids.
    fingerprint: String,
    /// The stable word of the failure.
    code: Option<String>,
    /// The workflow.
    workflow: String,
    /// The whole reason of the newest one.
    sample: String,
    /// How many runs.
    runs: usize,
    /// The id of the newest one.
    newest: String,
    /// When the oldest of them last changed.
    first_at: i64,
    /// When the newest of them last changed.
    last_at: i64,
    /// How many stand where.
    statuses: BTreeMap<&'static str, usize>,
}

/// The most tags and workflows that are listed, the most frequent first.
const MOST_VALUES: usize = 50;

/// How many of the newest runs that match stand where, and what they are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FacetsView {
    /// How many runs were read.
    runs: usize,
    /// Whether these are all that match.
    is_complete: bool,
    /// How many stand where.
    statuses: BTreeMap<&'static str, usize>,
    /// The most frequent workflows.
    workflows: Vec<FacetView>,
    /// The most frequent tags.
    tags: Vec<FacetView>,
}

/// A value and how many runs have it.
#[derive(Debug, Serialize, ToSchema)]
struct FacetView {
    /// The value.
    value: String,
    /// How many runs have it.
    runs: usize,
}

impl From<Facets> for FacetsView {
    fn from(facets: Facets) -> Self {
        Self {
            runs: facets.runs,
            is_complete: facets.is_complete,
            statuses: words(&facets.statuses),
            workflows: most(facets.workflows),
            tags: most(facets.tags),
        }
    }
}

fn most(values: BTreeMap<Arc<str>, usize>) -> Vec<FacetView> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by_key(|(_, runs)| std::cmp::Reverse(*runs));
    let values = values.into_iter().take(MOST_VALUES);
    let views = values.map(|(value, runs)| FacetView {
        value: value.to_string(),
        runs,
    });
    views.collect()
}

fn words(statuses: &BTreeMap<RunStatus, usize>) -> BTreeMap<&'static str, usize> {
    let words = statuses.iter();
    words
        .map(|(status, count)| (status.as_str(), *count))
        .collect()
}

impl From<Survey> for SurveyView {
    fn from(survey: Survey) -> Self {
        Self {
            runs: survey.runs,
            is_complete: survey.is_complete,
            since: survey.since.map(Timestamp::as_millis),
            at: survey.at.as_millis(),
            statuses: words(&survey.statuses),
            ended: survey.ended.iter().map(Into::into).collect(),
            workflows: survey.workflows.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<&Bucket> for BucketView {
    fn from(bucket: &Bucket) -> Self {
        Self {
            from: bucket.from.as_millis(),
            to: bucket.to.as_millis(),
            completed: bucket.completed,
            failed: bucket.failed,
        }
    }
}

impl From<WorkflowSurvey> for WorkflowSurveyView {
    fn from(survey: WorkflowSurvey) -> Self {
        Self {
            name: survey.workflow.name.to_string(),
            version: survey.workflow.version,
            statuses: words(&survey.statuses),
            p50_ms: survey.p50_ms,
            p95_ms: survey.p95_ms,
        }
    }
}

impl From<FailureGroup> for FailureGroupView {
    fn from(group: FailureGroup) -> Self {
        Self {
            statuses: words(&group.statuses),
            fingerprint: group.fingerprint,
            code: group.code,
            workflow: group.workflow.to_string(),
            sample: group.sample,
            runs: group.runs,
            newest: group.newest.to_string(),
            first_at: group.first_at.as_millis(),
            last_at: group.last_at.as_millis(),
        }
    }
}

/// Says how many runs stand where, how long they took and how many ended when.
#[utoipa::path(
    get,
    path = "/survey",
    operation_id = "get_survey",
    tag = "runs",
    responses(
        (status = 200, description = "About the newest runs.", body = SurveyView),
    )
)]
pub(super) async fn survey(
    View(control): View,
    Extension(surveys): Extension<Surveys>,
) -> Result<Json<Arc<SurveyView>>, Problem> {
    let read = async { control.survey().await.map(Into::into) };
    kept(&surveys.survey, read).await
}

/// Groups failed runs by reason.
#[utoipa::path(
    get,
    path = "/failures",
    operation_id = "list_failures",
    tag = "runs",
    responses(
        (status = 200, description = "The groups.", body = FailureList),
    )
)]
pub(super) async fn failures(
    View(control): View,
    Extension(surveys): Extension<Surveys>,
) -> Result<Json<Arc<FailureList>>, Problem> {
    let read = async {
        let (groups, is_complete) = control.failures().await?;
        Ok(FailureList {
            groups: groups.into_iter().map(Into::into).collect(),
            is_complete,
        })
    };
    kept(&surveys.failures, read).await
}

/// Counts the newest runs that match: by status, workflow and tag.
///
/// It covers 2,000 runs at the most, and says whether these are all. Statuses do not narrow it, so
/// that each can say how many would be found, unless `q` names some.
#[utoipa::path(
    get,
    path = "/facets",
    operation_id = "get_facets",
    tag = "runs",
    params(FacetParams),
    responses(
        (status = 200, description = "The counts.", body = FacetsView),
        (status = 400, description = "A filter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn facets(
    View(control): View,
    FilterQuery(mut params, attr): FilterQuery<FacetParams>,
) -> Result<Json<FacetsView>, Problem> {
    params.attr = attr;
    let now = control.engine().clock().now();
    let query = ListParams::from(params).into_query(now)?;
    let facets = control.facets(&query).await?;
    Ok(Json(facets.into()))
}
