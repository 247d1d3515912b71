//! Which runs to list.

use std::sync::Arc;

use super::attribute_filter::AttributeFilter;
use super::run::{Run, RunStatus};
use crate::id::RunId;
use crate::time::Timestamp;

/// Which runs to list, newest first. An empty query lists all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunQuery {
    /// Only these statuses; empty means any.
    pub statuses: Vec<RunStatus>,
    /// Only this workflow.
    pub workflow: Option<Arc<str>>,
    /// Only runs with this tag.
    pub tag: Option<Arc<str>>,
    /// Only runs whose search attributes meet all of these.
    pub attributes: Vec<AttributeFilter>,
    /// Only runs of this namespace.
    pub namespace: Option<Arc<str>>,
    /// Only the children of this run.
    pub parent: Option<RunId>,
    /// Only runs whose id begins so.
    pub id_prefix: Option<Arc<str>>,
    /// Only runs that were started then or later.
    pub since: Option<Timestamp>,
    /// Only runs that were started then or earlier.
    pub until: Option<Timestamp>,
    /// Where the last page ended ([`RunPage::next`]).
    pub after: Option<String>,
    /// Runs on a page, 1 to 200; 0 means 50.
    pub limit: u32,
}

impl RunQuery {
    /// The most runs on a page: a page stays a small answer.
    pub const MAX_LIMIT: u32 = 200;
    /// Runs on a page unless asked otherwise: what fits on a screen.
    pub const DEFAULT_LIMIT: u32 = 50;

    /// The most conditions on search attributes: each is looked up for each run.
    pub const MAX_ATTRIBUTES: usize = 16;

    /// The number of runs on a page, within its bounds.
    #[must_use]
    pub fn page_size(&self) -> u32 {
        match self.limit {
            0 => Self::DEFAULT_LIMIT,
            n => n.min(Self::MAX_LIMIT),
        }
    }
}

/// A page of runs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunPage {
    /// The runs, newest first, without inputs and outputs.
    pub runs: Vec<Run>,
    /// What to pass as [`RunQuery::after`] for the next page; `None` at the end.
    pub next: Option<String>,
}
