//! Which flow runs were begun under, so that code can be compared with what still runs.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Serialize, Serializer};

use super::run::{Run, RunStatus, WorkflowKey};
use crate::id::RunId;

/// A number for the flow of a workflow's body; shown as 16 hex digits.
///
/// It is stored with each run, so a build can be compared with the one that began the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// As databases hold it, which have no unsigned numbers.
    #[must_use]
    pub const fn to_stored(self) -> i64 {
        self.0.cast_signed()
    }

    /// What [`to_stored`](Self::to_stored) gave.
    #[must_use]
    pub const fn from_stored(number: i64) -> Self {
        Self(number.cast_unsigned())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which runs to ask for the flow that they were begun under.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowQuery {
    /// Only runs of this workflow.
    pub workflow: Option<Arc<str>>,
    /// The most runs that are looked at, the longest-living first.
    pub limit: u32,
    /// How many runs are named for each flow.
    pub samples: u32,
}

impl FlowQuery {
    /// All workflows; at most `limit` runs are looked at.
    #[must_use]
    pub const fn new(limit: u32, samples: u32) -> Self {
        Self {
            workflow: None,
            limit,
            samples,
        }
    }
}

/// Which flows the runs that have not ended were begun under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveFlows {
    /// One for each flow, by workflow and fingerprint; those of an unknown flow come first.
    pub flows: Vec<LiveFlow>,
    /// Whether every run was looked at.
    pub is_complete: bool,
}

/// Runs that have not ended and were begun under the same flow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveFlow {
    /// The code that they need.
    pub workflow: WorkflowKey,
    /// The flow that they were begun under; `None` if it was not noted.
    pub fingerprint: Option<Fingerprint>,
    /// How many runs.
    pub runs: u64,
    /// The oldest of them, by start and id.
    pub oldest: Vec<RunId>,
}

impl LiveFlows {
    /// The flows of `runs`, which come by start and id.
    pub(crate) fn of<'r>(runs: impl Iterator<Item = &'r Run>, query: &FlowQuery) -> Self {
        let is_meant = |run: &&Run| {
            let named = query.workflow.as_ref();
            !run.status.is_terminal() && named.is_none_or(|name| *name == run.workflow.name)
        };
        let (limit, samples) = (usize_of(query.limit), usize_of(query.samples));
        let mut flows = BTreeMap::<(&WorkflowKey, Option<Fingerprint>), LiveFlow>::new();
        let mut runs = runs.filter(is_meant);
        for run in runs.by_ref().take(limit) {
            let key = (&run.workflow, run.fingerprint);
            let flow = flows.entry(key).or_insert_with(|| LiveFlow {
                workflow: run.workflow.clone(),
                fingerprint: run.fingerprint,
                runs: 0,
                oldest: Vec::new(),
            });
            flow.runs += 1;
            if flow.oldest.len() < samples {
                flow.oldest.push(run.id.clone());
            }
        }
        let is_complete = runs.next().is_none();
        Self {
            flows: flows.into_values().collect(),
            is_complete,
        }
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl RunStatus {
    /// The statuses of a run that has not ended.
    pub const LIVE: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Suspended,
        Self::Blocked,
        Self::Paused,
        Self::Cancelling,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_comes_back_from_a_database_without_unsigned_numbers() {
        for number in [0, 1, u64::MAX, 1 << 63] {
            let fingerprint = Fingerprint::new(number);
            assert_eq!(
                Fingerprint::from_stored(fingerprint.to_stored()),
                fingerprint
            );
        }
        assert_eq!(Fingerprint::new(255).to_string(), "00000000000000ff");
    }

    #[test]
    fn a_live_status_is_one_that_is_no_end() {
        let live = RunStatus::ALL.into_iter().filter(|it| !it.is_terminal());
        assert_eq!(live.collect::<Vec<_>>(), RunStatus::LIVE);
    }
}
