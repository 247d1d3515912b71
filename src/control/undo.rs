//! What a cancellation that undoes would undo.

use std::{collections::BTreeMap, sync::Arc};

use crate::id::{RunId, Seq};
use crate::model::{Checkpoint, CheckpointKind, CheckpointStatus, RunHistory};
use crate::store::{RunRecord, StoreError};
use crate::workflow::{Outline, OutlineArm, OutlineNode};

use super::gateway::Control;

/// What a run has done so far, by what would become of it if the run were cancelled and undone.
///
/// Undos are closures of the workflow's code, so the code is asked: it replays the run's history,
/// which starts nothing and changes nothing, and tells which undos it holds then. Where it cannot,
/// because it is not registered here, does not fit the history or has returned, the outline counts
/// that `#[workflow]` has left. A step that a function of the workflow has asked for may then have
/// an undo that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UndoPlan {
    /// Steps that would be undone, in the order in which they would be.
    pub undone: Vec<DoneStep>,
    /// Steps without an undo: they stay done.
    pub left: Vec<DoneStep>,
    /// Steps of which is not known whether they would be undone.
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
    /// What a cancellation that undoes would undo; `None` if there is no such run. The workflow's
    /// code between its operations runs for it, and so do closures of `ctx.side_effect`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn undo_plan(&self, run: &RunId) -> Result<Option<UndoPlan>, StoreError> {
        // As it was stored: code replays nothing else. Names alone are told of it.
        let Some(record) = self.store().load(run).await? else {
            return Ok(None);
        };
        let entry = self.engine().registry().workflow(&record.run.workflow);
        let outline = entry.map_or(&Outline::UNKNOWN, |entry| entry.outline);
        let told = plan(&record, outline);
        if record.run.status.is_terminal() {
            return Ok(Some(told));
        }
        let engine = self.engine().clone();
        let (history, run) = (record.history.clone(), record.run);
        // A body computes between its operations, so it must not keep this thread's tasks waiting.
        let due = tokio::task::spawn_blocking(move || engine.undos(&RunHistory::new(run, history)));
        Ok(Some(match due.await {
            Ok(Some(due)) => exact(told, &record.history, due),
            Ok(None) | Err(_) => told,
        }))
    }
}

/// The plan with the undos that the code itself has told.
fn exact(told: UndoPlan, history: &[Checkpoint], due: Vec<(Seq, Arc<str>)>) -> UndoPlan {
    let of = |seq: Seq| history.iter().find(|it| it.seq == seq);
    let undone: Vec<_> = due
        .into_iter()
        .map(|(seq, undo)| DoneStep {
            seq,
            name: of(seq).map_or_else(String::new, |it| it.name.to_string()),
            undo: Some(undo.to_string()),
        })
        .collect();
    let is_undone = |step: &DoneStep| undone.iter().any(|it| it.seq == step.seq);
    // It keeps the result of a step that has an undo, which stands in the list by itself.
    let is_kept =
        |step: &DoneStep| of(step.seq).is_some_and(|it| it.kind == CheckpointKind::Unseen);
    let others = told.left.into_iter().chain(told.undone).chain(told.unknown);
    let mut left: Vec<_> = others
        .filter(|step| !is_undone(step) && !is_kept(step))
        .map(|step| DoneStep { undo: None, ..step })
        .collect();
    left.sort_by_key(|step| step.seq);
    UndoPlan {
        undone,
        left,
        unknown: Vec::new(),
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
