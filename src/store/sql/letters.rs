//! Runs that are started for those that are given up, in the transaction that gives these up: a
//! crash leaves both or neither, and in the second case the next recoverer does both.

use super::care::Care;
use super::record;
use super::transaction::Transaction;
use super::writing::Writing;
use crate::driver::sql::Args;
use crate::id::RunId;
use crate::store::commit::{Batch, StartAck};
use crate::store::error::StoreError;
use crate::store::lease::Letter;

impl Transaction<'_, '_> {
    /// Starts a run for each that was just given up. The transaction that does so has taken each
    /// of them from its last owner, so no twin of it comes here with the same.
    pub(super) async fn send_letters(
        &mut self,
        dead: &[RunId],
        letter: Letter<'_>,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for run in dead {
            let args = Args::new().with(run.as_str());
            let sets = self.run(self.texts().read.run, &args).await?;
            let Some(row) = sets.first(0) else {
                continue;
            };
            batch.starts.extend(letter(&record::run_with_input(row)?));
        }
        if batch.starts.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            session: &mut *self.session,
            operation: self.operation,
            now: self.now,
        };
        let mut writing = Writing::new(transaction, &batch, Care::PLAIN);
        writing.changes().await?;
        let acks = writing.into_ack().starts;
        for (new, ack) in batch.starts.iter().zip(acks) {
            if ack == StartAck::Created {
                self.bind(std::iter::once(new)).await?;
            }
        }
        Ok(())
    }
}
