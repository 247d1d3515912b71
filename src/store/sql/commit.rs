//! The journal's batch as one transaction, on each database in the way that costs least.
//!
//! | database | the usual batch | what interrupts it |
//! |---|---|---|
//! | SQLite | one script, one hop, with BEGIN and COMMIT in it | checks that cut the script short |
//! | PostgreSQL | one statement, which is its own transaction | a division by zero in it |
//! | MySQL | one message: BEGIN, a statement for each kind of change, COMMIT | a sum that is too large in it |
//!
//! What is only signals is one message to a server, too. What touches other runs, or was interrupted,
//! is written statement by statement.
//!
//! What interrupts are a token that does not hold, a signal that was delivered to a closed wait
//! and not taken, and a wait for which a signal lies ready. They are dealt with one by one. A crash
//! at any point leaves the whole batch or nothing of it, by the transaction.

use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt;
use sea_orm::DatabaseTransaction;

use super::care::Care;
use super::error::{is_conflict, is_stop, is_unnamed};
use super::gates::Gates;
use super::store::SqlStore;
use super::transaction::Transaction;
use super::writing::Writing;
use crate::driver::sql::Session;
use crate::store::commit::{Batch, BatchAck, CommitStore};
use crate::store::error::StoreError;

const OPERATION: &str = "commit a batch";

/// How often a batch is tried again that the database has undone for another one's sake. Each time
/// somebody has got on, so more than a few in a row means that something else is wrong.
const MAX_CONFLICTS: u32 = 8;

/// The longest pause before that, in milliseconds; random, so that the two do not meet again.
const LONGEST_PAUSE_MS: u64 = 20;

#[async_trait]
impl CommitStore for SqlStore {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let mut care = Care::of(batch, self.dialect());
        let mut conflicts = 0;
        loop {
            match self.write_batch(batch, care).await {
                Err(error) if is_stop(&error) && care != Care::FULL => care = Care::FULL,
                // Nothing was written. A pooler answers so once for each batch that is under way.
                Err(error) if is_unnamed(&error) && conflicts < MAX_CONFLICTS => conflicts += 1,
                Err(error) if is_conflict(&error) && conflicts < MAX_CONFLICTS => {
                    conflicts += 1;
                    let pause = rand::rng().random_range(0..=LONGEST_PAUSE_MS);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                answer => return answer,
            }
        }
    }
}

impl SqlStore {
    async fn write_batch(&self, batch: &Batch, care: Care) -> Result<BatchAck, StoreError> {
        if self.is_for_message(batch) {
            return self.by_message(batch, care, OPERATION).await;
        }
        let mut session = self.write(OPERATION).await?;
        let mut writing = self.writing(&mut session, batch, care);
        if writing.transaction.session.is_scripted() {
            writing.by_script().await?;
        } else if care.is_alone {
            writing.body().await?;
        } else if writing.is_at_once() && writing.at_once().await? {
            // From the beginning of the transaction to its end.
        } else {
            writing.transaction.begin(care.gates).await?;
            writing.body().await?;
            writing.transaction.end().await?;
        }
        let ack = writing.into_ack();
        session.finish();
        Ok(ack)
    }

    pub(super) fn writing<'a, 's>(
        &self,
        session: &'a mut Session<'s>,
        batch: &'a Batch,
        care: Care,
    ) -> Writing<'a, 's> {
        Writing::new(self.transaction(session, OPERATION), batch, care)
    }

    pub(super) fn transaction<'a, 's>(
        &self,
        session: &'a mut Session<'s>,
        operation: &'static str,
    ) -> Transaction<'a, 's> {
        Transaction {
            session,
            operation,
            now: self.now(),
        }
    }
}

/// The store inside a transaction of the host: what it writes is there once the host commits.
pub(super) struct Joined<'a> {
    pub(super) store: &'a SqlStore,
    pub(super) transaction: &'a DatabaseTransaction,
}

#[async_trait]
impl CommitStore for Joined<'_> {
    async fn commit(&self, batch: &Batch) -> Result<BatchAck, StoreError> {
        let mut session = self.store.joined_session(self.transaction);
        let care = Care {
            gates: Gates::of(batch),
            // A statement that stops would break the host's transaction.
            is_strict: false,
            locks: true,
            is_alone: false,
        };
        let mut writing = self.store.writing(&mut session, batch, care);
        writing.transaction.take(care.gates).await?;
        writing.body().await?;
        Ok(writing.into_ack())
    }
}
