//! What a request may ask for, within bounds.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, Uri, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

use super::{meta::Offers, search::refine};
use crate::control::Control;
use crate::durable::Durable;
use crate::http::problem::Problem;
use crate::id::{MAX_NAME_BYTES, RunId};
use crate::model::{AttributeFilter, RunQuery, RunStatus};
use crate::time::Timestamp;

/// The longest page cursor: those that stores give out are shorter.
const MAX_CURSOR_BYTES: usize = 1_024;

/// The longest condition on a search attribute: a key, a word, and a text with each byte escaped.
const MAX_ATTR_BYTES: usize = 2_048;

/// What is read for people, by the router's own rules.
#[derive(Debug)]
pub(super) struct View(pub(super) Control);

impl<S: Send + Sync> FromRequestParts<S> for View {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let durable = Durable::from_request_parts(parts, state).await;
        let durable = durable.map_err(|_| Problem::internal())?;
        let offers = parts.extensions.get::<Offers>();
        let offers = offers.ok_or_else(Problem::internal)?;
        Ok(Self(durable.control().redacted_by(offers.redactor.clone())))
    }
}

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

/// How a run is cancelled.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CancelParams {
    /// Whether what the run has done is undone before it ends. Default: no.
    pub(super) compensate: Option<bool>,
}

/// Which runs to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// A search as people type it, such as `is:broken workflow:checkout newer:2h`. It may not say
    /// again what another parameter says.
    #[param(example = "is:broken newer:2h")]
    pub(super) q: Option<String>,
    /// Only these statuses, separated by commas, such as `failed,dead`.
    #[param(example = "failed,dead")]
    pub(super) status: Option<String>,
    /// Only this workflow.
    pub(super) workflow: Option<String>,
    /// Only runs with this tag.
    pub(super) tag: Option<String>,
    /// Only runs with such a search attribute, as `key:op:value` with `eq`, `ne`, `gt`, `gte`, `lt`
    /// or `lte`; repeated, all of them hold. The value is a number or boolean if it looks like one,
    /// else a text, which may hold colons; in quotation marks it is a text in any case.
    #[serde(default)]
    #[param(example = json!(["total:gte:100"]))]
    pub(super) attr: Vec<String>,
    /// Only runs of this namespace.
    pub(super) namespace: Option<String>,
    /// Only the children of this run.
    pub(super) parent: Option<String>,
    /// Only runs whose id begins so.
    pub(super) id_prefix: Option<String>,
    /// Only runs that were started then or later, in milliseconds since 1970.
    pub(super) since: Option<i64>,
    /// Only runs that were started then or earlier.
    pub(super) until: Option<i64>,
    /// The `next` of the page before.
    pub(super) after: Option<String>,
    /// Runs on the page. Default 50.
    #[param(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u32>,
}

impl ListParams {
    /// The query that was asked for; spans of time end at `now`.
    pub(super) fn into_query(self, now: Timestamp) -> Result<RunQuery, Problem> {
        let params = self;
        let mut query = RunQuery::default();
        let words = params.status.as_deref().unwrap_or_default().split(',');
        for word in words.map(str::trim).filter(|word| !word.is_empty()) {
            let status = word.parse::<RunStatus>();
            let status = status.map_err(|_| Problem::bad_request(unknown_status(word)))?;
            if !query.statuses.contains(&status) {
                query.statuses.push(status);
            }
        }
        query.workflow = bounded("workflow", params.workflow, MAX_NAME_BYTES)?.map(Into::into);
        query.tag = bounded("tag", params.tag, MAX_NAME_BYTES)?.map(Into::into);
        let filters = params.attr.iter().filter(|it| !it.is_empty());
        for text in filters {
            if query.attributes.len() == RunQuery::MAX_ATTRIBUTES || text.len() > MAX_ATTR_BYTES {
                let most = RunQuery::MAX_ATTRIBUTES;
                let detail = format!("`attr` is given {most} times at the most, and not longer");
                return Err(Problem::bad_request(detail));
            }
            let filter = text.parse::<AttributeFilter>();
            let filter =
                filter.map_err(|error| Problem::bad_request(format!("`attr`: {error}")))?;
            query.attributes.push(filter);
        }
        let namespace = bounded("namespace", params.namespace, MAX_NAME_BYTES)?;
        query.namespace = namespace.map(Into::into);
        let parent = bounded("parent", params.parent, MAX_NAME_BYTES)?;
        query.parent = parent.map(RunId::from_trusted);
        query.id_prefix = bounded("id_prefix", params.id_prefix, MAX_NAME_BYTES)?.map(Into::into);
        query.since = params.since.map(Timestamp::from_millis);
        query.until = params.until.map(Timestamp::from_millis);
        query.after = bounded("after", params.after, MAX_CURSOR_BYTES)?;
        refine(&mut query, params.q.as_deref().unwrap_or_default(), now)?;
        query.limit = match params.limit {
            None => RunQuery::DEFAULT_LIMIT,
            Some(limit @ 1..=RunQuery::MAX_LIMIT) => limit,
            Some(limit) => {
                let most = RunQuery::MAX_LIMIT;
                let detail = format!("`limit` is {limit}; pass a number from 1 to {most}");
                return Err(Problem::bad_request(detail));
            }
        };
        Ok(query)
    }
}

/// `ApiQuery` beside the conditions on search attributes, `attr`, which may come several times.
#[derive(Debug)]
pub(super) struct FilterQuery<T>(pub(super) T, pub(super) Vec<String>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for FilterQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let (attr, others): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .partition(|pair| *pair == "attr" || pair.starts_with("attr="));
        let Query(params) = read(&others)?;
        let Query(attr) = read::<Vec<(String, String)>>(&attr)?;
        let attr = attr.into_iter().map(|(_, value)| value).collect();
        Ok(Self(params, attr))
    }
}

fn read<T: DeserializeOwned>(pairs: &[&str]) -> Result<Query<T>, Problem> {
    let uri = Uri::try_from(format!("/?{}", pairs.join("&")));
    let uri = uri.map_err(|_| Problem::bad_request("the address cannot be read"))?;
    Ok(Query::try_from_uri(&uri)?)
}

/// What is said of a word that is no status.
pub(super) fn unknown_status(word: &str) -> String {
    let word: String = word.chars().take(MAX_NAME_BYTES).collect();
    let known = RunStatus::ALL.map(RunStatus::as_str).join(", ");
    format!("`{word}` is no run status; known are {known}")
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

/// Which runs to count.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FacetParams {
    /// A search as people type it. Words about statuses in it count too.
    #[param(example = "workflow:checkout newer:2h")]
    q: Option<String>,
    /// Only this workflow.
    workflow: Option<String>,
    /// Only runs with this tag.
    tag: Option<String>,
    /// Only runs with such a search attribute, as `key:op:value`; repeated, all of them hold.
    #[serde(default)]
    #[param(example = json!(["total:gte:100"]))]
    pub(super) attr: Vec<String>,
    /// Only runs of this namespace.
    namespace: Option<String>,
    /// Only the children of this run.
    parent: Option<String>,
    /// Only runs whose id begins so.
    id_prefix: Option<String>,
    /// Only runs that were started then or later, in milliseconds since 1970.
    since: Option<i64>,
    /// Only runs that were started then or earlier.
    until: Option<i64>,
}

impl From<FacetParams> for ListParams {
    fn from(params: FacetParams) -> Self {
        Self {
            q: params.q,
            workflow: params.workflow,
            tag: params.tag,
            attr: params.attr,
            namespace: params.namespace,
            parent: params.parent,
            id_prefix: params.id_prefix,
            since: params.since,
            until: params.until,
            ..Self::default()
        }
    }
}

/// Which part of a run's timeline to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TimelineParams {
    /// The first position to show. Default 0.
    #[serde(default)]
    pub(super) from_seq: u32,
    /// Whether to show payloads. Default `true`.
    #[serde(default = "yes")]
    #[param(required = false)]
    pub(super) payloads: bool,
}

const fn yes() -> bool {
    true
}

/// How many runs to rehearse.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RehearsalParams {
    /// The most runs, 1 to 100. Default 20.
    pub(super) limit: Option<usize>,
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

/// What to follow, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveParams {
    /// Whether to follow the list.
    pub(super) runs: bool,
    /// Which runs to follow, each after a revision.
    pub(super) watched: Vec<(RunId, u64)>,
    /// The last event that was seen.
    pub(super) after: Option<String>,
}

/// The most runs that one stream follows: a page shows one, a comparison two.
const MAX_WATCHED: usize = 8;

impl LiveParams {
    /// Reads `topic=runs&topic=run:7@12&after=…`.
    pub(super) fn parse(
        query: Vec<(String, String)>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let mut params = Self {
            runs: false,
            watched: Vec::new(),
            after: None,
        };
        for (name, value) in query {
            match (name.as_str(), value.as_str()) {
                ("topic", "runs") => params.runs = true,
                ("topic", topic) => params.watched.push(watched(topic)?),
                ("after", after) => params.after = Some(after.to_owned()),
                _ => {
                    let detail = "`topic` and `after` are all that this stream takes";
                    return Err(Problem::bad_request(detail));
                }
            }
        }
        if params.watched.len() > MAX_WATCHED {
            let detail = format!("a stream follows {MAX_WATCHED} runs at the most");
            return Err(Problem::bad_request(detail));
        }
        if !params.runs && params.watched.is_empty() {
            let detail = "name at least one `topic`: `runs` or `run:<id>`";
            return Err(Problem::bad_request(detail));
        }
        let last = headers.get("last-event-id").and_then(|it| it.to_str().ok());
        params.after = last.map(str::to_owned).or(params.after);
        Ok(params)
    }
}

/// `run:<id>`, or `run:<id>@<revision>` to go on after a revision.
fn watched(topic: &str) -> Result<(RunId, u64), Problem> {
    let wrong = || Problem::bad_request("a `topic` is `runs`, `run:<id>` or `run:<id>@<revision>`");
    let run = topic.strip_prefix("run:").ok_or_else(wrong)?;
    // An id may hold an `@` itself; then a revision belongs behind it.
    let (id, after) = match run.rsplit_once('@') {
        Some((id, after)) => match after.parse() {
            Ok(after) => (id, after),
            Err(_) => (run, 0),
        },
        None => (run, 0),
    };
    Ok((RunId::parse(id)?, after))
}

/// How the numbers are written.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// As JSON.
    #[default]
    Json,
    /// As Prometheus reads them.
    Prometheus,
}

/// How to show numbers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricsParams {
    /// `json`, or `prometheus` for its text format. Default `json`.
    #[serde(default)]
    #[param(required = false, inline)]
    pub(super) format: Format,
}
