//! The verbs of operators.

use std::sync::Arc;

use super::{
    actions::{self, ActionError, CancelOutcome, ForkPreview, ForkRequest, PauseOutcome},
    handle::Engine,
};
use crate::id::{RunId, Seq};
use crate::model::{By, SignalId};
use crate::payload::Payload;
use crate::store::StoreError;

impl Engine {
    /// Asks a run to end. Where someone is named or a reason is given, it is written into the
    /// run's audit log; a program that cancels as part of its work leaves no line. With
    /// `compensates` the run undoes what it has done first.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`], [`StoreError::WrongStatus`] if it has ended.
    pub async fn cancel(
        &self,
        run: &RunId,
        compensates: bool,
        by: &By,
    ) -> Result<CancelOutcome, StoreError> {
        actions::cancel(&self.core, run, compensates, by).await
    }

    /// Opens the breakpoint of a run behind `token`. The same id opens it once.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn let_go_on(
        &self,
        run: &RunId,
        breakpoint: (SignalId, Arc<str>),
        by: &By,
    ) -> Result<(), StoreError> {
        actions::let_go_on(&self.core, run, breakpoint, by).await
    }

    /// Lets a failed, cancelled, dead or blocked run continue in place.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`], [`StoreError::WrongStatus`] if it is none of these.
    pub async fn requeue(&self, run: &RunId, by: &By) -> Result<(), StoreError> {
        actions::requeue(&self.core, run, by).await
    }

    /// Starts a failed, cancelled, dead or blocked run again with another input.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn retry_with_input(
        &self,
        run: &RunId,
        input: Payload,
        by: &By,
    ) -> Result<(), ActionError> {
        actions::retry_with_input(&self.core, run, input, by).await
    }

    /// Says what a fork would do.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn preview_fork(&self, request: &ForkRequest) -> Result<ForkPreview, ActionError> {
        actions::preview_fork(&self.core, request).await
    }

    /// Stores a new run with a part of another one's history, and returns its id.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn fork(&self, request: ForkRequest, by: &By) -> Result<RunId, ActionError> {
        actions::fork(&self.core, request, by).await
    }

    /// Removes an ended run.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn delete_run(&self, run: &RunId, by: &By) -> Result<(), ActionError> {
        actions::delete(&self.core, run, by).await
    }

    /// Removes an ended run, also one of several of an entity: the newest first.
    pub(crate) async fn remove_run(&self, run: &RunId, by: &By) -> Result<(), ActionError> {
        actions::remove(&self.core, run, by).await
    }

    /// Holds a run until it is resumed.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn pause(&self, run: &RunId, by: &By) -> Result<PauseOutcome, ActionError> {
        actions::pause(&self.core, run, by).await
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn resume(&self, run: &RunId, by: &By) -> Result<(), ActionError> {
        actions::resume(&self.core, run, by).await
    }

    /// Gives an operation that does not get on a result by hand.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn skip_step(
        &self,
        run: &RunId,
        seq: Seq,
        value: Payload,
        by: &By,
    ) -> Result<(), ActionError> {
        actions::skip_step(&self.core, run, seq, value, by).await
    }

    /// Ends a run that is not executing as failed.
    ///
    /// # Errors
    ///
    /// [`ActionError`].
    pub async fn force_fail(&self, run: &RunId, reason: &str, by: &By) -> Result<(), ActionError> {
        actions::force_fail(&self.core, run, reason, by).await
    }
}
