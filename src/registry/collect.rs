//! The checked table of what can be run here.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    entry::{Registered, Registration, StepEntry, WorkflowEntry},
    triggers::Triggers,
};
use crate::id::InvalidName;
use crate::model::WorkflowKey;
use crate::workflow::States;

/// Why the definitions cannot be used together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two workflows have the same name and version.
    #[error("workflow `{key}` is defined twice; give one of them another name or version")]
    DuplicateWorkflow {
        /// Name and version.
        key: String,
    },
    /// Two steps have the same name.
    #[error("step `{name}` is defined twice; give one of them another name")]
    DuplicateStep {
        /// The name.
        name: Arc<str>,
    },
    /// Runs that are given up are meant for a workflow that is not here.
    #[error("dead letters are meant for workflow `{name}`, which is not registered; add it")]
    UnknownDeadLetter {
        /// The workflow.
        name: Arc<str>,
    },
    /// A workflow accumulates events and names none.
    #[error("workflow `{workflow}` accumulates events and names none; add `on_event`")]
    NoEvent {
        /// The workflow.
        workflow: Arc<str>,
    },
    /// A workflow is started by an event that cannot be.
    #[error("workflow `{workflow}` is started by an event that cannot be")]
    EventName {
        /// The workflow.
        workflow: Arc<str>,
        /// Which rule its name breaks.
        #[source]
        reason: InvalidName,
    },
    /// The ids of runs that events start are made of the workflow's name.
    #[error("workflow `{workflow}` is started by events and has a name of more than 140 bytes")]
    LongName {
        /// The workflow.
        workflow: Arc<str>,
    },
    /// A handler takes a value that nobody provided.
    #[error("{handler} takes `State<{type_name}>`, which was not provided; add `.provide(..)`")]
    MissingState {
        /// The workflow or step.
        handler: String,
        /// The type.
        type_name: &'static str,
    },
}

/// Collects definitions until they are checked by [`build`](Self::build).
#[derive(Debug, Default)]
pub struct RegistryBuilder {
    explicit: Vec<Registration>,
    #[cfg(feature = "testing")]
    offered: Vec<WorkflowEntry>,
    without_linked: bool,
}

impl RegistryBuilder {
    /// Adds a definition. It stands in for a linked one of the same name and version.
    pub fn register(&mut self, registration: Registration) {
        self.explicit.push(registration);
    }

    /// Adds a workflow unless there is another one of the same name and version.
    #[cfg(feature = "testing")]
    pub(crate) fn offer(&mut self, workflow: WorkflowEntry) {
        self.offered.push(workflow);
    }

    /// Leaves out what the macros collected at link time.
    pub const fn only_explicit(&mut self) {
        self.without_linked = true;
    }

    /// Checks the definitions against each other and against what was provided.
    ///
    /// # Errors
    ///
    /// [`RegistryError`], naming the first definition that is wrong.
    pub fn build(self, states: &States) -> Result<Registry, RegistryError> {
        let mut registry = Registry::default();
        for registration in self.explicit {
            registry.add(registration)?;
        }
        if !self.without_linked {
            let mut linked = Registry::default();
            for registered in inventory::iter::<Registered> {
                linked.add(registered.registration())?;
            }
            for (key, workflow) in linked.workflows {
                registry.workflows.entry(key).or_insert(workflow);
            }
            for (name, step) in linked.steps {
                registry.steps.entry(name).or_insert(step);
            }
        }
        #[cfg(feature = "testing")]
        for workflow in self.offered {
            let key = workflow.key.clone();
            registry.workflows.entry(key).or_insert(workflow);
        }
        registry.check(states)?;
        registry.subscribe()?;
        Ok(registry)
    }
}

/// The workflows and steps that can be run here.
#[derive(Debug, Default)]
pub struct Registry {
    workflows: BTreeMap<WorkflowKey, WorkflowEntry>,
    steps: BTreeMap<Arc<str>, StepEntry>,
    pub(super) triggers: Triggers,
}

impl Registry {
    fn add(&mut self, registration: Registration) -> Result<(), RegistryError> {
        match registration {
            Registration::Workflow(entry) => self.add_workflow(entry),
            Registration::Step(entry) => {
                let name = Arc::clone(&entry.name);
                match self.steps.insert(Arc::clone(&name), entry) {
                    Some(_) => Err(RegistryError::DuplicateStep { name }),
                    None => Ok(()),
                }
            }
        }
    }

    pub(super) fn add_workflow(&mut self, entry: WorkflowEntry) -> Result<(), RegistryError> {
        let key = entry.key.to_string();
        match self.workflows.insert(entry.key.clone(), entry) {
            Some(_) => Err(RegistryError::DuplicateWorkflow { key }),
            None => Ok(()),
        }
    }

    fn check(&self, states: &States) -> Result<(), RegistryError> {
        for name in self
            .workflows
            .values()
            .filter_map(|it| it.dead_letter.as_ref())
        {
            self.check_dead_letter(name)?;
        }
        let workflows = self.workflows.values();
        let workflows = workflows.map(|entry| (format!("workflow `{}`", entry.key), entry.needs));
        let steps = self.steps.values();
        let steps = steps.map(|entry| (format!("step `{}`", entry.name), entry.needs));
        for (handler, needs) in workflows.chain(steps) {
            if let Some(need) = needs.iter().find(|need| !states.covers(need)) {
                let type_name = need.type_name();
                return Err(RegistryError::MissingState { handler, type_name });
            }
        }
        Ok(())
    }

    /// Checks that the workflow which dead letters are meant for is here.
    pub(crate) fn check_dead_letter(&self, name: &Arc<str>) -> Result<(), RegistryError> {
        let name = Arc::clone(name);
        match self.newest(&name) {
            Some(_) => Ok(()),
            None => Err(RegistryError::UnknownDeadLetter { name }),
        }
    }

    /// A workflow at one version.
    #[must_use]
    pub fn workflow(&self, key: &WorkflowKey) -> Option<&WorkflowEntry> {
        self.workflows.get(key)
    }

    /// The newest version of a workflow.
    #[must_use]
    pub fn newest(&self, name: &str) -> Option<&WorkflowEntry> {
        let versions = self
            .workflows
            .values()
            .filter(|entry| &*entry.key.name == name);
        versions.max_by_key(|entry| entry.key.version)
    }

    /// Every workflow, by name and version.
    pub fn workflows(&self) -> impl Iterator<Item = &WorkflowEntry> {
        self.workflows.values()
    }

    /// A step.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&StepEntry> {
        self.steps.get(name)
    }

    /// Every step, by name.
    pub fn steps(&self) -> impl Iterator<Item = &StepEntry> {
        self.steps.values()
    }
}
