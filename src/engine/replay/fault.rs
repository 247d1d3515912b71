//! Why a workflow's code cannot go on from its history.

use std::{fmt, panic::Location, sync::Arc};

use crate::id::Seq;
use crate::model::{CheckpointKind, Failure};

/// Why a workflow's code cannot go on from its history.
///
/// Each of these is found before the code does anything new, and sets the run aside as `blocked`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The code asked for another operation than the recorded one.
    Changed {
        seq: Seq,
        recorded: (CheckpointKind, Arc<str>, Option<Arc<str>>),
        asked: (CheckpointKind, Arc<str>),
        site: &'static Location<'static>,
    },
    /// The code waits or has returned, but never asked for a recorded operation.
    Missing {
        seq: Seq,
        recorded: (CheckpointKind, Arc<str>, Option<Arc<str>>),
        returned: bool,
    },
    /// The code awaits something that is no operation.
    Foreign { after: Seq },
    /// The code went on although no outcome was handed to it.
    Unprompted { seq: Seq },
    /// An operation was made inside a step body.
    Nested {
        name: Arc<str>,
        site: &'static Location<'static>,
    },
}

impl Fault {
    /// Whether the code differs from the history, so that nothing of what it did may be kept.
    pub(crate) const fn is_divergence(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Missing { .. })
    }

    /// The failure that is stored on the blocked run.
    pub(crate) fn into_failure(self) -> Failure {
        let code = match &self {
            Self::Changed { .. } | Self::Missing { .. } => "diverged",
            Self::Foreign { .. } | Self::Unprompted { .. } => "foreign_await",
            Self::Nested { .. } => "nested_operation",
        };
        Failure::fatal(code, self.to_string())
    }
}

/// A kind with its name, such as ``step `charge` ``.
struct Named<'a>(CheckpointKind, &'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(kind, "") => write!(f, "{kind}"),
            Self(kind, name) => write!(f, "{kind} `{name}`"),
        }
    }
}

/// ` at <file>:<line>:<column>` from a recorded site, which begins with the build.
struct At<'a>(Option<&'a str>);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.0.and_then(|site| site.split_once(' '));
        place.map_or(Ok(()), |(_, place)| write!(f, " at {place}"))
    }
}

const WHAT_TO_DO: &str =
    "deploy the old code again, or this code as a new version, then requeue the run";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed {
                seq,
                recorded: (kind, name, place),
                asked,
                site,
            } => {
                let recorded = Named(*kind, name);
                let at = At(place.as_deref());
                let asked = Named(asked.0, &asked.1);
                write!(
                    f,
                    "the code replayed differently at seq {seq}: recorded {recorded}{at}, \
                     code now asks for {asked} at {site}; {WHAT_TO_DO}"
                )
            }
            Self::Missing {
                seq,
                recorded: (kind, name, place),
                returned,
            } => {
                let recorded = Named(*kind, name);
                let at = At(place.as_deref());
                let now = if *returned { "returns" } else { "waits" };
                write!(
                    f,
                    "the code replayed differently at seq {seq}: recorded {recorded}{at}, \
                     code now {now} without asking for it; {WHAT_TO_DO}"
                )
            }
            Self::Foreign { after } => write!(
                f,
                "the workflow awaits something that is no operation, after seq {after}; \
                 move the call into `ctx.step` and requeue the run"
            ),
            Self::Unprompted { seq } => write!(
                f,
                "the workflow went on at seq {seq} although no operation had ended: it awaits \
                 something that is no operation; move the call into `ctx.step` and requeue the run"
            ),
            Self::Nested { name, site } => write!(
                f,
                "operation `{name}` at {site} was made inside a step body; operations belong to \
                 the workflow, next to the step"
            ),
        }
    }
}
