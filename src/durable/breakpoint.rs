//! Letting runs go on that stand at a breakpoint.

use std::sync::Arc;

use super::{action::Action, error::Error, handle::Durable};
use crate::engine::Engine;
use crate::id::RunId;
use crate::model::{By, CheckpointKind, CheckpointStatus, address};
use crate::workflow::ops::breakpoint_address;

impl Durable {
    /// Lets a run go on from the breakpoint at which it stands, or from all of them if it stands
    /// at several side by side. Answers how many that were.
    ///
    /// When this returns it is stored. Two callers at once let the run go on once. It leaves a line
    /// in the audit log if someone is named or a reason is given.
    ///
    /// # Errors
    ///
    /// [`Error::NotAtBreakpoint`], [`Error::UnknownRun`], [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the run may have gone on or not; call it again.
    pub fn continue_run(&self, run: impl Into<Arc<str>>) -> Action<usize> {
        self.act(run, |engine, run, by| Box::pin(open_all(engine, run, by)))
    }
}

async fn open_all(engine: &Engine, run: &RunId, by: &By) -> Result<usize, Error> {
    let Some(record) = engine.store().load(run).await? else {
        return Err(Error::UnknownRun { run: run.clone() });
    };
    let status = record.run.status;
    let stands = record.history.iter().filter(|it| {
        let is_open = it.status == CheckpointStatus::Waiting && !status.is_terminal();
        it.kind == CheckpointKind::Breakpoint && is_open
    });
    let mut count = 0;
    for checkpoint in stands {
        let address = breakpoint_address(run, checkpoint.seq);
        // The same id for everyone who lets this breakpoint go.
        let id = address::delivery_id(&address, "continue");
        engine.let_go_on(run, (id, address), by).await?;
        count += 1;
    }
    if count == 0 {
        let run = run.clone();
        return Err(Error::NotAtBreakpoint { run, status });
    }
    Ok(count)
}
