//! Steps whose result is committed together with writes of the user.
//!
//! The result goes into the run's inbox, in the user's transaction, like that of a worker. What a
//! crash leaves:
//!
//! - before the commit: nothing, and the step executes again;
//! - after it: the user's writes and the result in the inbox. Whoever claims the run finds it there
//!   and does not execute the step again. The commit that records the step removes the item.
//!
//! The transaction locks the run's row when it puts the result there, and commits only if the run
//! still belongs to this instance. So of two processes that execute the step, one commits.

use std::time::Duration;

use sea_orm::{DatabaseTransaction, TransactionTrait};
use tracing::warn;

use super::{
    committed::{is_result, stored_result},
    host::RunHost,
};
use crate::id::Seq;
use crate::model::{Failure, InboxBody};
use crate::payload::Payload;
use crate::store::{Batch, Delivery, DeliveryAck, StoreError};
use crate::workflow::Host;

/// The attempt under which results of transactions are stored: all attempts share it, so that the
/// result of an earlier one is found when a later one tries to store its own.
const ANY_ATTEMPT: u32 = 0;

/// What became of a result that was put into the inbox.
enum Put {
    /// It is there once the transaction is committed.
    Stored(i64, u64),
    /// The result of an earlier attempt is there.
    Known,
    /// The run belongs to somebody else.
    Lost,
}

impl RunHost {
    /// Commits a transaction together with the result of the step at `seq`.
    pub(crate) async fn commit_step(
        &self,
        seq: Seq,
        transaction: DatabaseTransaction,
        result: Payload,
    ) -> Result<Payload, Failure> {
        // Nothing is committed with a result that could not be stored.
        self.check(&result)?;
        match self.put_result(seq, &transaction, &result).await {
            Ok(Put::Stored(item, wakes)) => match transaction.commit().await {
                Ok(()) => {
                    self.note_result(seq, item, wakes);
                    Ok(result)
                }
                Err(error) => {
                    warn!(run_id = %self.identity.run, %seq, %error, "commit not confirmed, looking what became of it");
                    self.find_out(seq, &result).await
                }
            },
            Ok(Put::Known) => {
                drop(transaction.rollback().await);
                self.find_out(seq, &result).await
            }
            Ok(Put::Lost) => Err(Failure::fatal("lease_lost", "the run was taken over")),
            Err(error) => Err(Failure::from_error(&error)),
        }
    }

    /// Puts the result into the inbox, in the transaction.
    async fn put_result(
        &self,
        seq: Seq,
        transaction: &DatabaseTransaction,
        result: &Payload,
    ) -> Result<Put, StoreError> {
        let Some(joined) = self.core.store.joined(transaction) else {
            return Ok(Put::Lost);
        };
        let body = InboxBody::StepResult {
            seq,
            attempt: ANY_ATTEMPT,
            outcome: Ok(result.clone()),
        };
        let (run, at) = (self.identity.run.clone(), self.core.now());
        let batch = Batch {
            deliveries: vec![Delivery::Item { run, body, at }],
            ..Batch::default()
        };
        let mut ack = joined.commit(&batch).await?;
        Ok(match ack.deliveries.pop().transpose()? {
            Some(DeliveryAck::Duplicate) => Put::Known,
            Some(DeliveryAck::Delivered {
                item, wakes, owner, ..
            }) if owner == Some(self.core.instance()) => Put::Stored(item.id, wakes),
            _ => Put::Lost,
        })
    }

    /// Finds out whether a result was committed, however long the database is away.
    ///
    /// Trying to put it again waits for the row lock of a commit that is still under way, and then
    /// finds its item or not.
    async fn find_out(&self, seq: Seq, result: &Payload) -> Result<Payload, Failure> {
        const FIRST_WAIT: Duration = Duration::from_millis(10);
        const LONGEST_WAIT: Duration = Duration::from_secs(1);
        let mut wait = FIRST_WAIT;
        loop {
            match self.probe(seq, result).await {
                Ok(Some(stored)) => return Ok(stored),
                Ok(None) => {
                    let message = "the transaction was not committed";
                    return Err(Failure::retryable(message));
                }
                Err(error) => {
                    warn!(run_id = %self.identity.run, %seq, error = &*error, "outcome of a commit not known yet");
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn probe(
        &self,
        seq: Seq,
        result: &Payload,
    ) -> Result<Option<Payload>, Box<dyn std::error::Error + Send + Sync>> {
        let Some(connection) = self.core.store.host_connection() else {
            return Ok(None);
        };
        let transaction = connection.begin().await?;
        let put = self.put_result(seq, &transaction, result).await?;
        transaction.rollback().await?;
        let Put::Known = put else { return Ok(None) };
        let record = self.core.store.load(&self.identity.run).await?;
        let inbox = record.map(|record| record.inbox).unwrap_or_default();
        let found = inbox.into_iter().find(|item| is_result(item, seq));
        let Some((id, stored)) = found.and_then(stored_result) else {
            return Ok(None);
        };
        self.note_result(seq, id, 0);
        Ok(Some(stored))
    }

    /// Notes which item of the inbox the result is, so that the next commit removes it, and that
    /// the wake that came with it is dealt with.
    fn note_result(&self, seq: Seq, item: i64, wakes: u64) {
        let mut state = self.state();
        if wakes == state.wakes + 1 {
            // Nothing else has arrived meanwhile.
            state.wakes = wakes;
        }
        state.arrivals.note(item);
        state.arrivals.take(|other| other.id == item);
        if let Some(slot) = state.cursor.slot(seq) {
            slot.inbox = Some(item);
        }
    }
}
