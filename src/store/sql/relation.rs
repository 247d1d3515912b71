//! How one run belongs to others, inside a write transaction: its successor, and what its
//! cancellation says to its children. What concerns many at once is in [`family`](super::family).

use sea_orm::QueryResult;

use super::record;
use super::transaction::Transaction;
use crate::driver::sql::Args;
use crate::id::RunId;
use crate::model::{Failure, InboxBody};
use crate::payload::Payload;
use crate::store::commit::{Delivery, DeliveryAck};
use crate::store::error::StoreError;
use crate::store::rules;

impl Transaction<'_, '_> {
    /// Hands those who wait for the end of a run on to the one that it continues as, and a request
    /// to cancel that it has got and whose answer it cannot be any more.
    pub(super) async fn continue_as(
        &mut self,
        run_no: i64,
        next: &RunId,
    ) -> Result<Option<DeliveryAck>, StoreError> {
        let texts = self.relations();
        let args = Args::new().with(run_no).with(next.as_str());
        self.run(texts.set_next, &args).await?;
        let no = match self.run_no(next).await {
            Err(StoreError::UnknownRun { .. }) => return Ok(None),
            no => no?,
        };
        let args = Args::new().with(run_no).with(no);
        if self.run(texts.hand_on, &args).await?.changes(0) > 0 {
            self.mark_one(next).await?;
        }
        let sets = self.run(texts.asked, &Args::new().with(run_no)).await?;
        let asked = sets.first(0).map(|row| record::count::<u32>(row, 0));
        let body = match asked.transpose()? {
            Some(1) => InboxBody::Cancel,
            Some(2) => InboxBody::Compensate,
            _ => return Ok(None),
        };
        let (run, at) = (next.clone(), self.now);
        match Box::pin(self.deliver(&Delivery::Item { run, body, at })).await {
            Err(error) if error.is_transient() => Err(error),
            told => Ok(told.ok()),
        }
    }

    /// Tells of the end of a run that was cancelled: those who wait for it, and its children.
    pub(super) async fn cancelled(
        &mut self,
        run: &RunId,
        run_no: i64,
    ) -> Result<Vec<DeliveryAck>, StoreError> {
        let mut told = self.tell(&[run_no]).await?.concat();
        told.append(&mut self.cancel_children(run).await?);
        Ok(told)
    }

    /// Asks the children of a run that was cancelled to cancel.
    pub(super) async fn cancel_children(
        &mut self,
        run: &RunId,
    ) -> Result<Vec<DeliveryAck>, StoreError> {
        self.ask_children(run, &InboxBody::Cancel).await
    }

    /// Asks the children of a run that undoes its steps to do the same.
    pub(super) async fn compensate_children(
        &mut self,
        run: &RunId,
    ) -> Result<Vec<DeliveryAck>, StoreError> {
        self.ask_children(run, &InboxBody::Compensate).await
    }

    /// Sends a request to each child of a run that is cancelled with it.
    async fn ask_children(
        &mut self,
        run: &RunId,
        body: &InboxBody,
    ) -> Result<Vec<DeliveryAck>, StoreError> {
        let mut told = Vec::new();
        let args = Args::new().with(run.as_str());
        let sets = self.run(self.relations().children, &args).await?;
        for row in sets.rows(0) {
            let on_cancel = record::on_cancel(record::get(row, 1)?);
            let request = Delivery::Item {
                run: record::run_id(row, 0)?,
                body: rules::request_to_child(on_cancel, body),
                at: self.now,
            };
            // A child of a child is cancelled by the same call. One that has ended since it was
            // listed has nothing to do, and must not keep the others from being asked.
            match Box::pin(self.deliver(&request)).await {
                Err(error) if error.is_transient() => return Err(error),
                ack => told.extend(ack.ok()),
            }
        }
        Ok(told)
    }
}

/// The end of a run from its row: status, failure and output are in the columns `at`.
pub(super) fn outcome(
    row: &QueryResult,
    at: [usize; 3],
) -> Result<Option<Result<Payload, Failure>>, StoreError> {
    let [status, failure, output] = at;
    let status = record::status(row, status)?;
    if !status.is_terminal() {
        return Ok(None);
    }
    let (failure, output) = (
        record::failure(row, failure)?,
        record::payload(row, output)?,
    );
    Ok(Some(rules::outcome(status, output, failure)))
}
