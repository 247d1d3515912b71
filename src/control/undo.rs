//! What a cancellation that undoes would undo, as far as it can be said without running code.

use std::collections::BTreeMap;

use crate::id::{RunId, Seq};
use crate::model::{Checkpoint, CheckpointKind, CheckpointStatus};
use crate::store::{RunRecord, StoreError};
use crate::workflow::{Outline, OutlineArm, OutlineNode};

use super::gateway::Control;

/// What a run has done so far, by what would become of it if the run were cancelled and undone.
///
/// Undos are closures of the workflow's code. What the source says of them is known from the
/// outline that `#[workflow]` has left, so a step that a function of the workflow has asked for
/// may have an undo that is not known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UndoPlan {
    /// Steps that would be undone, in the order in which they would be.
    pub undone: Vec<DoneStep>,
    /// Steps without an undo: they stay done.
    pub left: Vec<DoneStep>,
    /// Steps of which the source that is registered here does not tell.
    pub unknown: Vec<DoneStep>,
}

/// A step that has completed and was not undone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DoneStep {
    /// Its position.
    pub seq: Seq,
    /// Its name.
    pub name: String,
    /// The name of its undo, or the source of the expression that names it.
    pub undo: Option<String>,
}

impl Control {
    /// What a cancellation that undoes would undo; `None` if there is no such run.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn undo_plan(&self, run: &RunId) -> Result<Option<UndoPlan>, StoreError> {
        let Some(record) = self.load(run).await? else {
            return Ok(None);
        };
        let entry = self.engine().registry().workflow(&record.run.workflow);
        let outline = entry.map_or(&Outline::UNKNOWN, |entry| entry.outline);
        Ok(Some(plan(&record, outline)))
    }
}

/// What the source says of the undo of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Undo(&'static str),
    None,
    Unknown,
}

fn plan(record: &RunRecord, outline: &'static Outline) -> UndoPlan {
    let source = Source::of(outline);
    let mut history: Vec<_> = record.history.iter().collect();
    // The order in which the workflow got the results, which is the one in which undos pile up.
    history.sort_by_key(|it| (it.ord.unwrap_or(u32::MAX), it.seq));
    let mut done = Vec::new();
    let mut plan = UndoPlan::default();
    for checkpoint in history {
        match checkpoint.kind {
            CheckpointKind::Step
            | CheckpointKind::Remote
            | CheckpointKind::Transaction
            | CheckpointKind::Unseen
                if checkpoint.status == CheckpointStatus::Completed =>
            {
                let step = DoneStep {
                    seq: checkpoint.seq,
                    name: checkpoint.name.to_string(),
                    undo: None,
                };
                match source.undo_of(checkpoint) {
                    Told::Undo(undo) => done.push(DoneStep {
                        undo: Some(undo.to_owned()),
                        ..step
                    }),
                    Told::None => plan.left.push(step),
                    Told::Unknown => plan.unknown.push(step),
                }
            }
            // It takes back the latest of those that it can be the undo of.
            CheckpointKind::Compensation => {
                let is_its = |step: &DoneStep| step.undo.as_deref() == Some(&*checkpoint.name);
                let at = done.iter().rposition(is_its);
                // An undo whose name is made at run time has the name of none of them.
                let at = at.or_else(|| done.len().checked_sub(1));
                at.map(|at| done.remove(at));
            }
            _ => {}
        }
    }
    done.reverse();
    plan.undone = done;
    plan
}

/// What a workflow's source says of its steps.
struct Source {
    file: &'static str,
    by_place: BTreeMap<(u32, &'static str), &'static str>,
    by_name: BTreeMap<&'static str, Told>,
}

impl Source {
    fn of(outline: &'static Outline) -> Self {
        let mut source = Self {
            file: outline.file,
            by_place: BTreeMap::new(),
            by_name: BTreeMap::new(),
        };
        source.read(outline.nodes);
        source
    }

    fn read(&mut self, nodes: &'static [OutlineNode]) {
        for node in nodes {
            match node {
                OutlineNode::Operation {
                    name,
                    compensation,
                    line,
                    ..
                } => {
                    self.by_place.insert((*line, name), compensation);
                    let told = told(compensation);
                    let known = self.by_name.entry(name).or_insert(told);
                    if *known != told {
                        *known = Told::Unknown;
                    }
                }
                OutlineNode::Loop { body, .. } => self.read(body),
                OutlineNode::Branch { arms, .. } | OutlineNode::Join { arms, .. } => {
                    for OutlineArm { nodes, .. } in *arms {
                        self.read(nodes);
                    }
                }
            }
        }
    }

    fn undo_of(&self, checkpoint: &Checkpoint) -> Told {
        let name = &*checkpoint.name;
        let line = checkpoint
            .site
            .as_deref()
            .and_then(|site| self.line_of(site));
        let line = line.unwrap_or_default();
        if let Some(undo) = self.by_place.get(&(line, name)) {
            return told(undo);
        }
        // The run may come from an earlier build, in which the step stood elsewhere.
        if let Some(told) = self.by_name.get(name) {
            return *told;
        }
        // A name that is made at run time stands in the outline as its source.
        let mut here = self.by_place.iter().filter(|((at, _), _)| *at == line);
        match (here.next(), here.next()) {
            (Some((_, undo)), None) => told(undo),
            _ => Told::Unknown,
        }
    }

    /// The line of `<build> <file>:<line>:<column>`, if it is one of this file.
    fn line_of(&self, site: &str) -> Option<u32> {
        let mut parts = site.rsplitn(3, ':');
        let (_column, line, place) = (parts.next()?, parts.next()?, parts.next()?);
        let is_here = !self.file.is_empty() && place.ends_with(self.file);
        line.parse().ok().filter(|_| is_here)
    }
}

const fn told(undo: &'static str) -> Told {
    if undo.is_empty() {
        Told::None
    } else {
        Told::Undo(undo)
    }
}
