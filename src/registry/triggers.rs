//! Which workflows are started by which events.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    collect::{Registry, RegistryError},
    entry::WorkflowEntry,
};
use crate::id::check_name;
use crate::model::{Facts, LONGEST_TARGET, Trigger, WorkflowKey};
use crate::workflow::accumulator;

/// A workflow that wants to hear of events.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    trigger: Trigger,
    /// The workflow to start.
    pub(crate) target: WorkflowKey,
    /// The workflow that takes the events for it, if they become fewer runs.
    pub(crate) accumulator: Option<WorkflowKey>,
}

/// The workflows that are started by events, by the names of these.
#[derive(Debug, Default)]
pub(super) struct Triggers(BTreeMap<Arc<str>, Vec<Subscription>>);

impl Registry {
    /// Adds what the newest version of each workflow wants to hear, and the workflows that
    /// accumulate for them.
    pub(super) fn subscribe(&mut self) -> Result<(), RegistryError> {
        let mut newest: BTreeMap<Arc<str>, WorkflowEntry> = BTreeMap::new();
        // In order of their versions, so that the last one stays.
        for entry in self.workflows() {
            newest.insert(Arc::clone(&entry.key.name), entry.clone());
        }
        for entry in newest.into_values() {
            check(&entry)?;
            let accumulator = entry
                .accumulates
                .filter(|_| !entry.triggers.is_empty())
                .map(|how| WorkflowEntry::from(accumulator(&entry.key, how)));
            let key = accumulator.as_ref().map(|it| it.key.clone());
            if let Some(accumulator) = accumulator {
                self.add_workflow(accumulator)?;
            }
            for trigger in &entry.triggers {
                let subscription = Subscription {
                    trigger: trigger.clone(),
                    target: entry.key.clone(),
                    accumulator: key.clone(),
                };
                let event = Arc::from(trigger.event());
                self.triggers.0.entry(event).or_default().push(subscription);
            }
        }
        Ok(())
    }

    /// The workflows that an event concerns, each once.
    pub(crate) fn subscribers(&self, event: &str, facts: &Facts) -> Vec<&Subscription> {
        let mut found: Vec<&Subscription> = Vec::new();
        for one in self.triggers.0.get(event).into_iter().flatten() {
            let is_there = found.iter().any(|it| it.target == one.target);
            if !is_there && one.trigger.fires(facts) {
                found.push(one);
            }
        }
        found
    }

    /// The workflows that accumulate events.
    pub(crate) fn accumulators(&self) -> impl Iterator<Item = &WorkflowKey> {
        let all = self.triggers.0.values().flatten();
        let keys: std::collections::BTreeSet<_> =
            all.filter_map(|it| it.accumulator.as_ref()).collect();
        keys.into_iter()
    }
}

fn check(entry: &WorkflowEntry) -> Result<(), RegistryError> {
    let workflow = || Arc::clone(&entry.key.name);
    if entry.triggers.is_empty() {
        return match entry.accumulates {
            Some(_) => Err(RegistryError::NoEvent {
                workflow: workflow(),
            }),
            None => Ok(()),
        };
    }
    for trigger in &entry.triggers {
        if let Err(reason) = check_name("event name", trigger.event()) {
            let workflow = workflow();
            return Err(RegistryError::EventName { workflow, reason });
        }
    }
    if entry.key.name.len() > LONGEST_TARGET {
        return Err(RegistryError::LongName {
            workflow: workflow(),
        });
    }
    Ok(())
}
