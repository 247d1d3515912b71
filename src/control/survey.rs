//! What the newest runs say together: how many stand where, how long they took, why they failed.
//!
//! A survey reads pages of the list and no more than [`MOST_RUNS`] rows, so that looking at it
//! never costs the engine much, however many runs there are. It says how far back it saw.

use std::{collections::BTreeMap, sync::Arc};

use super::gateway::Control;
use crate::id::RunId;
use crate::model::{Run, RunQuery, RunStatus, WorkflowKey};
use crate::store::StoreError;
use crate::time::Timestamp;

/// The most runs that are read: ten pages, some milliseconds of a store.
const MOST_RUNS: usize = 2_000;

/// Parts into which the time that was seen is cut: as many points as a chart shows.
const BUCKETS: i64 = 60;

/// What ended badly.
const FAILURES: [RunStatus; 4] = [
    RunStatus::Failed,
    RunStatus::Dead,
    RunStatus::Blocked,
    RunStatus::CompensationFailed,
];

/// What the newest runs say together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Survey {
    /// How many runs were read.
    pub runs: usize,
    /// Whether these are all that there are.
    pub is_complete: bool,
    /// When the oldest of them was started; `None` without runs.
    pub since: Option<Timestamp>,
    /// When it was made.
    pub at: Timestamp,
    /// How many stand where.
    pub statuses: BTreeMap<RunStatus, usize>,
    /// How many ended when, oldest first.
    pub ended: Vec<Bucket>,
    /// The same by workflow, by name and version.
    pub workflows: Vec<WorkflowSurvey>,
}

/// The runs that ended within a part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// How many completed.
    pub completed: usize,
    /// How many failed or were given up.
    pub failed: usize,
}

/// What the newest runs of one workflow say together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkflowSurvey {
    /// The workflow.
    pub workflow: WorkflowKey,
    /// How many stand where.
    pub statuses: BTreeMap<RunStatus, usize>,
    /// From start to completion in milliseconds: what half of the runs stayed below.
    pub p50_ms: Option<u64>,
    /// What 95 % of the runs stayed below.
    pub p95_ms: Option<u64>,
}

/// Runs that failed for the same reason.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FailureGroup {
    /// The reason with its numbers and ids left out; the same for all runs of the group.
    pub fingerprint: String,
    /// The stable word of the failure.
    pub code: Option<String>,
    /// The workflow.
    pub workflow: Arc<str>,
    /// The whole reason of the newest one.
    pub sample: String,
    /// How many runs.
    pub runs: usize,
    /// The newest one.
    pub newest: RunId,
    /// When the oldest and the newest of them last changed.
    pub first_at: Timestamp,
    /// See `first_at`.
    pub last_at: Timestamp,
    /// How many stand where.
    pub statuses: BTreeMap<RunStatus, usize>,
}

/// How many of the newest runs that match a query stand where, and what they are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facets {
    /// How many runs were read.
    pub runs: usize,
    /// Whether these are all that match.
    pub is_complete: bool,
    /// How many stand where.
    pub statuses: BTreeMap<RunStatus, usize>,
    /// How many are of which workflow.
    pub workflows: BTreeMap<Arc<str>, usize>,
    /// How many have which tag.
    pub tags: BTreeMap<Arc<str>, usize>,
}

impl Control {
    /// Counts the newest runs that match a query. Where its page begins and how long it is does not
    /// matter.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn facets(&self, query: &RunQuery) -> Result<Facets, StoreError> {
        let (runs, is_complete) = self.newest(query.clone()).await?;
        let mut facets = Facets {
            runs: runs.len(),
            is_complete,
            statuses: count(&runs),
            ..Facets::default()
        };
        for run in runs {
            *facets.workflows.entry(run.workflow.name).or_default() += 1;
            for tag in run.tags {
                *facets.tags.entry(tag).or_default() += 1;
            }
        }
        Ok(facets)
    }

    /// What the newest runs say together.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn survey(&self) -> Result<Survey, StoreError> {
        let (runs, is_complete) = self.newest(RunQuery::default()).await?;
        let at = self.engine().clock().now();
        let mut by_workflow = BTreeMap::<WorkflowKey, Vec<&Run>>::new();
        for run in &runs {
            by_workflow
                .entry(run.workflow.clone())
                .or_default()
                .push(run);
        }
        let workflows = by_workflow.into_iter();
        let workflows = workflows.map(|(workflow, runs)| WorkflowSurvey {
            workflow,
            statuses: count(runs.iter().copied()),
            p50_ms: percentile(&runs, 50),
            p95_ms: percentile(&runs, 95),
        });
        Ok(Survey {
            runs: runs.len(),
            is_complete,
            since: runs.last().map(|run| run.created_at),
            at,
            statuses: count(&runs),
            ended: ended(&runs, at),
            workflows: workflows.collect(),
        })
    }

    /// The newest runs that failed, by reason, and whether these are all; the largest group first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn failures(&self) -> Result<(Vec<FailureGroup>, bool), StoreError> {
        let failed = RunQuery {
            statuses: FAILURES.to_vec(),
            ..RunQuery::default()
        };
        let (runs, is_complete) = self.newest(failed).await?;
        let mut groups = BTreeMap::<(Arc<str>, Option<String>, String), FailureGroup>::new();
        for run in runs {
            let failure = run.failure.as_ref();
            let sample = failure.map_or("no reason was recorded", |it| &it.message);
            let code = failure.and_then(|it| it.code.clone());
            let workflow = Arc::clone(&run.workflow.name);
            let fingerprint = fingerprint(sample);
            let key = (Arc::clone(&workflow), code.clone(), fingerprint.clone());
            // Newest first: the first of a group is its newest.
            let group = groups.entry(key).or_insert_with(|| FailureGroup {
                fingerprint,
                code,
                workflow,
                sample: sample.to_owned(),
                runs: 0,
                newest: run.id.clone(),
                first_at: run.updated_at,
                last_at: run.updated_at,
                statuses: BTreeMap::new(),
            });
            group.runs += 1;
            group.first_at = group.first_at.min(run.updated_at);
            group.last_at = group.last_at.max(run.updated_at);
            *group.statuses.entry(run.status).or_default() += 1;
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.runs, group.last_at)));
        Ok((groups, is_complete))
    }

    /// The newest runs that match, and whether these are all.
    async fn newest(&self, mut query: RunQuery) -> Result<(Vec<Run>, bool), StoreError> {
        query.limit = RunQuery::MAX_LIMIT;
        query.after = None;
        let mut runs = Vec::new();
        loop {
            let page = self.list(&query).await?;
            runs.extend(page.runs);
            if page.next.is_none() || runs.len() >= MOST_RUNS {
                return Ok((runs, page.next.is_none()));
            }
            query.after = page.next;
        }
    }
}

fn count<'r>(runs: impl IntoIterator<Item = &'r Run>) -> BTreeMap<RunStatus, usize> {
    let mut statuses = BTreeMap::new();
    for run in runs {
        *statuses.entry(run.status).or_default() += 1;
    }
    statuses
}

/// From start to completion, in milliseconds.
fn percentile(runs: &[&Run], percent: usize) -> Option<u64> {
    let completed = runs.iter().filter(|run| run.status == RunStatus::Completed);
    let took = completed.filter_map(|run| {
        let took = run.finished_at?.since(run.created_at).as_millis();
        u64::try_from(took).ok()
    });
    let mut took: Vec<_> = took.collect();
    took.sort_unstable();
    let rank = (took.len() * percent).div_ceil(100).max(1) - 1;
    took.get(rank).copied()
}

/// How many ended when. The time begins with the oldest end that was seen.
fn ended(runs: &[Run], now: Timestamp) -> Vec<Bucket> {
    let ends = runs
        .iter()
        .filter_map(|run| Some((run.finished_at?, run.status)));
    let ends: Vec<_> = ends.collect();
    let Some(first) = ends.iter().map(|(at, _)| at.as_millis()).min() else {
        return Vec::new();
    };
    let span = (now.as_millis() - first).max(0) + 1;
    // Whole seconds read better than fractions.
    let width = (span / BUCKETS / 1_000 + 1) * 1_000;
    let parts = (span - 1) / width + 1;
    let mut buckets: Vec<_> = (0..parts)
        .map(|part| Bucket {
            from: Timestamp::from_millis(first + part * width),
            to: Timestamp::from_millis(first + (part + 1) * width),
            completed: 0,
            failed: 0,
        })
        .collect();
    for (at, status) in ends {
        let part = usize::try_from((at.as_millis() - first) / width).ok();
        let Some(bucket) = part.and_then(|part| buckets.get_mut(part)) else {
            continue;
        };
        match status {
            RunStatus::Completed => bucket.completed += 1,
            status if FAILURES.contains(&status) => bucket.failed += 1,
            _ => {}
        }
    }
    buckets
}

/// The longest fingerprint: what tells reasons apart stands at their beginning.
const FINGERPRINT_CHARS: usize = 160;

/// A reason without what differs between runs: words that hold a digit become `…`.
fn fingerprint(message: &str) -> String {
    let words = message.split_whitespace();
    let words = words.map(|word| {
        if word.contains(|letter: char| letter.is_ascii_digit()) {
            "…"
        } else {
            word
        }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    text.chars().take(FINGERPRINT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_numbers_are_one() {
        assert_eq!(
            fingerprint("card 4711 declined for  order-7: try in 20s"),
            fingerprint("card 4712 declined for order-9: try in 5s")
        );
        assert_ne!(fingerprint("card declined"), fingerprint("card expired"));
        assert_eq!(fingerprint(&"x".repeat(999)).len(), FINGERPRINT_CHARS);
    }
}
