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
    /// What is left out of them.
    pub except: Except,
    /// Only runs that have started others, or only those that have not.
    pub has_children: Option<bool>,
    /// Only runs that another run has started, or only those that none has.
    pub has_parent: Option<bool>,
    /// Where the last page ended ([`RunPage::next`]).
    pub after: Option<String>,
    /// Runs on a page, 1 to 200; 0 means 50.
    pub limit: u32,
}

/// Runs that a list leaves out: those that have any of this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Except {
    /// Not of these workflows.
    pub workflows: Vec<Arc<str>>,
    /// With none of these tags.
    pub tags: Vec<Arc<str>>,
    /// Not of these namespaces.
    pub namespaces: Vec<Arc<str>>,
}

impl Except {
    /// How much is left out.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.workflows.len() + self.tags.len() + self.namespaces.len()
    }

    /// Whether nothing is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl RunQuery {
    /// The most runs on a page: a page stays a small answer.
    pub const MAX_LIMIT: u32 = 200;
    /// Runs on a page unless asked otherwise: what fits on a screen.
    pub const DEFAULT_LIMIT: u32 = 50;

    /// The most conditions on search attributes: each is looked up for each run.
    pub const MAX_ATTRIBUTES: usize = 16;

    /// The most that is left out, for the same reason.
    pub const MAX_EXCEPT: usize = 16;

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
