//! How long ended runs are kept.

use std::{collections::BTreeSet, time::Duration};

use crate::model::RunStatus;

/// How long ids of signals are kept unless asked otherwise: longer than anyone repeats a delivery.
const SIGNAL_IDS: Duration = Duration::from_secs(30 * 86_400);

/// How often is swept: what is over a minute longer harms nobody.
const EVERY: Duration = Duration::from_secs(60);

/// How long ended runs are kept. Without it, everything is.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use axum_durable::{RunStatus, durable::{Keep, Retention}};
///
/// const DAY: Duration = Duration::from_secs(86_400);
///
/// let retention = Retention::new()
///     .policy(Keep::of([RunStatus::Completed, RunStatus::Cancelled]).max_age(30 * DAY).max_count(1_000_000))
///     .policy(Keep::of([RunStatus::Failed]).max_age(90 * DAY));
/// assert!(retention.check().is_ok());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retention {
    pub(crate) policies: Vec<Keep>,
    pub(crate) signal_ids: Duration,
    pub(crate) drops_logs: bool,
    pub(crate) every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self::new()
    }
}

impl Retention {
    /// Keeps every run; policies say otherwise.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            policies: Vec::new(),
            signal_ids: SIGNAL_IDS,
            drops_logs: false,
            every: EVERY,
        }
    }

    /// Adds a policy. No status may be in two.
    #[must_use]
    pub fn policy(mut self, keep: Keep) -> Self {
        self.policies.push(keep);
        self
    }

    /// How long the id of a signal is known after it was sent, once it was taken. A delivery that
    /// is repeated later counts as a new one. Default 30 days.
    #[must_use]
    pub const fn signal_ids(mut self, length: Duration) -> Self {
        self.signal_ids = length;
        self
    }

    /// Lets the lines of a run's audit log go with it. Default: they are kept.
    #[must_use]
    pub const fn drop_logs(mut self) -> Self {
        self.drops_logs = true;
        self
    }

    /// How often is swept. Default 60 s.
    #[must_use]
    pub const fn every(mut self, length: Duration) -> Self {
        self.every = length;
        self
    }

    /// Checks that the policies make sense together.
    ///
    /// # Errors
    ///
    /// [`InvalidRetention`], naming the first that does not.
    pub fn check(&self) -> Result<(), InvalidRetention> {
        let mut seen = BTreeSet::new();
        for keep in &self.policies {
            if keep.statuses.is_empty() {
                return Err(InvalidRetention::NoStatus);
            }
            if keep.max_age.is_none() && keep.max_count.is_none() {
                return Err(InvalidRetention::NoLimit {
                    status: keep.statuses.first().copied(),
                });
            }
            if keep.max_age.is_some_and(|age| age.is_zero()) || keep.max_count == Some(0) {
                return Err(InvalidRetention::Zero);
            }
            for status in keep.statuses.iter().copied() {
                if !status.is_terminal() {
                    return Err(InvalidRetention::NoEnd { status });
                }
                if !seen.insert(status) {
                    return Err(InvalidRetention::Twice { status });
                }
            }
        }
        if self.signal_ids.is_zero() || self.every.is_zero() {
            return Err(InvalidRetention::Zero);
        }
        Ok(())
    }
}

/// How long ended runs that stand in one of some ways are kept. Where both limits are given, the
/// one that keeps less holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[must_use = "it is a part of a `Retention`"]
pub struct Keep {
    pub(crate) statuses: Vec<RunStatus>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_count: Option<u64>,
}

impl Keep {
    /// Runs that have ended so.
    pub fn of(statuses: impl IntoIterator<Item = RunStatus>) -> Self {
        Self {
            statuses: statuses.into_iter().collect(),
            max_age: None,
            max_count: None,
        }
    }

    /// Until so long after their end.
    pub const fn max_age(mut self, length: Duration) -> Self {
        self.max_age = Some(length);
        self
    }

    /// The newest so many of them, by their ends, children included. Each sweep counts them.
    pub const fn max_count(mut self, runs: u64) -> Self {
        self.max_count = Some(runs);
        self
    }
}

/// Why policies make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRetention {
    /// A policy is about nothing.
    #[error("a retention policy names no status; give it some, such as `RunStatus::Completed`")]
    NoStatus,
    /// A policy keeps everything.
    #[error(
        "the retention policy of {} runs has no limit; give it `.max_age(..)` or `.max_count(..)`",
        status.map_or("no", RunStatus::as_str)
    )]
    NoLimit {
        /// Its first status.
        status: Option<RunStatus>,
    },
    /// A limit is zero, which would remove runs as they end.
    #[error("a limit of the retention is zero; leave it out to keep everything")]
    Zero,
    /// A status is no end.
    #[error("{status} runs have not ended, so no retention policy can remove them; leave it out")]
    NoEnd {
        /// The status.
        status: RunStatus,
    },
    /// A status is in two policies.
    #[error("{status} runs are in two retention policies; leave one of them out")]
    Twice {
        /// The status.
        status: RunStatus,
    },
}

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Runs.
    pub runs: u64,
    /// Ids of signals.
    pub signal_ids: u64,
}
