//! Runs that are given up: who is told, and which run is started for them.

use std::sync::Arc;

use super::{config::OnDead, core::Core};
use crate::id::RunId;
use crate::model::{DeadLetter, NewRun, OnCancel, Parent, Run};
use crate::payload::Payload;

/// The run that is started in the transaction that gives `dead` up.
///
/// Its id is made of that run's and of the token under which it died. So however often the same
/// death is written, it is one run; a run that was requeued and dies again gets another one.
pub(crate) fn letter(core: &Core, dead: &Run) -> Option<NewRun> {
    let workflow = core.registry.workflow(&dead.workflow);
    let own = workflow.and_then(|entry| entry.dead_letter.as_ref());
    let name = own.or(core.config.dead_letter.as_ref())?;
    // One that dies itself would be the beginning of an endless chain.
    if *name == dead.workflow.name {
        return None;
    }
    let entry = core.registry.newest(name)?;
    let id = DeadLetter::id_of(dead);
    let input = Payload::encode(&DeadLetter::of(dead)).ok()?;
    let mut new = entry.new_run(id, input, core.now());
    let own_tags = entry.tags.iter().map(|tag| Arc::from(*tag));
    new.tags = dead.tags.iter().cloned().chain(own_tags).collect();
    new.tags.sort_unstable();
    new.tags.dedup();
    // Another workflow may have no use for them.
    if entry.check_attributes(&dead.attributes).is_ok() {
        new.attributes.clone_from(&dead.attributes);
    }
    new.namespace.clone_from(&dead.namespace);
    new.priority = dead.priority;
    new.parent = Some(Parent::new(dead.id.clone(), OnCancel::Abandon));
    Some(new)
}

/// What is kept of a claimed run for its letter: nothing, unless its next panic is its last.
pub(crate) fn last_life(core: &Core, run: &Run) -> Option<Box<Run>> {
    let is_last = run.recoveries >= core.config.max_recovery_attempts;
    is_last.then(|| Box::new(run.clone()))
}

/// Tells the hook of a run that was given up. It is news: a crash before loses it.
pub(crate) async fn tell(core: &Core, run: &RunId) {
    let Some(OnDead(hook)) = &core.config.on_dead else {
        return;
    };
    match core.store.run(run).await {
        Ok(Some(run)) => hook(&run),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(run_id = %run, error = &error as &dyn std::error::Error, "a dead run was not told of");
        }
    }
}
