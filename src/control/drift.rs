//! Which runs that have not ended were begun by other code than the one that is here, and whether
//! that one would replay them.

use std::{collections::BTreeMap, sync::Arc};

use super::gateway::Control;
use crate::engine::Rehearsal;
use crate::id::{RunId, Seq};
use crate::model::{
    CheckpointKind, Failure, Fingerprint, FlowQuery, LiveFlow, LiveFlows, RunHistory, WorkflowKey,
};
use crate::store::{RunRecord, StoreError};

/// The most runs that are counted: some ten milliseconds of a store.
const MOST_COUNTED: u32 = 10_000;

/// Runs that are named for each version.
const NAMED: u32 = 5;

/// The most runs that are rehearsed at once: each is loaded with its whole history.
const MOST_REHEARSED: usize = 100;

/// How the runs that have not ended compare with the code that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// By version, those that are registered here.
    pub versions: BTreeMap<WorkflowKey, VersionDrift>,
    /// Whether all runs that have not ended were counted. If not, the ones that were begun first
    /// were, as far as the store can tell.
    pub is_complete: bool,
}

/// How the runs of one version that have not ended compare with its code that is here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionDrift {
    /// How many there are.
    pub live: u64,
    /// How many were begun under another flow.
    pub other_flow: u64,
    /// How many were begun under a flow that was not noted, or cannot be compared, because the code
    /// that is here was made without `#[workflow]`.
    pub unknown_flow: u64,
    /// Some that were begun under another flow.
    pub examples: Vec<RunId>,
}

impl VersionDrift {
    fn add(&mut self, flow: LiveFlow, here: Option<Fingerprint>) {
        self.live += flow.runs;
        match (flow.fingerprint, here) {
            (Some(begun), Some(here)) if begun == here => {}
            (Some(_), Some(_)) => {
                self.other_flow += flow.runs;
                self.examples.extend(flow.oldest);
                self.examples.truncate(usize_of(NAMED));
            }
            _ => self.unknown_flow += flow.runs,
        }
    }
}

/// What the code that is here does with the history of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rehearsed {
    /// The run.
    pub run: RunId,
    /// The code that was rehearsed.
    pub workflow: WorkflowKey,
    /// The flow that the run was begun under.
    pub begun_under: Option<Fingerprint>,
    /// Whether that is the flow of the code that is here; `None` if one of them is not known.
    pub is_same_flow: Option<bool>,
    /// How it went.
    pub outcome: Fit,
}

/// Whether code fits a history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fit {
    /// It replays. What it waits for or would begin then, such as ``3 step `label` ``; nothing if
    /// it returns.
    Fits(Vec<String>),
    /// It asks for something else than what is recorded: both sides of the difference.
    Diverges(Failure),
    /// It panics on the way.
    Panics(Failure),
    /// The history could not be read.
    Unreadable,
}

/// Runs that were rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rehearsals {
    /// The runs: those of another flow first, then those of an unknown one.
    pub runs: Vec<Rehearsed>,
    /// Whether these are all of the workflow that have not ended.
    pub is_complete: bool,
}

impl Control {
    /// Counts the runs that have not ended by whether they were begun under the flow that is
    /// registered here. A look at no more than 10,000 runs.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn drift(&self) -> Result<Drift, StoreError> {
        let query = FlowQuery::new(MOST_COUNTED, NAMED);
        let LiveFlows { flows, is_complete } = self.store().live_flows(&query).await?;
        let entries = self.engine().registry().workflows();
        let mut versions: BTreeMap<_, _> = entries
            .map(|entry| (entry.key.clone(), VersionDrift::default()))
            .collect();
        for flow in flows {
            if let Some(version) = versions.get_mut(&flow.workflow) {
                let here = self.fingerprint(&flow.workflow);
                version.add(flow, here);
            }
        }
        Ok(Drift {
            versions,
            is_complete,
        })
    }

    /// Replays the histories of runs of a workflow that have not ended with the code that is here:
    /// `most` of them, 100 at the most. It starts nothing and changes nothing; closures of
    /// `ctx.side_effect` and the code between operations do run.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn rehearse(&self, workflow: &str, most: usize) -> Result<Rehearsals, StoreError> {
        let most = most.clamp(1, MOST_REHEARSED);
        let mut query = FlowQuery::new(MOST_COUNTED, u32::try_from(most).unwrap_or(NAMED));
        query.workflow = Some(Arc::from(workflow));
        let found = self.store().live_flows(&query).await?;
        let mut flows = found.flows;
        flows.retain(|flow| self.engine().registry().workflow(&flow.workflow).is_some());
        flows.sort_by_key(|flow| self.likeness(flow));
        let all: u64 = flows.iter().map(|flow| flow.runs).sum();
        let mut runs = Vec::new();
        for flow in flows {
            for run in &flow.oldest {
                if runs.len() == most {
                    break;
                }
                runs.extend(self.rehearse_one(run, &flow).await?);
            }
        }
        let is_complete = found.is_complete && usize::try_from(all).is_ok_and(|all| all <= most);
        Ok(Rehearsals { runs, is_complete })
    }

    /// Rehearses one run; `None` if it has ended or gone meanwhile.
    async fn rehearse_one(
        &self,
        run: &RunId,
        flow: &LiveFlow,
    ) -> Result<Option<Rehearsed>, StoreError> {
        let record = match self.store().load(run).await {
            Ok(Some(record)) if !record.run.status.is_terminal() => Some(record),
            Ok(_) => return Ok(None),
            // One bad row spoils only its own answer.
            Err(error) if !error.is_transient() => None,
            Err(error) => return Err(error),
        };
        let outcome = match record {
            Some(record) => self.fit(record).await,
            None => Fit::Unreadable,
        };
        let here = self.fingerprint(&flow.workflow);
        let both = flow.fingerprint.zip(here);
        Ok(Some(Rehearsed {
            run: run.clone(),
            workflow: flow.workflow.clone(),
            begun_under: flow.fingerprint,
            is_same_flow: both.map(|(begun, here)| begun == here),
            outcome,
        }))
    }

    async fn fit(&self, record: RunRecord) -> Fit {
        let engine = self.engine().clone();
        let mut shown = record.run.clone();
        let history = RunHistory::new(record.run, record.history);
        // A body computes between its operations, so it must not keep this thread's tasks waiting.
        let rehearsal = tokio::task::spawn_blocking(move || engine.rehearse(&history));
        let (failure, panicked) = match rehearsal.await {
            Ok(Some(Rehearsal::Waits(operations))) => {
                return Fit::Fits(operations.iter().map(named).collect());
            }
            Ok(Some(Rehearsal::Returned(_))) => return Fit::Fits(Vec::new()),
            Ok(Some(Rehearsal::Diverged(failure))) => (failure, false),
            Ok(Some(Rehearsal::Panicked(failure))) => (failure, true),
            Ok(None) | Err(_) => return Fit::Unreadable,
        };
        // A panic may say what is not for everyone, like the reason of a run that has failed.
        shown.failure = Some(failure);
        if let Some(redactor) = self.redactor() {
            redactor.run(&mut shown);
        }
        match shown.failure {
            Some(failure) if panicked => Fit::Panics(failure),
            Some(failure) => Fit::Diverges(failure),
            None => Fit::Unreadable,
        }
    }

    fn fingerprint(&self, workflow: &WorkflowKey) -> Option<Fingerprint> {
        let entry = self.engine().registry().workflow(workflow);
        entry.and_then(|entry| entry.fingerprint)
    }

    /// What most probably diverges comes first.
    fn likeness(&self, flow: &LiveFlow) -> u8 {
        match (flow.fingerprint, self.fingerprint(&flow.workflow)) {
            (Some(begun), Some(here)) if begun != here => 0,
            (Some(_), Some(_)) => 2,
            _ => 1,
        }
    }
}

fn named((seq, kind, name): &(Seq, CheckpointKind, Arc<str>)) -> String {
    if name.is_empty() {
        format!("{seq} {kind}")
    } else {
        format!("{seq} {kind} `{name}`")
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
