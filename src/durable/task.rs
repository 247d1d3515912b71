//! Finishing tasks of `ctx.task`.

use serde::Serialize;

use super::{error::Error, handle::Durable};
use crate::engine::SignalOutcome;
use crate::id::RunId;
use crate::model::{RunStatus, TaskReport, address};
use crate::payload::Payload;
use crate::store::StoreError;
use crate::workflow::{StepError, ops::TaskToken};

impl Durable {
    /// Reports the value of a task. When this returns, the value is stored and survives every
    /// crash; a run that has not come to its wait finds it there.
    ///
    /// The first outcome of a task counts. The same one may be reported again, for example because
    /// an answer was lost.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTask`] if the token is none, [`Error::Store`] with
    /// [`StoreError::WrongStatus`] if its run has completed, [`Error::Payload`] if the value has no
    /// JSON form or is too large.
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the value may be stored or not; reporting it again does no harm.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Json, extract::Path};
    /// use axum_durable::prelude::*;
    ///
    /// async fn checked(
    ///     durable: Durable,
    ///     Path(token): Path<String>,
    ///     Json(is_genuine): Json<bool>,
    /// ) -> Result<(), DurableError> {
    ///     durable.complete_task(token, is_genuine).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn complete_task<T: Serialize + Send>(
        &self,
        token: impl Into<TaskToken>,
        value: T,
    ) -> Result<SignalOutcome, Error> {
        let token = token.into();
        let value = Payload::encode(&value)?;
        self.report(token, TaskReport::Completed(value)).await
    }

    /// Reports that a task has failed: `ctx.task` returns it as an error. If the run fails of it
    /// and is requeued, it waits for another outcome under the same token.
    ///
    /// # Errors
    ///
    /// Like [`complete_task`](Self::complete_task).
    ///
    /// # Cancel safety
    ///
    /// Dropped while waiting, the failure may be stored or not; reporting it again does no harm.
    pub async fn fail_task(
        &self,
        token: impl Into<TaskToken>,
        error: impl Into<StepError>,
    ) -> Result<SignalOutcome, Error> {
        let (token, failure) = (token.into(), error.into().into_failure());
        self.report(token, TaskReport::Failed(failure)).await
    }

    async fn report(&self, token: TaskToken, report: TaskReport) -> Result<SignalOutcome, Error> {
        let payload = Payload::encode(&report)?;
        payload.fits(self.engine().config().max_payload)?;
        let (run, _) = address::place_of(token.as_str()).ok_or(Error::UnknownTask)?;
        self.check_not_completed(&run).await?;
        let address = token.address();
        // The same outcome is the same delivery. Another one is kept for a requeue.
        let id = address::delivery_id(&address, payload.as_text().unwrap_or_default());
        Ok(self.engine().signal(id, address, payload).await?)
    }

    /// Whether the run may still come to a wait.
    async fn check_not_completed(&self, run: &RunId) -> Result<(), Error> {
        let found = self.engine().store().run(run).await?;
        let status = found.ok_or(Error::UnknownTask)?.status;
        if status == RunStatus::Completed {
            return Err(Error::Store(StoreError::WrongStatus {
                run: run.clone(),
                status,
                asked: "given the outcome of a task",
            }));
        }
        Ok(())
    }
}
